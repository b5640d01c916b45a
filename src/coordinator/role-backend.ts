/** What the services ask, answered by the writer while this process leads, else as a standby may. */
import { assert } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { committedPieces, type CoordinatorState, jobIds, step } from '../core/job/coordinator.ts';
import type { JobState } from '../core/job/job-state.ts';
import type { Command, CommittedPiece, JobSpec, Reply } from '../core/job/protocol.ts';
import type { JobId, ManifestHash, MonoMs, NodeId } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorView, Push } from '../ports/coordinator-client.ts';
import type { LeaderInfo } from '../ports/election.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { ManifestReader } from '../ports/manifest-store.ts';
import type { RpcMeter } from '../ports/rpc-meter.ts';
import type { CoordinatorBackend, ReadCommand } from '../wire/backend.ts';
import type { Leadership } from './leadership.ts';
import { CANDIDATES_WAIT_MS, PIECES_PER_CHUNK, QUEUE_COMMANDS_MAX } from './limits.ts';
import type { ManifestShelf } from './manifest-shelf.ts';
import type { PushHub } from './push-hub.ts';
import type { Writer } from './writer.ts';

export interface RoleBackendOptions {
  readonly leadership: Leadership;
  readonly shelf: ManifestShelf;
  readonly hub: PushHub;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly address: () => string;
  readonly version: string;
  /** Requests that wait while the lead changes hands; further ones are told to go on. Default: a full queue. */
  readonly holdRequestsMax?: number;
  /** Where this process shows its page; null or absent where it shows none. */
  readonly webUrl?: () => string | null;
  /** Measures calls. Default: nobody. */
  readonly meter?: RpcMeter;
}

const UNMEASURED: RpcMeter = { started: () => () => undefined };

export class RoleBackend implements CoordinatorBackend {
  readonly #options: RoleBackendOptions;
  /** Who leads now that this process has resigned and is about to end. */
  #handedOverTo: LeaderInfo | null = null;
  /** Set while this process hands over; resolves when it is known to whom, or given up. */
  #handOver: PromiseWithResolvers<void> | null = null;
  #refusal: {
    readonly address: string | null;
    readonly storeFailure: string;
    readonly error: Mx8Error;
  } | null = null;
  /** Requests that wait for one of these moments to pass. */
  #held = 0;

  constructor(options: RoleBackendOptions) {
    this.#options = options;
  }

  get meter(): RpcMeter {
    return this.#options.meter ?? UNMEASURED;
  }

  async coordinator(): Promise<CoordinatorView> {
    const { leadership, address, clock, version, webUrl } = this.#options;
    const { candidates, storeError } = await this.#candidates();
    await this.#confirmLead();
    const { view } = leadership;
    const serverUnixMs = clock.unixMs();
    return {
      ...view,
      leader: this.#leader,
      address: address(),
      candidates,
      storeError,
      serverUnixMs,
      version,
      webUrl: webUrl?.() ?? null,
    };
  }

  /** A store that is away is said to be, instead of waited for: this process runs, and can say so. */
  async #candidates(): Promise<Pick<CoordinatorView, 'candidates' | 'storeError'>> {
    const { leadership, clock } = this.#options;
    const answered = new AbortController();
    const tooLate = clock.sleep(CANDIDATES_WAIT_MS, answered.signal).then(() => {
      const silence = `no answer within ${CANDIDATES_WAIT_MS} ms`;
      return { candidates: [], storeError: leadership.storeFailure || silence };
    });
    tooLate.catch(() => undefined);
    const asked = leadership.candidates().then(
      (candidates) => ({ candidates, storeError: '' }),
      (error: unknown) => {
        if (!(error instanceof Mx8Error) || !error.retryable) throw error;
        return { candidates: [], storeError: error.message };
      },
    );
    try {
      return await Promise.race([asked, tooLate]);
    } finally {
      answered.abort();
    }
  }

  submit(command: Command): Promise<Reply> {
    return this.#options.leadership.writer?.submit(command) ?? this.#submitLater(command);
  }

  async #submitLater(command: Command): Promise<Reply> {
    const { leadership, holdRequestsMax = QUEUE_COMMANDS_MAX } = this.#options;
    // Whoever asks in these moments is answered, or told where to go, instead of to try again somewhere.
    const moment = leadership.taking ?? this.#handOver?.promise;
    if (moment !== undefined && this.#held < holdRequestsMax) {
      this.#held += 1;
      await moment.finally(() => {
        this.#held -= 1;
      });
    }
    // Handed on, not thrown: that alone would cost as much as all the rest of a refusal.
    return leadership.writer?.submit(command) ?? Promise.reject(this.notLeader());
  }

  /** After it this process says that it leads only if it did so when it was asked. */
  async #confirmLead(): Promise<void> {
    const { leadership } = this.#options;
    const { writer } = leadership;
    try {
      await writer?.confirm();
    } catch (error) {
      if (leadership.writer === writer) throw error;
    }
  }

  /** From now on what this process may no longer answer waits for `handedOver`. */
  beginHandOver(): void {
    this.#handOver ??= Promise.withResolvers<void>();
  }

  /** Null when nobody took over in time. */
  handedOver(to: LeaderInfo | null): void {
    this.#handedOverTo = to;
    this.#handOver?.resolve();
  }

  async read(command: ReadCommand): Promise<Reply> {
    const { leadership, clock } = this.#options;
    if (leadership.writer !== null) return leadership.writer.submit(command);
    if (!leadership.state.jobs.has(command.jobId)) throw this.notLeader();
    const position = { epoch: 0, seq: 0, nextIndex: 0 };
    const context = { nowMs: clock.nowMs(), nowUnixMs: 0, ...position, relief: 'off' as const };
    const { reply, records } = step(leadership.state, command, context);
    assert(records.length === 0, 'a read changes nothing');
    return reply;
  }

  async look<T>(jobId: JobId, see: (job: JobState, nowMs: MonoMs) => T): Promise<T> {
    const { leadership, clock } = this.#options;
    const seen = (state: CoordinatorState, nowMs: MonoMs): { readonly value: T } | null => {
      const job = state.jobs.get(jobId);
      return job === undefined ? null : { value: see(job, nowMs) };
    };
    const { writer } = leadership;
    const found = await (writer?.read(seen) ?? seen(leadership.state, clock.nowMs()));
    if (found !== null) return found.value;
    if (writer === null) throw this.notLeader();
    throw new Mx8Error('job_unknown', `this coordinator runs no job "${jobId}"`);
  }

  subscribe(jobId: JobId, nodeId: NodeId, listener: (push: Push) => void): () => void {
    return this.#options.hub.subscribe(jobId, nodeId, listener);
  }

  async jobIds(): Promise<readonly JobId[]> {
    return this.#writer.read(jobIds);
  }

  jobSpec(jobId: JobId): JobSpec | null {
    return this.#options.leadership.state.jobs.get(jobId)?.spec ?? null;
  }

  /** Manifests never change: whoever knows the job can answer. */
  async manifest(jobId: JobId, hash: ManifestHash): Promise<ManifestReader> {
    const spec = this.jobSpec(jobId);
    if (spec === null && this.#options.leadership.writer === null) throw this.notLeader();
    return this.#options.shelf.ofJob(jobId, spec, hash);
  }

  async *committedPieces(jobId: JobId): AsyncIterable<readonly CommittedPiece[]> {
    for (let after = -1; ;) {
      const from = after;
      const pieces = await this.#writer.read((state) =>
        state.jobs.has(jobId) ? committedPieces(state, jobId, from, PIECES_PER_CHUNK) : null,
      );
      if (pieces === null) {
        throw new Mx8Error('job_unknown', `this coordinator runs no job "${jobId}"`);
      }
      const last = pieces.at(-1);
      if (last === undefined) return;
      yield pieces;
      after = last.start;
    }
  }

  nowUnixMs(): number {
    return this.#options.clock.unixMs();
  }

  onInternalError(error: Mx8Error): void {
    const stack = error.cause instanceof Error ? (error.cause.stack ?? '') : '';
    this.#options.events.emit('error', 'call_failed', { message: error.message, stack });
  }

  get #writer(): Writer {
    const { writer } = this.#options.leadership;
    if (writer === null) throw this.notLeader();
    return writer;
  }

  get #leader(): LeaderInfo | null {
    return this.#handedOverTo ?? this.#options.leadership.view.leader;
  }

  /**
   * Why what mutates is not done here, and who does it. Thousands of requests may be refused in one moment,
   * and an error takes its time to make.
   */
  notLeader(): Mx8Error {
    const address = this.#leader?.address ?? null;
    const { storeFailure } = this.#options.leadership;
    const last = this.#refusal;
    if (last?.address === address && last.storeFailure === storeFailure) return last.error;
    const error = refusal(address, storeFailure);
    this.#refusal = { address, storeFailure, error };
    return error;
  }
}

function refusal(address: string | null, storeFailure: string): Mx8Error {
  const what = 'not leader for mutating operation';
  if (address === null) {
    const why =
      storeFailure === '' ? '' : `: the store of the state does not answer (${storeFailure})`;
    return new Mx8Error('not_leader', `${what}; no leader is known yet${why}`);
  }
  const message = `${what}; the leader is at ${address}`;
  return new Mx8Error('not_leader', message, { leader: address });
}
