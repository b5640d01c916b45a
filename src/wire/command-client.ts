/**
 * The part of a `CoordinatorClient` that is the same however commands travel: each call is one command
 * and one reply. What carries them says how in `ask`.
 */
import { Mx8Error } from '../core/base/errors.ts';
import type { JobId, LeaseId, ManifestHash, NodeId } from '../core/base/units.ts';
import type { Change, Operation } from '../core/job/operations.ts';
import type {
  Command,
  CommittedPiece,
  JobSnapshot,
  JobSpec,
  LeaseChoice,
  LeasesGranted,
  NodeCaps,
  NodeStats,
  Registered,
  Reply,
} from '../core/job/protocol.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { StoreReport, StoreShare } from '../core/transfer/store-report.ts';
import type { Clock } from '../ports/clock.ts';
import type {
  Accepted,
  CoordinatorClient,
  CoordinatorView,
  FinalizeAnswer,
  NodeIdentity,
  Push,
  SharedStores,
} from '../ports/coordinator-client.ts';

export type ReplyOf<T extends Reply['type']> = Extract<Reply, { readonly type: T }>;
export type ProgressReport = Parameters<CoordinatorClient['reportProgress']>[1];
export type OutputReport = Parameters<CoordinatorClient['commit']>[1];

/** The reply as the type that the command is answered with; a refusal is thrown. */
export function expectReply<T extends Reply['type']>(reply: Reply, type: T): ReplyOf<T> {
  if (reply.type === 'refused') throw new Mx8Error(reply.code, reply.message);
  if (reply.type !== type) throw new Mx8Error('internal', `expected ${type}, got ${reply.type}`);
  return reply as ReplyOf<T>;
}

export abstract class CommandClient implements CoordinatorClient {
  readonly #clock: Clock;
  readonly #listeners: ((push: Push) => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The reply to the command, a refusal included; rejects when there is none. */
  protected abstract ask(command: Command, signal?: AbortSignal): Promise<Reply>;
  abstract manifestRecords(
    jobId: JobId,
    hash: ManifestHash,
    start: number,
    end: number,
    signal?: AbortSignal,
  ): Promise<readonly SampleRecord[]>;
  abstract committedPieces(jobId: JobId): AsyncIterable<readonly CommittedPiece[]>;
  abstract listJobs(): Promise<readonly JobSnapshot[]>;
  abstract coordinator(): Promise<CoordinatorView>;
  abstract close(): Promise<void>;

  onPush(listener: (push: Push) => void): void {
    this.#listeners.push(listener);
  }

  protected push(push: Push): void {
    for (const listener of this.#listeners) listener(push);
  }

  async register(
    node: NodeIdentity & { readonly jobToken?: string },
    caps: NodeCaps,
    resumeFrom: Uint8Array,
    signal?: AbortSignal,
  ): Promise<Registered> {
    return this.#expect({ type: 'register', ...node, caps, resumeFrom }, 'registered', signal);
  }

  async heartbeat(
    node: NodeIdentity,
    stats: NodeStats,
    stores?: readonly StoreReport[],
  ): Promise<readonly StoreShare[]> {
    const sentAtUnixMs = this.#clock.unixMs();
    const more = stores === undefined ? {} : { stores };
    const heartbeat: Command = { type: 'heartbeat', ...node, stats, sentAtUnixMs, ...more };
    return (await this.#expect(heartbeat, 'ok')).storeShares ?? [];
  }

  async requestLeases(
    node: NodeIdentity,
    want: number,
    held: readonly LeaseId[],
    signal?: AbortSignal,
  ): Promise<LeasesGranted> {
    return this.#expect({ type: 'request_lease', ...node, want, held }, 'leases', signal);
  }

  async reportProgress(node: NodeIdentity, report: ProgressReport): Promise<Accepted> {
    return this.#expect({ type: 'progress', ...node, ...report }, 'accepted');
  }

  async renew(
    node: NodeIdentity,
    leaseIds: readonly LeaseId[],
  ): Promise<readonly (number | null)[]> {
    return (await this.#expect({ type: 'renew', ...node, leaseIds }, 'renewed')).ends;
  }

  async commit(node: NodeIdentity, output: OutputReport): Promise<Accepted> {
    return this.#expect({ type: 'commit', ...node, ...output }, 'accepted');
  }

  async release(node: NodeIdentity, leaseId: LeaseId): Promise<void> {
    await this.#expect({ type: 'release', ...node, leaseId }, 'ok');
  }

  async leave(node: NodeIdentity): Promise<void> {
    await this.#expect({ type: 'leave', ...node }, 'ok');
  }

  async failJob(
    node: NodeIdentity & { readonly jobToken?: string },
    code: string,
    message: string,
  ): Promise<void> {
    await this.#expect({ type: 'fail_job', ...node, code, message }, 'ok');
  }

  async requestFinalize(node: NodeIdentity): Promise<FinalizeAnswer> {
    return this.#expect({ type: 'request_finalize', ...node }, 'finalize');
  }

  async completeJob(
    node: NodeIdentity,
    finalizeToken: string,
    outputManifestHash: ManifestHash | null,
  ): Promise<void> {
    await this.#expect({ type: 'complete_job', ...node, finalizeToken, outputManifestHash }, 'ok');
  }

  async submitJob(spec: JobSpec): Promise<{ readonly spec: JobSpec; readonly existed: boolean }> {
    return this.#expect({ type: 'create_job', spec }, 'job_created');
  }

  async resumeJob(jobId: JobId): Promise<void> {
    await this.#expect({ type: 'resume_job', jobId }, 'ok');
  }

  async drainJob(jobId: JobId): Promise<void> {
    await this.#expect({ type: 'drain_job', jobId }, 'ok');
  }

  async operate(jobId: JobId, operation: Operation, dryRun: boolean): Promise<readonly Change[]> {
    return (await this.#expect({ type: 'operate', jobId, operation, dryRun }, 'operated')).changes;
  }

  async snapshot(jobId: JobId, leases?: LeaseChoice): Promise<JobSnapshot> {
    const choice = leases === undefined ? {} : { leases };
    return this.#expect({ type: 'get_snapshot', jobId, ...choice }, 'snapshot');
  }

  async checkpoint(jobId: JobId): Promise<Uint8Array> {
    return (await this.#expect({ type: 'get_checkpoint', jobId }, 'checkpoint')).bytes;
  }

  async shareStores(
    guestId: NodeId,
    stores: readonly StoreReport[],
    signal?: AbortSignal,
  ): Promise<SharedStores> {
    const share: Command = { type: 'share_stores', guestId, stores };
    const { storeShares = [], beatMs = 0 } = await this.#expect(share, 'ok', signal);
    return { storeShares, beatMs };
  }

  async #expect<T extends Reply['type']>(
    command: Command,
    type: T,
    signal?: AbortSignal,
  ): Promise<ReplyOf<T>> {
    return expectReply(await this.ask(command, signal), type);
  }
}
