/** The samples of leases that a coordinator grants this process. */
import { must } from '../core/base/assert.ts';
import { Mx8Error, isErrorCode } from '../core/base/errors.ts';
import type { JobSpec, Lease, NodeCaps, NodeStats } from '../core/job/protocol.ts';
import { parseLink } from '../core/manifest/dataset-link.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { NodeOutcome } from '../core/node/holder-protocol.ts';
import { warnProgram } from '../platform/warning.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorClient, NodeIdentity } from '../ports/coordinator-client.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { Places } from '../ports/place.ts';
import type { StoreSharer } from '../ports/store-sharer.ts';
import { classesOf } from '../snapshots/index.ts';
import { ownShare, withClasses } from './data-info.ts';
import { LeaseProgress } from './lease-progress.ts';
import { LEASE_RECORDS_PER_FETCH, LEAVE_WAIT_MS } from './limits.ts';
import { NodeSession } from './node-session.ts';
import type { JobOptions } from './options.ts';
import type { OpenedData, RecordSource, StreamPiece } from './source.ts';

export interface JobSourceOptions {
  readonly link: string;
  readonly job: JobOptions;
  readonly batchSize: number;
  readonly client: CoordinatorClient;
  readonly node: NodeIdentity;
  readonly caps: NodeCaps;
  readonly clock: Clock;
  readonly events: EventSink;
  /** Seeds the jitter of retries. */
  readonly jitterSeed: number;
  readonly stats: () => NodeStats;
  readonly stores: StoreSharer;
  /** Opens the stores; the source closes what it opened. */
  readonly openPlaces: () => Places;
}

export class JobSource implements RecordSource {
  /** They are those of leases, which are not taken before they are needed. */
  readonly recordsAhead: number = 0;
  /** A batch that held samples of two leases could be finished for neither. */
  readonly cutsAtChunks: boolean = true;
  readonly #options: JobSourceOptions;
  readonly #session: NodeSession;
  readonly #progress: LeaseProgress = new LeaseProgress();
  readonly #started: Lease[] = [];
  readonly #registered: PromiseWithResolvers<JobSpec> = Promise.withResolvers();
  readonly #ended: PromiseWithResolvers<NodeOutcome> = Promise.withResolvers();
  #spec: JobSpec | null = null;
  #outcome: NodeOutcome | null = null;
  #wake: () => void = () => undefined;
  readonly #fetching: AbortController = new AbortController();
  #isOpen: boolean = false;
  #hadLeases: boolean = false;

  constructor(options: JobSourceOptions) {
    this.#options = options;
    const { client, node, caps, job, clock, events, stats, stores } = options;
    this.#registered.promise.catch(() => undefined);
    this.#session = new NodeSession({
      client,
      node,
      caps,
      clock,
      events,
      stats,
      stores,
      resumeFrom: job.resumeFrom,
      holder: {
        want: job.want,
        progressIntervalMs: job.progressIntervalMs,
        finalizes: false,
        nodeIdBusyMaxMs: null,
        seed: options.jitterSeed,
      },
      onRegistered: ({ spec }) => this.#onRegistered(spec),
      onLease: (lease) => this.#onLease(lease),
      onLeaseLost: (leaseId) => this.#progress.lost(leaseId),
      onEnded: (outcome) => this.#onEnded(outcome),
    });
  }

  get disconnects(): number {
    return this.#session.disconnects;
  }

  get listedSamples(): number {
    return this.#spec?.sampleCount ?? 0;
  }

  async open(signal: AbortSignal): Promise<OpenedData> {
    signal.throwIfAborted();
    const onAbort = (): void => this.#registered.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#isOpen = true;
    this.#session.start();
    const spec = await this.#registered.promise;
    signal.removeEventListener('abort', onAbort);
    this.#checkSpec(spec);
    const { manifestHash, sampleCount } = spec;
    const { events, batchSize } = this.#options;
    const facts = { manifestHash, sampleCount, ...ownShare(null, batchSize) };
    const read = (): Promise<readonly string[]> => this.#classes(spec, signal);
    const info = await withClasses(facts, read, { events, signal });
    return { pinned: Promise.resolve(info) };
  }

  /** Their names lie beside the data; where those are is what the coordinator's manifest says. */
  async #classes(spec: JobSpec, signal: AbortSignal): Promise<readonly string[]> {
    const { client, openPlaces } = this.#options;
    const { jobId, manifestHash, sampleCount } = spec;
    if (sampleCount === 0) return [];
    const [first] = await client.manifestRecords(jobId, manifestHash, 0, 1, signal);
    const places = openPlaces();
    try {
      return await classesOf(first?.location ?? '', places);
    } finally {
      await places.close();
    }
  }

  async *records(): AsyncGenerator<readonly SampleRecord[], void, undefined> {
    for (;;) {
      const lease = this.#started.shift();
      if (lease !== undefined) {
        yield* this.#recordsOf(lease);
        continue;
      }
      if (this.#outcome !== null) {
        throwIfFailed(this.#outcome, this.#options.job.jobId);
        if (!this.#hadLeases && !this.#fetching.signal.aborted) this.#sayNothing(this.#outcome);
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  admits(piece: StreamPiece): boolean {
    return this.#progress.admits(piece);
  }

  finished(piece: StreamPiece): void {
    const advance = this.#progress.finished(piece);
    if (advance === null) return;
    const { leaseId, cursor, samples, bytes } = advance;
    this.#session.delivered(leaseId, cursor, samples, bytes);
  }

  checkpoint(): string {
    throw new Mx8Error(
      'load_options_invalid',
      `The coordinator keeps the position of job ${this.#options.job.jobId}: start the loader again with the same job, without a checkpoint, to go on.`,
    );
  }

  async close(): Promise<void> {
    this.#fetching.abort(new Mx8Error('loader_closed', 'This loader is closed.'));
    if (this.#isOpen && this.#outcome === null) await this.#leave();
    await this.#options.client.close();
  }

  /** The last reports and the leases get a moment to reach the coordinator; they expire otherwise. */
  async #leave(): Promise<void> {
    this.#session.wind();
    const tooLate = Promise.withResolvers<void>();
    const timer = this.#options.clock.setTimer(LEAVE_WAIT_MS, () => tooLate.resolve());
    await Promise.race([this.#ended.promise, tooLate.promise]);
    timer.clear();
    this.#session.cut();
    this.#onEnded({ type: 'stopped' });
  }

  async *#recordsOf(lease: Lease): AsyncGenerator<readonly SampleRecord[], void, undefined> {
    const { client, job, batchSize } = this.#options;
    const { manifestHash } = must(this.#spec, 'a lease is granted after registering');
    // Whole batches, so that fetching in parts does not end batches early.
    const batches = Math.max(1, Math.floor(LEASE_RECORDS_PER_FETCH / batchSize));
    const { end } = lease.range;
    let next: number;
    for (let start = lease.cursor; start < end; start = next) {
      next = Math.min(end, start + batches * batchSize);
      if (!this.#progress.isLive(lease.leaseId)) return;
      const { signal } = this.#fetching;
      const records = await client
        .manifestRecords(job.jobId, manifestHash, start, next, signal)
        .catch((error: unknown) => {
          if (this.#progress.isLive(lease.leaseId)) throw error;
          return [];
        });
      if (!this.#progress.isLive(lease.leaseId)) return;
      this.#progress.append(lease.leaseId, start, records.length);
      yield records;
    }
  }

  /** A loop that ends before it began looks like an epoch that was trained. */
  #sayNothing(outcome: NodeOutcome): void {
    const { job, events } = this.#options;
    const { jobId } = job;
    const { type } = outcome;
    if (type !== 'completed' && type !== 'drained') return;
    const samples = this.#spec?.sampleCount ?? 0;
    events.emit('warn', 'job_gave_no_batch', { job_id: jobId, job: type, samples });
    const why =
      type === 'completed'
        ? `job ${jobId} is complete: all of its ${samples} samples were read before this process was given any. A job is one pass over the data; for the next one submit another job`
        : `this process was to leave job ${jobId} before it was given any of its samples, as it or the job was drained; mx8 resume lets a drained job go on`;
    warnProgram(`load() has no batch: ${why}.`);
  }

  #onRegistered(spec: JobSpec): void {
    this.#spec = spec;
    this.#registered.resolve(spec);
  }

  #onLease(lease: Lease): void {
    this.#hadLeases = true;
    this.#progress.started(lease.leaseId);
    this.#started.push(lease);
    this.#wake();
  }

  #onEnded(outcome: NodeOutcome): void {
    this.#outcome ??= outcome;
    this.#ended.resolve(outcome);
    try {
      throwIfFailed(outcome, this.#options.job.jobId);
    } catch (error) {
      this.#registered.reject(error);
    }
    this.#wake();
  }

  #checkSpec(spec: JobSpec): void {
    if (spec.commitsOutputs) {
      throw new Mx8Error(
        'job_commits_outputs',
        `Job ${spec.jobId} commits the outputs of its own process(): run mx8 agent for it, or create a job without outputs to read leases with load().`,
      );
    }
    const link = parseLink(this.#options.link);
    if (link.type !== 'pinned' || link.hash === spec.manifestHash) return;
    throw new Mx8Error(
      'load_options_invalid',
      `load(): the link pins manifest ${link.hash}, but job ${spec.jobId} reads manifest ${spec.manifestHash}. Give the link that the job was made with.`,
      { option: 'link', link: link.hash, job: spec.manifestHash },
    );
  }
}

function throwIfFailed(outcome: NodeOutcome, jobId: string): void {
  if (outcome.type !== 'failed') return;
  const code = isErrorCode(outcome.code) ? outcome.code : 'job_failed';
  throw new Mx8Error(code, `Job ${jobId}: ${outcome.message}`);
}
