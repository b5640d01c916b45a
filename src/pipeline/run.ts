/**
 * Runs a pipeline: one loop plans and begins batches as the caps allow, the consumer takes them in
 * order. Each batch holds one slab from before it is read until it is released. However it ends — the
 * source's end, a failure, cancelling, or the consumer going away — `close` is the one way out, and
 * when it resolves nothing is left but the batches the consumer has not released.
 */
import { assert } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { batchLimits } from '../core/memory/batch-sizer.ts';
import type { ReadResult } from '../storage/read-job.ts';
import type { FilledSlab } from '../storage/reader-threads.ts';
import type { SampleReader } from '../storage/sample-reader.ts';
import { assemble } from './assemble.ts';
import type { SlabBatch } from './batch.ts';
import type {
  Pipeline,
  PipelineOptions,
  PipelineStats,
  ReadAhead,
  SampleBatch,
} from './contract.ts';
import { LeavingIterator } from './leaving-iterator.ts';
import { Lineup } from './lineup.ts';
import type { InLine } from './lineup.ts';
import { OwnBatches } from './own-batches.ts';
import { OwnReads } from './own-reads.ts';
import { Planner, placeIn } from './planner.ts';
import { RecordQueue } from './record-queue.ts';
import { SlabPool } from './slab-pool.ts';
import type { Slab } from './slab-pool.ts';
import { WaitMeter } from './wait-meter.ts';
import { Wake } from './wake.ts';

export interface RunOptions extends PipelineOptions {
  readonly reader: SampleReader;
  /** Whether the reader ends with this pipeline. */
  readonly ownsReader: boolean;
}

export class PipelineRun implements Pipeline {
  readonly #options: RunOptions;
  readonly #queue: RecordQueue;
  readonly #planner: Planner;
  readonly #lineup: Lineup = new Lineup();
  readonly #slabs: SlabPool;
  readonly #wake: Wake = new Wake();
  readonly #own: OwnReads;
  readonly #ownBatches: OwnBatches;
  readonly #reads: Set<Promise<void>> = new Set();
  readonly #consumerWait: WaitMeter;
  readonly #backpressureWait: WaitMeter;
  readonly #onRead = (): void => this.#wake.ring();
  readonly #onFailure = (error: unknown): void => this.#fail(error);
  readonly #onAbort = (): void => this.#fail(this.#options.signal?.reason);
  #unsubscribe: () => void = () => undefined;
  #state: 'new' | 'open' | 'drained' | 'closed' = 'new';
  #failure: { readonly error: unknown } | null = null;
  #closing: Promise<void> | null = null;
  #streamEnd: number = 0;
  /** Whether a batch is being planned, or waits for its slab. */
  #isAdmitting: boolean = false;
  #delivered = { batches: 0, samples: 0, bytes: 0, skipped: 0 };

  constructor(options: RunOptions) {
    this.#options = options;
    this.#queue = new RecordQueue(options);
    const limits = batchLimits(options.batchSize, options.maxInflightBytes);
    this.#planner = new Planner(this.#queue, limits, options.reader, () => !this.#isClosed());
    this.#slabs = new SlabPool(options.maxInflightBytes, () => this.#changed());
    this.#own = new OwnReads(options.clock, () => this.#wake.ring());
    this.#consumerWait = new WaitMeter(options.clock);
    this.#backpressureWait = new WaitMeter(options.clock);
    this.#ownBatches = new OwnBatches({
      planner: this.#planner,
      lineup: this.#lineup,
      slabs: this.#slabs,
      reader: options.reader,
      wait: this.#consumerWait,
      cutBack: (batch, count) => this.#cutBack(batch, count),
      begun: (batch, slab, filling) => this.#begun(batch, slab, filling),
    });
  }

  stats(): PipelineStats {
    const ready = Math.min(this.#lineup.readyCount, this.#ahead.maxQueueBatches);
    const unread = this.#lineup.unreadCount;
    return {
      inflightBytes: this.#slabs.heldBytes,
      inflightBytesHighWater: this.#slabs.heldBytesHighWater,
      fetchQueueDepth: unread,
      decodeQueueDepth: this.#lineup.length - unread - ready,
      packQueueDepth: ready,
      deliveredBatches: this.#delivered.batches,
      deliveredSamples: this.#delivered.samples,
      deliveredBytes: this.#delivered.bytes,
      skippedSamples: this.#delivered.skipped,
      consumerWaitMs: this.#consumerWait.totalMs,
      backpressureWaitMs: this.#backpressureWait.totalMs,
    };
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<SampleBatch, void, undefined> {
    if (this.#state !== 'new') throw closedError();
    this.#state = 'open';
    return new LeavingIterator({
      start: () => this.#open(),
      next: () => this.#next(),
      leave: () => this.close(),
    });
  }

  take(): Promise<SampleBatch | null> | SampleBatch | null {
    if (this.#state === 'new') {
      this.#state = 'open';
      this.#open();
    }
    return this.#next();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #open(): void {
    const { signal, gate } = this.#options;
    if (this.#isClosed()) return;
    if (signal?.aborted === true) {
      this.#fail(signal.reason);
      return;
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#unsubscribe = gate?.subscribe(() => this.#wake.ring()) ?? this.#unsubscribe;
    this.#admit().catch((error: unknown) => this.#fail(error));
  }

  /** There may be room for another batch: of no interest to anybody while they are left to the consumer. */
  #changed(): void {
    if (!this.#own.isLeft) this.#wake.ring();
  }

  // ---- the loop that begins batches --------------------------------------------------------------

  async #admit(): Promise<void> {
    for (;;) {
      if (!this.#hasRoom()) await this.#untilRoom();
      if (this.#isClosed()) return;
      this.#isAdmitting = true;
      const planning = this.#planner.next();
      const plan = planning instanceof Promise ? await planning : planning;
      if (this.#isClosed()) return;
      if (plan === null) {
        this.#isAdmitting = false;
        // A batch still being read may send records back.
        if (this.#lineup.unreadCount === 0) break;
        await this.#wake.wait();
        continue;
      }
      const batch = this.#lineup.add(plan);
      const taking = this.#slabs.take(plan.slabBytes);
      const slab = taking instanceof Promise ? await this.#untilSlab(taking) : taking;
      this.#isAdmitting = false;
      if (slab === null) return;
      if (batch.state === 'void' || this.#isClosed()) this.#slabs.release(slab);
      else {
        placeIn(this.#slabs, slab, plan);
        this.#begun(batch, slab, this.#options.reader.fill(plan.job, slab.buffer));
      }
      // A consumer that waits may make the read itself, or the next one if this is not to be read any more.
      this.#wake.ring();
    }
    this.#state = 'drained';
    this.#wake.ring();
  }

  async #untilSlab(taking: Promise<Slab | null>): Promise<Slab | null> {
    this.#backpressureWait.start();
    // A consumer that waits already may be the one who holds the memory.
    this.#wake.ring();
    const slab = await taking;
    this.#backpressureWait.stop();
    return slab;
  }

  get #ahead(): ReadAhead {
    return this.#options.aheadNow?.() ?? this.#options;
  }

  /** Whether another batch may be read ahead. */
  #hasRoom(): boolean {
    if (this.#own.isLeft) return false;
    const { gate, reader } = this.#options;
    const { maxQueueBatches } = this.#ahead;
    const prefetchBatches = Math.min(this.#ahead.prefetchBatches, reader.jobsUseful);
    const { length, readCount } = this.#lineup;
    // Batches that are read but find the queue full keep their place among the prefetched.
    const prefetching = length - Math.min(readCount, maxQueueBatches);
    return prefetching < prefetchBatches && (length === 0 || gate?.mayAdmit() !== false);
  }

  async #untilRoom(): Promise<void> {
    while (!this.#isClosed() && !this.#hasRoom()) {
      const { length, readCount } = this.#lineup;
      const full = !this.#own.isLeft && length > 0 && readCount === length;
      if (full) this.#backpressureWait.start();
      await this.#wake.wait();
      this.#backpressureWait.stop();
    }
  }

  #begun(batch: InLine, slab: Slab, filling: Promise<FilledSlab>): void {
    batch.state = 'reading';
    const read = filling
      .then(
        ({ slab: buffer, result }) => {
          this.#reads.delete(read);
          this.#filled(batch, { slabId: slab.slabId, buffer }, result);
        },
        (error: unknown) => {
          this.#reads.delete(read);
          this.#slabs.lost(slab.slabId);
          throw error;
        },
      )
      .then(this.#onRead, this.#onFailure);
    this.#reads.add(read);
  }

  #filled(batch: InLine, slab: Slab, result: ReadResult | null): void {
    if (batch.state === 'void' || result === null || this.#isClosed()) {
      this.#slabs.release(slab);
      return;
    }
    const count = this.#planner.settle(batch.plan, result);
    if (count < batch.count) this.#cutBack(batch, count);
    if (count === 0) {
      this.#slabs.release(slab);
      return;
    }
    batch.state = 'read';
    batch.outcome = { slab, result };
  }

  #cutBack(batch: InLine, count: number): void {
    const { voided, stretches } = this.#lineup.cutBack(batch, count);
    this.#queue.putBack(stretches);
    for (const { outcome } of voided) if (outcome !== null) this.#slabs.release(outcome.slab);
  }

  // ---- the consumer ------------------------------------------------------------------------------

  #next(): Promise<SampleBatch | null> | SampleBatch | null {
    this.#own.asks();
    const batch = this.#takeNext();
    if (batch !== undefined) return batch;
    return (this.#own.mustTurn ? null : this.#readNext()) ?? this.#nextLater();
  }

  async #nextLater(): Promise<SampleBatch | null> {
    let endStall: (() => void) | undefined;
    try {
      for (;;) {
        if (this.#isStalled()) endStall ??= this.#beginStall();
        this.#consumerWait.start();
        await this.#somethingHappens();
        this.#consumerWait.stop();
        const ready = this.#takeNext();
        const batch = ready === undefined ? this.#readNext() : ready;
        if (batch !== undefined) return batch;
      }
    } finally {
      endStall?.();
    }
  }

  /** Between two reads of its own the consumer hears of those that others made, who get new ones then. */
  #somethingHappens(): Promise<void> {
    const { reader } = this.#options;
    if (reader.wouldReadNow) this.#own.leave();
    if (this.#mayRead()) {
      // Records may be here without a turn of the event loop, for each batch anew.
      return this.#ownBatches.isShort && !this.#own.mustTurn ? this.#records() : this.#own.turn();
    }
    const isReadBeside = reader.isBusy && this.#lineup.first?.state === 'reading';
    if (isReadBeside && this.#own.mayLook) return this.#own.look();
    const helped = reader.help();
    const mustTurn = helped && (reader.isBusy || this.#own.mustTurn);
    return mustTurn ? this.#own.turn() : this.#wake.wait();
  }

  /** The next batch's records, which the consumer plans itself. */
  #records(): Promise<void> {
    this.#isAdmitting = true;
    this.#planner.fill().then(() => {
      this.#isAdmitting = false;
      this.#wake.ring();
    }, this.#onFailure);
    return this.#wake.wait();
  }

  /** Whether the next batch is left to the consumer, and nothing comes before it. */
  #mayRead(): boolean {
    if (this.#lineup.length > 0) return this.#lineup.first?.state === 'left';
    return this.#own.isLeft && !this.#isAdmitting;
  }

  /** Reads the next batch here and now; undefined where it is not left to the consumer, or cannot be. */
  #readNext(): SlabBatch | undefined {
    if (!this.#mayRead() || this.#ownBatches.isShort) return undefined;
    const batch = this.#ownBatches.read();
    if (batch === null) this.#own.takeBack();
    return batch === null ? undefined : this.#deliver(batch);
  }

  /** The next batch, null at the end, undefined when there is none yet. */
  #takeNext(): SampleBatch | null | undefined {
    if (this.#failure !== null) throw this.#failure.error;
    if (this.#state === 'closed') throw closedError();
    const first = this.#lineup.takeFirst();
    if (first !== null) return this.#deliver(first);
    if (this.#state !== 'drained' || this.#lineup.length > 0) return undefined;
    assert(this.#streamEnd === this.#queue.pulledCount, 'every record was delivered or skipped');
    return null;
  }

  #deliver(first: InLine): SlabBatch {
    this.#changed();
    const { maxInflightBytes, onSampleError } = this.#options;
    const streamEnd = this.#streamEnd + first.count;
    const batch = assemble(first, streamEnd, {
      slabs: this.#slabs,
      maxInflightBytes,
      onSampleError,
    });
    this.#streamEnd = streamEnd;
    this.#delivered.batches += 1;
    this.#delivered.samples += batch.sampleCount;
    this.#delivered.bytes += batch.payloadBytes;
    this.#delivered.skipped += first.count - batch.sampleCount;
    this.#share();
    this.#own.gets();
    return batch;
  }

  /** Has others read beside the consumer, where that is the better way. */
  #share(): void {
    if (!this.#own.isShared || this.#isAdmitting) return;
    if (this.#options.gate?.mayAdmit() === false) return;
    this.#ownBatches.share(this.#ahead.prefetchBatches - 1);
  }

  /** A batch waits for memory while nothing is being read: the consumer itself holds it all. */
  #isStalled(): boolean {
    return this.#slabs.isWaitedFor && this.#reads.size === 0;
  }

  #beginStall(): (() => void) | undefined {
    // Nobody else may refer to this pipeline now: whoever calls back keeps it from being collected too.
    return this.#options.onStall?.(() => this.#wake.ring());
  }

  // ---- the end -----------------------------------------------------------------------------------

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    // Whoever waits hears of the failure; what goes wrong in closing is heard by who closes.
    this.close().catch(() => undefined);
    this.#wake.ring();
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#unsubscribe();
    this.#slabs.close();
    for (const { outcome } of this.#lineup.clear()) {
      if (outcome !== null) this.#slabs.release(outcome.slab);
    }
    this.#wake.ring();
    const reader = this.#options.ownsReader ? this.#options.reader.close() : undefined;
    const [source] = await Promise.allSettled([this.#queue.close(), reader, ...this.#reads]);
    if (source.status === 'rejected') throw source.reason;
  }
}

function closedError(): Mx8Error {
  return new Mx8Error(
    'loader_closed',
    'This reading of the data has ended or has begun already, and it can be gone through only once.',
  );
}
