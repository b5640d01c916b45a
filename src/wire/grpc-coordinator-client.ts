/**
 * A `CoordinatorClient` over gRPC: a `mx8.v1` session for each node it speaks for, single calls for
 * everything else. It finds the coordinator among its addresses and comes back to it by itself.
 */
import { unreachable } from '../core/base/assert.ts';
import { Mx8Error, refused } from '../core/base/errors.ts';
import type { JobId, ManifestHash } from '../core/base/units.ts';
import type { Command, CommittedPiece, JobSnapshot, Reply } from '../core/job/protocol.ts';
import { decodeSlice, withPins } from '../core/manifest/decode-slice.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { Clock } from '../ports/clock.ts';
import type { Random } from '../ports/random.ts';
import type { CoordinatorView } from '../ports/coordinator-client.ts';
import type { ManifestSlice } from '../ports/manifest-replica.ts';
import { CommandClient } from './command-client.ts';
import { type ClientTls, GrpcConnection } from './connection.ts';
import type { CoordAddress } from './coord-url.ts';
import { Dialer, type OnUnanswered } from './dialer.ts';
import { bytes, children, flag, requiredChild, uint64s } from './fields.ts';
import { CALL_TIMEOUT_MS_DEFAULT, MESSAGE_BYTES_MAX_DEFAULT } from './limits.ts';
import { SessionClient } from './session-client.ts';
import { type CallerOptions, UnaryCaller } from './unary-caller.ts';
import type { SessionCommand } from './v1-session.ts';
import { coordinatorFrom } from './v1-coordinator.ts';
import { leaseChoiceMessage } from './v1-lease-choice.ts';
import { operatedFrom, operateMessage } from './v1-operate.ts';
import { jobSnapshotFrom, pieceFrom, specFrom, specMessage } from './v1-snapshot.ts';
import { sharedFrom, shareStoresMessage } from './v1-stores.ts';

export interface GrpcClientOptions {
  /** One address or several with commas between them; see `coord-url.ts`. */
  readonly coordUrl: string;
  readonly clock: Clock;
  readonly random: Random;
  /** For addresses that begin with https. */
  readonly tls?: ClientTls;
  /** How long any one answer may take, attempts included. Default 10 s. */
  readonly callTimeoutMs?: number;
  /** Hears of each attempt that nobody answered; the client goes on trying by itself. */
  readonly onUnanswered?: OnUnanswered;
  /** Most bytes of a message, both ways. Default 64 MiB. */
  readonly grpcMaxMessageBytes?: number;
}

type JobCommand = Exclude<
  Command,
  SessionCommand | { readonly type: 'begin_run' | 'node_died' | 'disconnect' | 'tick' }
>;

export class GrpcCoordinatorClient extends CommandClient {
  readonly #dialer: Dialer;
  readonly #callerOptions: CallerOptions;
  readonly #caller: UnaryCaller;
  /** By job, node and process. */
  readonly #sessions: Map<string, SessionClient> = new Map<string, SessionClient>();

  #isClosed = false;

  constructor(options: GrpcClientOptions) {
    super(options.clock);
    const { coordUrl, clock, random, tls = {}, onUnanswered = () => undefined } = options;
    const messageBytesMax = options.grpcMaxMessageBytes ?? MESSAGE_BYTES_MAX_DEFAULT;
    const callTimeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS_DEFAULT;
    const dial = (address: CoordAddress): GrpcConnection =>
      new GrpcConnection(address, { clock, tls, messageBytesMax });
    this.#dialer = new Dialer({ coordUrl, clock, random, dial, onUnanswered });
    this.#callerOptions = { dialer: this.#dialer, clock, callTimeoutMs };
    this.#caller = new UnaryCaller(this.#callerOptions);
  }

  async manifestRecords(
    jobId: JobId,
    hash: ManifestHash,
    start: number,
    end: number,
    signal?: AbortSignal,
  ): Promise<readonly SampleRecord[]> {
    const slice = await this.manifestSlice(jobId, hash, start, end, signal);
    const { lines, pinnedBytes, pinnedTags } = slice;
    const records = decodeSlice(lines, start, `manifest ${hash}`);
    const isPaired = [pinnedBytes, pinnedTags].every(
      (pins) => pins.length === 0 || pins.length === records.length,
    );
    if (records.length === end - start && isPaired) {
      return withPins(records, pinnedBytes, pinnedTags);
    }
    throw new Mx8Error(
      'manifest_corrupt',
      `asked for samples [${start}, ${end}) of manifest ${hash}, the coordinator sent ${records.length} and ${pinnedBytes.length} sizes`,
    );
  }

  /** The lines as they are kept, of whichever coordinator of the list answers. */
  async manifestSlice(
    jobId: JobId,
    hash: ManifestHash,
    start: number,
    end: number,
    signal?: AbortSignal,
  ): Promise<ManifestSlice> {
    const request = { jobId, manifestHash: hash, start, end };
    const chunks = await this.#caller.collect('GetManifestRange', request, signal);
    return {
      lines: Buffer.concat(chunks.map((chunk) => bytes(chunk, 'lines'))),
      pinnedBytes: chunks.flatMap((chunk) => uint64s(chunk, 'pinnedBytes')),
      // Chunks about files only have none.
      pinnedTags: chunks.flatMap((chunk) => {
        const tags = uint64s(chunk, 'pinnedTags');
        return tags.length > 0 ? tags : uint64s(chunk, 'pinnedBytes').map(() => 0);
      }),
    };
  }

  async *committedPieces(jobId: JobId): AsyncIterable<readonly CommittedPiece[]> {
    const chunks = await this.#caller.collect('ListCommittedPieces', { jobId });
    for (const chunk of chunks) yield children(chunk, 'pieces').map(pieceFrom);
  }

  async listJobs(): Promise<readonly JobSnapshot[]> {
    const answer = await this.#caller.call('ListJobs', {});
    return children(answer, 'jobs').map(jobSnapshotFrom);
  }

  /** Of whichever coordinator of the list answers, be it a standby. */
  async anyCoordinator(): Promise<CoordinatorView> {
    return coordinatorFrom(await this.#caller.call('GetCoordinator', {}));
  }

  /** A standby says who leads: that one is asked, and what the standby said stands if it is away. */
  async coordinator(): Promise<CoordinatorView> {
    const first = await this.anyCoordinator();
    if (first.role === 'leader' || first.leader === null) return first;
    this.#dialer.goTo(first.leader.address);
    try {
      return await this.anyCoordinator();
    } catch (error) {
      if (error instanceof Mx8Error && error.retryable) return first;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
    this.#dialer.close();
  }

  protected async ask(command: Command, signal?: AbortSignal): Promise<Reply> {
    if (this.#isClosed) throw new Mx8Error('coordinator_unavailable', 'this client was closed');
    switch (command.type) {
      case 'create_job':
      case 'resume_job':
      case 'drain_job':
      case 'operate':
      case 'get_snapshot':
      case 'get_checkpoint':
      case 'share_stores':
        return this.#askUnary(command, signal);
      case 'begin_run':
      case 'node_died':
      case 'disconnect':
      case 'tick':
        return refused('internal', `a client does not send ${command.type}`);
      default:
        return this.#askOnSession(command, signal);
    }
  }

  async #askOnSession(command: SessionCommand, signal?: AbortSignal): Promise<Reply> {
    const key = `${command.jobId} ${command.nodeId} ${command.instanceId}`;
    const session = this.#sessions.get(key) ?? this.#openSession(key);
    const reply = await session.ask(command, signal);
    if (command.type === 'leave' && reply.type === 'ok') {
      // The node is gone: nothing is left to come back for.
      session.close();
      this.#sessions.delete(key);
    }
    return reply;
  }

  #openSession(key: string): SessionClient {
    const session = new SessionClient({
      ...this.#callerOptions,
      onPush: (push) => this.push(push),
    });
    this.#sessions.set(key, session);
    return session;
  }

  /** A refusal of a single call comes as a failed call, and is thrown as one. */
  async #askUnary(command: JobCommand, signal?: AbortSignal): Promise<Reply> {
    switch (command.type) {
      case 'create_job': {
        const request = { spec: specMessage(command.spec) };
        const answer = await this.#caller.call('SubmitJob', request, signal);
        const spec = specFrom(requiredChild(answer, 'spec'));
        return { type: 'job_created', spec, existed: flag(answer, 'existed') };
      }
      case 'resume_job':
        await this.#caller.call('ResumeJob', { jobId: command.jobId }, signal);
        return { type: 'ok' };
      case 'drain_job':
        await this.#caller.call('DrainJob', { jobId: command.jobId }, signal);
        return { type: 'ok' };
      case 'operate':
        return operatedFrom(await this.#caller.call('Operate', operateMessage(command), signal));
      case 'get_snapshot': {
        const { jobId, leases } = command;
        const chosen = leases === undefined ? {} : { leases: leaseChoiceMessage(leases) };
        const answer = await this.#caller.call('GetJob', { jobId, ...chosen }, signal);
        return jobSnapshotFrom(requiredChild(answer, 'job'));
      }
      case 'get_checkpoint': {
        const answer = await this.#caller.call('GetCheckpoint', { jobId: command.jobId }, signal);
        return { type: 'checkpoint', bytes: bytes(answer, 'checkpoint') };
      }
      case 'share_stores':
        return sharedFrom(
          await this.#caller.call('ShareStores', shareStoresMessage(command), signal),
        );
      default:
        return unreachable(command);
    }
  }
}
