/**
 * The reading of one data set, once through: opens the source, runs the pipeline over its records, and
 * hands the batches out. Whatever ends it, `close` lets go of everything but the batches that the
 * consumer has kept.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { LeavingIterator } from '../pipeline/leaving-iterator.ts';
import { rssCapFields } from '../core/memory/rss-cap.ts';
import type { RssCapSource } from '../core/memory/rss-cap.ts';
import { openPipeline } from '../pipeline/index.ts';
import type { Pipeline, PipelineStats, SampleBatch } from '../pipeline/index.ts';
import { collectionWhileStalled } from '../platform/collect-garbage.ts';
import { RssGuard } from '../platform/rss.ts';
import { warnProgram } from '../platform/warning.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { Places } from '../ports/place.ts';
import { sayingWhenKept } from './kept-stall.ts';
import { LoadedBatch } from './loaded-batch.ts';
import type { Batch } from './loaded-batch.ts';
import type { CompiledOptions, LoadOptions } from './options.ts';
import { NO_PIPELINE_STATS } from './stats.ts';
import { classFolderOf } from './class-folders.ts';
import type { DataInfo } from './data-info.ts';
import type { OpenedData, RecordSource, StreamPiece } from './source.ts';

export interface LoaderStats extends PipelineStats {
  /** Highest resident memory of this process so far, its cap, and where the cap comes from. */
  readonly rssHighWaterBytes: number;
  readonly rssCapBytes: number;
  readonly rssCapSource: RssCapSource;
  /** True while reading ahead is held back because memory is short. */
  readonly throttled: boolean;
  /** How often the way to the coordinator broke; 0 without one. */
  readonly disconnects: number;
  /** Samples that are known so far, and the hash of the manifest once all are: null until the data are pinned. */
  readonly listedSamples: number;
  readonly manifestHash: string | null;
}

export interface Loader extends AsyncIterable<Batch>, AsyncDisposable, Disposable {
  /**
   * Resolves the link and pins the data; the first batch does it otherwise. With `streaming` batches do not wait
   * for it: it tells when all is listed, as what.
   */
  open(): Promise<DataInfo>;
  /**
   * Names of the classes by label id; empty until the loader is open, and for data without. Throws why they cannot be read
   * where they cannot.
   */
  readonly classes: readonly string[];
  stats(): LoaderStats;
  /**
   * Text to go on with after the batch that was handed out last: `load(link, { …, resume })`. Refused
   * with `load_options_invalid` for a job, whose position its coordinator keeps.
   */
  checkpoint(): string;
  /**
   * Lets go of everything; batches that were kept stay valid. Threads that read small files hold nothing
   * any more, rest for a few seconds in case another loader is opened, and then end.
   */
  close(): Promise<void>;
}

export interface LoaderParts {
  readonly link: string;
  readonly compiled: CompiledOptions;
  readonly onSampleError: LoadOptions['onSampleError'];
  readonly signal: AbortSignal | undefined;
  readonly source: RecordSource;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly openPlaces: () => Places;
}

export class RunningLoader implements Loader {
  readonly #parts: LoaderParts;
  readonly #stop: AbortController = new AbortController();
  readonly #guard: RssGuard;
  readonly #onAbort = (): void => this.#stop.abort(this.#parts.signal?.reason);
  /** Pieces whose kept batches were forgotten: nobody can be working on them any more. */
  readonly #forgotten: FinalizationRegistry<StreamPiece>;
  #pipeline: Pipeline | null = null;
  /** The batch that the consumer has and did not ask to go on from. */
  #current: LoadedBatch | null = null;
  #info: DataInfo | null = null;
  #opening: Promise<OpenedData> | null = null;
  #closing: Promise<void> | null = null;
  #begun: boolean = false;
  /** Whether the program was told, or need not be, why there are no labels. */
  #knowsLabels: boolean = false;
  #takenEnd: number = 0;

  constructor(parts: LoaderParts) {
    this.#parts = parts;
    const { compiled, clock, events, source } = parts;
    this.#guard = new RssGuard({
      capBytes: compiled.rssCap.capBytes,
      clock,
      events,
      knobs: () => ({ ...compiled, want: compiled.job?.want ?? null }),
      onBreach: (error) => this.#stop.abort(error),
    });
    this.#forgotten = new FinalizationRegistry((piece) => source.finished(piece));
  }

  get classes(): readonly string[] {
    return this.#info?.classes ?? [];
  }

  stats(): LoaderStats {
    const { rssCap } = this.#parts.compiled;
    return {
      ...(this.#pipeline?.stats() ?? NO_PIPELINE_STATS),
      rssHighWaterBytes: this.#guard.highWaterBytes,
      rssCapBytes: rssCap.capBytes,
      rssCapSource: rssCap.source,
      throttled: this.#guard.isThrottled,
      disconnects: this.#parts.source.disconnects,
      listedSamples: this.#parts.source.listedSamples,
      manifestHash: this.#info?.manifestHash ?? null,
    };
  }

  checkpoint(): string {
    return this.#parts.source.checkpoint(this.#takenEnd);
  }

  async open(): Promise<DataInfo> {
    const { pinned } = await this.#ready();
    return pinned;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.dispose](): void {
    // Nobody waits for it; what could go wrong in closing has been read already.
    this.close().catch(() => undefined);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Batch, void, undefined> {
    if (this.#begun || this.#closing !== null) throw closedError();
    this.#begun = true;
    return new LeavingIterator({
      next: () => this.#next(),
      leave: () => {
        this.#current?.abandon();
        return this.close();
      },
    });
  }

  #ready(): Promise<OpenedData> {
    if (this.#closing !== null) return Promise.reject(closedError());
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<OpenedData> {
    const { compiled, events, signal, source } = this.#parts;
    if (compiled.rssCap.derived)
      events.emit('info', 'rss_cap_defaulted', rssCapFields(compiled.rssCap));
    if (signal?.aborted === true) this.#onAbort();
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#guard.start();
    this.#stop.signal.throwIfAborted();
    const opened = await source.open(this.#stop.signal);
    // What goes wrong is heard of by who asks for it, or for batches.
    const noted = opened.pinned.then((info) => (this.#info = info));
    noted.catch(() => undefined);
    this.#stop.signal.throwIfAborted();
    return { pinned: noted };
  }

  #next(): Promise<Batch | null> | Batch | null {
    this.#current?.passOn();
    this.#current = null;
    return this.#pipeline === null ? this.#first() : this.#following(this.#pipeline);
  }

  async #first(): Promise<Batch | null> {
    await this.#ready();
    return this.#following(this.#startPipeline());
  }

  /** The next batch with something to be seen in it; without a promise where nobody has to wait for it. */
  #following(pipeline: Pipeline): Promise<Batch | null> | Batch | null {
    for (;;) {
      const taking = pipeline.take();
      if (taking instanceof Promise) return this.#later(pipeline, taking);
      if (taking === null) return null;
      this.#current = this.#handOut(taking);
      if (this.#current !== null) return this.#current;
    }
  }

  async #later(pipeline: Pipeline, taking: Promise<SampleBatch | null>): Promise<Batch | null> {
    // A loop, as each call that waits for another would stay as long as nothing is to be seen.
    for (let read = await taking; read !== null; read = await pipeline.take()) {
      this.#current = this.#handOut(read);
      if (this.#current !== null) return this.#current;
    }
    return null;
  }

  #startPipeline(): Pipeline {
    const { compiled, onSampleError, source, clock, openPlaces } = this.#parts;
    this.#pipeline = openPipeline({
      records: source.records(),
      batchSize: compiled.batchSize,
      maxInflightBytes: compiled.maxInflightBytes,
      prefetchBatches: compiled.prefetchBatches,
      maxQueueBatches: compiled.maxQueueBatches,
      cutAtChunks: source.cutsAtChunks,
      recordsAhead: source.recordsAhead,
      signal: this.#stop.signal,
      clock,
      openPlaces,
      gate: this.#guard,
      onStall: sayingWhenKept(collectionWhileStalled(clock), clock, () => this.#sayKept()),
      ...(onSampleError === undefined ? {} : { onSampleError }),
    });
    return this.#pipeline;
  }

  #sayKept(): void {
    const { events, compiled } = this.#parts;
    const { maxInflightBytes } = compiled;
    events.emit('warn', 'kept_batches_hold_memory', { max_inflight_bytes: maxInflightBytes });
    warnProgram(
      `load() waits for memory: batches that the program keeps hold all ${maxInflightBytes} bytes of maxInflightBytes. Release them (batch.release()), or raise it.`,
    );
  }

  /** Who looks at labels and finds none is told where they could come from: once, by what is looked at first. */
  #sayLabels({ labelIds, records }: SampleBatch): void {
    if (this.#knowsLabels) return;
    this.#knowsLabels = true;
    const [first] = records;
    if (first === undefined || labelIds.some((id) => id !== -1)) return;
    const { events, link } = this.#parts;
    const folder = classFolderOf(link, first);
    if (folder === null) return;
    const { base, name } = folder;
    events.emit('warn', 'labels_missing', { base, folder: name });
    warnProgram(
      `labelIds are -1, as the manifest of a bare folder says nothing of classes. If the folders in ${base} (such as ${JSON.stringify(name)}) are classes, pack it to have labels: mx8 pack ${base} --out PACKED, and load PACKED.`,
    );
  }

  /** The batch for the consumer, or null when there is none to be seen in it. */
  #handOut(read: SampleBatch): LoadedBatch | null {
    const { source } = this.#parts;
    const bytes = read.payloadBytes;
    const samples = read.sampleCount;
    const piece = { start: this.#takenEnd, end: read.streamEnd, samples, bytes };
    this.#takenEnd = read.streamEnd;
    if (!source.admits(piece)) {
      read.release();
      return null;
    }
    if (samples === 0) {
      // Every sample of it was skipped, as the caller decided.
      read.release();
      source.finished(piece);
      return null;
    }
    return new LoadedBatch(read, {
      labelsRead: this.#knowsLabels ? null : (of) => this.#sayLabels(of),
      // One that is not kept cannot be forgotten: this loader has it until it is passed on.
      kept: (memory) => this.#forgotten.register(memory, piece, piece),
      finished: (wasKept) => {
        if (wasKept) this.#forgotten.unregister(piece);
        source.finished(piece);
      },
    });
  }

  async #close(): Promise<void> {
    const { signal, source } = this.#parts;
    signal?.removeEventListener('abort', this.#onAbort);
    this.#guard.stop();
    this.#stop.abort(closedError());
    // An opening that is cut short fails for whoever asked for it.
    await this.#opening?.catch(() => undefined);
    const closed = await Promise.allSettled([this.#pipeline?.close(), source.close()]);
    for (const result of closed) if (result.status === 'rejected') throw result.reason;
  }
}

function closedError(): Mx8Error {
  return new Mx8Error(
    'loader_closed',
    'This loader is closed or has been gone through already. Make a new one with load().',
  );
}
