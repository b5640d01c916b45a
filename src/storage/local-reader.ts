/**
 * Reads samples of local files and packed shards into slabs. Few large calls go through Node's thread
 * pool, which costs nothing to start. Many small ones (loose files, scattered records) go to reader
 * threads, once there have been so many that starting the threads pays. And whoever has to wait for a
 * batch may `help`: it then makes a read itself that would otherwise wait for its turn in the pool.
 */
import { close as closeFd } from 'node:fs';

import { assert } from '../core/base/assert.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import { driveAsync } from './drive-async.ts';
import { driveSync } from './drive-sync.ts';
import { GAP_BYTES_MAX } from './fill-extents.ts';
import { fill, measure } from './fill.ts';
import { OpenShards } from './open-shards.ts';
import type { ReadJob } from './read-job.ts';
import { ReaderThreads } from './reader-threads.ts';
import type { FilledSlab } from './reader-threads.ts';
import { ShortReads } from './short-reads.ts';

/** Starting a thread takes as long as about this many calls through the pool. */
const CALLS_BEFORE_THREADS = 3_000;
/** A job of fewer calls is as cheap in the pool. */
const CALLS_OF_THREAD_JOB_MIN = 16;
/** Open, read, read the end, close. */
const CALLS_PER_FILE = 4;
/** More than these at a time only push each other out of the pool's threads and their caches. */
const POOL_JOBS_MAX = 2;

export interface LocalReaderOptions {
  /** Batches that are asked for at a time; the last of them waits for `help` or its turn. */
  readonly jobsAtOnce: number;
  /** Most reader threads; 0 for none, ever. */
  readonly threadsMax: number;
  /** Tells which reads are short; without it nobody can help. */
  readonly clock?: Clock | undefined;
}

interface PoolJob {
  readonly job: ReadJob;
  readonly shape: JobShape;
  readonly slab: ArrayBuffer;
  readonly resolve: (filled: FilledSlab) => void;
  readonly reject: (error: unknown) => void;
}

export class LocalReader {
  readonly #options: LocalReaderOptions;
  readonly #poolJobsMax: number;
  readonly #shards: OpenShards = new OpenShards();
  readonly #scratch: Uint8Array = new Uint8Array(GAP_BYTES_MAX);
  readonly #shortReads: ShortReads = new ShortReads();
  readonly #underWay: Set<Promise<unknown>> = new Set();
  #waiting: PoolJob[] = [];
  #inPool: number = 0;
  #threads: ReaderThreads | null = null;
  #callsInPool: number = 0;
  #closing: Promise<void> | null = null;

  constructor(options: LocalReaderOptions) {
    this.#options = options;
    this.#poolJobsMax = Math.max(1, Math.min(POOL_JOBS_MAX, options.jobsAtOnce - 1));
  }

  /** The slab's memory is the reader's until the answer brings it back. */
  fill(job: ReadJob, slab: ArrayBuffer): Promise<FilledSlab> {
    assert(this.#closing === null, 'a closed reader is not asked to read');
    const shape = shapeOf(job);
    const threads = this.#threadsFor(shape.calls);
    if (threads !== null) return this.#track(threads.fill(job, slab));
    return this.#track(
      new Promise((resolve, reject) => {
        this.#waiting.push({ job, shape, slab, resolve, reject });
        this.#startInPool();
      }),
    );
  }

  /**
   * Makes the next read that waits for its turn, here and now, if it is surely short. To be called by
   * who waits for a batch and has nothing else to do.
   */
  help(): void {
    const { clock } = this.#options;
    const next = this.#waiting[0];
    if (clock === undefined || next === undefined || !this.#isShort(next.shape)) return;
    this.#waiting.shift();
    const startMs = clock.nowMs();
    const slab = new Uint8Array(next.slab);
    const io = { slab, shards: this.#shards, isCancelled: () => false };
    try {
      next.resolve({ slab: next.slab, result: driveSync(fill(next.job, slab, this.#scratch), io) });
    } catch (error) {
      next.reject(error);
    }
    this.#shortReads.made(elapsedMs(startMs, clock.nowMs()));
  }

  /** Sizes of whole files, -1 where there is none. */
  measure(paths: readonly string[]): Promise<Float64Array> {
    assert(this.#closing === null, 'a closed reader is not asked to measure');
    const threads = this.#threadsFor(paths.length);
    if (threads !== null) return this.#track(threads.measure(paths));
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

  #startInPool(): void {
    while (this.#inPool < this.#poolJobsMax) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#inPool += 1;
      this.#fillInPool(next).then(next.resolve, next.reject);
    }
  }

  async #fillInPool({ job, shape, slab }: PoolJob): Promise<FilledSlab> {
    const { clock } = this.#options;
    const startMs = clock?.nowMs();
    const view = new Uint8Array(slab);
    const io = { slab: view, shards: this.#shards };
    try {
      const result = await driveAsync(fill(job, view, this.#scratch), io);
      if (clock !== undefined && startMs !== undefined) {
        this.#shortReads.observe(shape.bytes, elapsedMs(startMs, clock.nowMs()));
      }
      return { slab, result };
    } finally {
      this.#inPool -= 1;
      this.#startInPool();
    }
  }

  /** Records of shards that are open already, on disks of this machine, in few calls. */
  #isShort({ bytes, calls, shards }: JobShape): boolean {
    if (calls >= CALLS_OF_THREAD_JOB_MIN || !this.#shortReads.isShort(bytes)) return false;
    return shards !== null && shards.every((path) => this.#shards.isOpenHere(path));
  }

  #threadsFor(calls: number): ReaderThreads | null {
    const { threadsMax } = this.#options;
    if (calls < CALLS_OF_THREAD_JOB_MIN || threadsMax === 0) return null;
    if (this.#threads?.isReady === true) return this.#threads;
    this.#callsInPool += calls;
    if (this.#callsInPool > CALLS_BEFORE_THREADS) this.#threads ??= new ReaderThreads(threadsMax);
    return null;
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    const settled = (): void => void this.#underWay.delete(work);
    work.then(settled, settled);
    return work;
  }
}

/** What a job costs, about. */
interface JobShape {
  readonly calls: number;
  /** Of records; whole files are not known. */
  readonly bytes: number;
  /** The shards it reads; null when it reads whole files, too. */
  readonly shards: readonly string[] | null;
}

function shapeOf({ locations, offsets, lengths }: ReadJob): JobShape {
  const shards: string[] = [];
  let files = 0;
  let runs = 0;
  let bytes = 0;
  let location = '';
  let end = 0;
  for (let index = 0; index < locations.length; index += 1) {
    const offset = offsets[index] ?? 0;
    const length = lengths[index] ?? 0;
    const path = locations[index] ?? '';
    if (offset === -1) {
      files += 1;
      continue;
    }
    const gap = offset - end;
    const isSame = path === location;
    if (!isSame) shards.push(path);
    if (!isSame || gap < 0 || gap > GAP_BYTES_MAX) runs += 1;
    bytes += length;
    location = path;
    end = offset + length;
  }
  return { calls: files * CALLS_PER_FILE + runs, bytes, shards: files === 0 ? shards : null };
}
