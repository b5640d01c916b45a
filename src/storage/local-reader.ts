/**
 * Reads samples of local files and packed shards into slabs. Few large calls go through Node's thread
 * pool, which costs nothing to start. Many small ones (loose files, scattered records) go to reader
 * threads, once there have been so many that starting the threads pays. And whoever has to wait for a
 * batch may `help`: it then makes a read itself that would otherwise wait for its turn.
 */
import { close as closeFd } from 'node:fs';

import { assert } from '../core/base/assert.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { MonoMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import { driveAsync } from './drive-async.ts';
import { driveSyncWhile } from './drive-sync.ts';
import { GAP_BYTES_MAX } from './fill-extents.ts';
import { fill, measure } from './fill.ts';
import { shapeOf } from './job-shape.ts';
import type { JobShape } from './job-shape.ts';
import { LocalDisks } from './local-disks.ts';
import { OpenShards } from './open-shards.ts';
import type { ReadJob, ReadResult } from './read-job.ts';
import { ReaderThreads } from './reader-threads.ts';
import type { FilledSlab } from './reader-threads.ts';
import { GIVE_UP_MS, ShortReads } from './short-reads.ts';

/** Starting a thread takes as long as about this many calls through the pool. */
const CALLS_BEFORE_THREADS = 3_000;
/** A job of fewer calls is as cheap in the pool. */
const CALLS_OF_THREAD_JOB_MIN = 16;
/** More than these at a time only push each other out of the pool's threads and their caches. */
const POOL_JOBS_MAX = 2;
/** One that it reads, and some that it need not wait for while this thread is busy with a read. */
const JOBS_PER_THREAD = 4;
/**
 * Who came back this soon after a read of its own does nothing but wait for batches: the next short
 * reads are left to it.
 */
const COMES_BACK_MS = 0.5;
/** So many files in the page cache are read in about a millisecond … */
const SHORT_FILES_MAX = 128;
/** … where they are not large. */
const SHORT_FILES_BYTES_MAX: number = 4 * 1024 ** 2;

export interface LocalReaderOptions {
  /** Batches that are asked for at a time; the last of them waits for `help` or its turn. */
  readonly jobsAtOnce: number;
  /** Most reader threads; 0 for none, ever. */
  readonly threadsMax: number;
  /** Tells which reads are short; without it nobody can help. */
  readonly clock?: Clock | undefined;
}

interface WaitingJob {
  readonly job: ReadJob;
  readonly shape: JobShape;
  readonly slab: ArrayBuffer;
  readonly resolve: (filled: FilledSlab) => void;
  readonly reject: (error: unknown) => void;
}

export class LocalReader {
  readonly #options: LocalReaderOptions;
  /** Jobs that are not kept for `help`. */
  readonly #jobsMax: number;
  readonly #shards: OpenShards = new OpenShards();
  readonly #disks: LocalDisks = new LocalDisks();
  readonly #scratch: Uint8Array = new Uint8Array(GAP_BYTES_MAX);
  readonly #shortReads: ShortReads = new ShortReads();
  readonly #shortFiles: ShortReads = new ShortReads();
  readonly #underWay: Set<Promise<unknown>> = new Set();
  #waiting: WaitingJob[] = [];
  #inPool: number = 0;
  #threads: ReaderThreads | null = null;
  #calls: number = 0;
  #helpedAtMs: MonoMs | null = null;
  /** Whether the pool will take what is left to a helper when the event loop turns. */
  #isLeft: boolean = false;
  #closing: Promise<void> | null = null;

  constructor(options: LocalReaderOptions) {
    this.#options = options;
    this.#jobsMax = Math.max(1, options.jobsAtOnce - 1);
  }

  /** The slab's memory is the reader's until the answer brings it back. */
  fill(job: ReadJob, slab: ArrayBuffer): Promise<FilledSlab> {
    assert(this.#closing === null, 'a closed reader is not asked to read');
    const shape = shapeOf(job);
    this.#countCalls(shape.calls);
    return this.#track(
      new Promise((resolve, reject) => {
        this.#waiting.push({ job, shape, slab, resolve, reject });
        this.#startWaiting();
      }),
    );
  }

  /** Whether others read now, who will want new jobs when they are done. */
  get isBusy(): boolean {
    return this.#inPool > 0 || (this.#threads?.jobs ?? 0) > 0;
  }

  /**
   * Makes the next read that waits for its turn, here and now, if it is surely short, and answers
   * whether there was one. To be called by who waits for a batch and has nothing else to do; between
   * two calls it must let the event loop turn, or the pool and the threads will stand idle.
   */
  help(): boolean {
    const { clock } = this.#options;
    const next = this.#waiting[0];
    if (clock === undefined || next === undefined || !this.#isShort(next)) return false;
    this.#waiting.shift();
    const startMs = clock.nowMs();
    const slab = new Uint8Array(next.slab);
    const io = { slab, shards: this.#shards };
    const program = fill(next.job, slab, this.#scratch);
    const isInTime = (): boolean => elapsedMs(startMs, clock.nowMs()) < GIVE_UP_MS;
    try {
      const step = driveSyncWhile(program, io, isInTime);
      // What turned out to be slow goes on in the pool.
      if (step.done === true) next.resolve({ slab: next.slab, result: step.value });
      else this.#inTurn(next, driveAsync(program, io, step));
    } catch (error) {
      next.reject(error);
    }
    this.#helpedAtMs = clock.nowMs();
    this.#shortReadsOf(next.shape).made(elapsedMs(startMs, this.#helpedAtMs));
    return true;
  }

  /** Sizes of whole files, -1 where there is none. */
  measure(paths: readonly string[]): Promise<Float64Array> {
    assert(this.#closing === null, 'a closed reader is not asked to measure');
    this.#countCalls(paths.length);
    if (this.#threads?.isReady === true) return this.#track(this.#threads.measure(paths));
    const io = { slab: new Uint8Array(0), shards: this.#shards };
    return this.#track(driveAsync(measure(paths), io));
  }

  /** Waits for what is under way (cut short where that is possible), then gives everything back. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#threads?.cancel();
    for (const { slab, resolve } of this.#waiting) resolve({ slab, result: null });
    this.#waiting = [];
    await Promise.allSettled(this.#underWay);
    await this.#threads?.close();
    await Promise.all(
      this.#shards.drain().map(
        (fd) =>
          new Promise<void>((resolve) => {
            // A descriptor that only read has nothing to lose when closing it fails.
            closeFd(fd, () => resolve());
          }),
      ),
    );
  }

  /** Gives jobs to the pool or the threads, in order, as far as they have room. */
  #startWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const threads = this.#threadsFor(next);
      const others = this.#inPool + (this.#threads?.jobs ?? 0);
      if (others >= this.#jobsMax) return;
      if (threads === null) {
        if (this.#inPool >= POOL_JOBS_MAX || this.#leave(next)) return;
        this.#waiting.shift();
        const view = new Uint8Array(next.slab);
        const io = { slab: view, shards: this.#shards };
        this.#inTurn(next, driveAsync(fill(next.job, view, this.#scratch), io));
      } else {
        if (threads.jobs >= threads.count * JOBS_PER_THREAD) return;
        this.#waiting.shift();
        this.#inThread(next, threads.fill(next.job, next.slab));
      }
    }
  }

  /** Leaves a short read to a helper that is about to come back; until the event loop turns. */
  #leave(next: WaitingJob): boolean {
    const { clock } = this.#options;
    if (clock === undefined || this.#helpedAtMs === null || next.shape.files > 0) return false;
    if (elapsedMs(this.#helpedAtMs, clock.nowMs()) > COMES_BACK_MS) return false;
    if (!this.#isShort(next)) return false;
    if (!this.#isLeft) {
      this.#isLeft = true;
      clock.defer(() => {
        this.#isLeft = false;
        // It did not come back before others had their turn.
        this.#helpedAtMs = null;
        this.#startWaiting();
      });
    }
    return true;
  }

  #inTurn(next: WaitingJob, reading: Promise<ReadResult>): void {
    const { clock } = this.#options;
    const { shape, slab } = next;
    const startMs = clock?.nowMs();
    this.#inPool += 1;
    reading
      .finally(() => {
        this.#inPool -= 1;
        this.#startWaiting();
      })
      .then((result) => {
        if (clock !== undefined && startMs !== undefined) {
          const ms = elapsedMs(startMs, clock.nowMs());
          this.#shortReadsOf(shape).observe(shape.bytes, ms);
        }
        next.resolve({ slab, result });
      }, next.reject);
  }

  #inThread(next: WaitingJob, reading: Promise<FilledSlab>): void {
    reading
      .finally(() => {
        this.#shortReadsOf(next.shape).passed();
        this.#startWaiting();
      })
      .then(next.resolve, next.reject);
  }

  #shortReadsOf({ files }: JobShape): ShortReads {
    return files > 0 ? this.#shortFiles : this.#shortReads;
  }

  /**
   * On disks of this machine: either a few records of shards that are open already, or not too many
   * small files.
   */
  #isShort({ job, shape, slab }: WaitingJob): boolean {
    const { bytes, calls, files, shards } = shape;
    if (files > 0) return this.#mayBeShort(shape, slab) && this.#disks.hold(job.locations);
    if (calls >= CALLS_OF_THREAD_JOB_MIN || !this.#shortReads.isShort(bytes)) return false;
    return shards.every((path) => this.#shards.isOpenHere(path));
  }

  #mayBeShort({ files, shards }: JobShape, slab: ArrayBuffer): boolean {
    if (files === 0 || shards.length > 0 || files > SHORT_FILES_MAX) return false;
    return slab.byteLength <= SHORT_FILES_BYTES_MAX && this.#shortFiles.isTrusting;
  }

  #threadsFor({ shape, slab }: WaitingJob): ReaderThreads | null {
    if (shape.calls < CALLS_OF_THREAD_JOB_MIN || this.#threads?.isReady !== true) return null;
    const isHelped = this.#options.clock !== undefined && this.#mayBeShort(shape, slab);
    if (!isHelped && this.#threads.jobs >= this.#threads.count) this.#threads.grow();
    return this.#threads;
  }

  #countCalls(calls: number): void {
    const { threadsMax, clock } = this.#options;
    if (calls < CALLS_OF_THREAD_JOB_MIN || threadsMax === 0) return;
    this.#calls += calls;
    if (this.#calls <= CALLS_BEFORE_THREADS) return;
    // Who waits helps, and so takes the place of one thread; if it turns out not to, another is started.
    const count = clock === undefined ? threadsMax : Math.max(1, threadsMax - 1);
    this.#threads ??= new ReaderThreads(count, threadsMax);
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    const settled = (): void => void this.#underWay.delete(work);
    work.then(settled, settled);
    return work;
  }
}
