/**
 * A `CoordinatorClient` for code in the coordinator's own process: `mx8 run`, tests. It passes the same
 * commands to the same writer as the gRPC service does.
 */
import { Mx8Error } from '../core/base/errors.ts';
import type { JobId, LeaseId, ManifestHash } from '../core/base/units.ts';
import { committedPieces, jobIds } from '../core/job/coordinator.ts';
import type {
  Command,
  CommittedPiece,
  JobSnapshot,
  JobSpec,
  LeasesGranted,
  NodeCaps,
  NodeStats,
  Registered,
  Reply,
} from '../core/job/protocol.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { Clock } from '../ports/clock.ts';
import type {
  Accepted,
  CoordinatorClient,
  FinalizeAnswer,
  NodeIdentity,
  Push,
} from '../ports/coordinator-client.ts';
import type { ManifestStore } from '../ports/manifest-store.ts';
import { PIECES_PER_CHUNK } from './limits.ts';
import { pushOf } from './push.ts';
import type { Writer } from './writer.ts';

export interface LocalClientOptions {
  readonly writer: Writer;
  readonly manifests: ManifestStore;
  readonly clock: Clock;
}

type ReplyOf<T extends Reply['type']> = Extract<Reply, { readonly type: T }>;

/** The reply as the type that the command is answered with; a refusal is thrown. */
export function expectReply<T extends Reply['type']>(reply: Reply, type: T): ReplyOf<T> {
  if (reply.type === 'refused') throw new Mx8Error(reply.code, reply.message);
  if (reply.type !== type) throw new Mx8Error('internal', `expected ${type}, got ${reply.type}`);
  return reply as ReplyOf<T>;
}

export class LocalClient implements CoordinatorClient {
  readonly #options: LocalClientOptions;
  readonly #listeners: ((push: Push) => void)[] = [];
  #self: NodeIdentity | null = null;

  constructor(options: LocalClientOptions) {
    this.#options = options;
    options.writer.onFacts((facts) => {
      const self = this.#self;
      if (self === null) return;
      for (const fact of facts) {
        const push = pushOf(fact, self.jobId, self.nodeId);
        if (push !== null) for (const listener of this.#listeners) listener(push);
      }
    });
  }

  onPush(listener: (push: Push) => void): void {
    this.#listeners.push(listener);
  }

  async register(node: NodeIdentity, caps: NodeCaps, resumeFrom: Uint8Array): Promise<Registered> {
    this.#self = node;
    return this.#ask({ type: 'register', ...node, caps, resumeFrom }, 'registered');
  }

  async heartbeat(node: NodeIdentity, stats: NodeStats): Promise<void> {
    const sentAtUnixMs = this.#options.clock.unixMs();
    await this.#ask({ type: 'heartbeat', ...node, stats, sentAtUnixMs }, 'ok');
  }

  async requestLeases(
    node: NodeIdentity,
    want: number,
    held: readonly LeaseId[],
  ): Promise<LeasesGranted> {
    return this.#ask({ type: 'request_lease', ...node, want, held }, 'leases');
  }

  async reportProgress(
    node: NodeIdentity,
    report: {
      readonly leaseId: LeaseId;
      readonly cursor: number;
      readonly deliveredSamples: number;
      readonly deliveredBytes: number;
    },
  ): Promise<Accepted> {
    return this.#ask({ type: 'progress', ...node, ...report }, 'accepted');
  }

  async commit(
    node: NodeIdentity,
    output: {
      readonly leaseId: LeaseId;
      readonly start: number;
      readonly end: number;
      readonly rows: number;
      readonly bytes: number;
      readonly quarantined: readonly number[];
    },
  ): Promise<Accepted> {
    return this.#ask({ type: 'commit', ...node, ...output }, 'accepted');
  }

  async release(node: NodeIdentity, leaseId: LeaseId): Promise<void> {
    await this.#ask({ type: 'release', ...node, leaseId }, 'ok');
  }

  async leave(node: NodeIdentity): Promise<void> {
    await this.#ask({ type: 'leave', ...node }, 'ok');
  }

  async failJob(node: NodeIdentity, code: string, message: string): Promise<void> {
    await this.#ask({ type: 'fail_job', ...node, code, message }, 'ok');
  }

  async requestFinalize(node: NodeIdentity): Promise<FinalizeAnswer> {
    return this.#ask({ type: 'request_finalize', ...node }, 'finalize');
  }

  async completeJob(
    node: NodeIdentity,
    finalizeToken: string,
    outputManifestHash: ManifestHash | null,
  ): Promise<void> {
    await this.#ask({ type: 'complete_job', ...node, finalizeToken, outputManifestHash }, 'ok');
  }

  async manifestRecords(
    _jobId: JobId,
    hash: ManifestHash,
    start: number,
    end: number,
    signal?: AbortSignal,
  ): Promise<readonly SampleRecord[]> {
    const reader = await this.#options.manifests.open(hash);
    try {
      const records: SampleRecord[] = [];
      for await (const chunk of reader.records(start, end, signal)) {
        for (const record of chunk) records.push(record);
      }
      return records;
    } finally {
      await reader.close();
    }
  }

  async *committedPieces(jobId: JobId): AsyncIterable<readonly CommittedPiece[]> {
    for (let after = -1; ;) {
      // Asked for through the writer, so that what is listed is durable.
      await this.snapshot(jobId);
      const pieces = committedPieces(this.#options.writer.state, jobId, after, PIECES_PER_CHUNK);
      const last = pieces.at(-1);
      if (last === undefined) return;
      yield pieces;
      after = last.start;
    }
  }

  async submitJob(spec: JobSpec): Promise<{ readonly spec: JobSpec; readonly existed: boolean }> {
    return this.#ask({ type: 'create_job', spec }, 'job_created');
  }

  async resumeJob(jobId: JobId): Promise<void> {
    await this.#ask({ type: 'resume_job', jobId }, 'ok');
  }

  async drainJob(jobId: JobId): Promise<void> {
    await this.#ask({ type: 'drain_job', jobId }, 'ok');
  }

  async snapshot(jobId: JobId): Promise<JobSnapshot> {
    return this.#ask({ type: 'get_snapshot', jobId }, 'snapshot');
  }

  async checkpoint(jobId: JobId): Promise<Uint8Array> {
    return (await this.#ask({ type: 'get_checkpoint', jobId }, 'checkpoint')).bytes;
  }

  async listJobs(): Promise<readonly JobSnapshot[]> {
    return Promise.all(jobIds(this.#options.writer.state).map((jobId) => this.snapshot(jobId)));
  }

  async close(): Promise<void> {
    this.#listeners.length = 0;
  }

  async #ask<T extends Reply['type']>(command: Command, type: T): Promise<ReplyOf<T>> {
    return expectReply(await this.#options.writer.submit(command), type);
  }
}
