/**
 * Reads samples of local files and packed shards into slabs. Few large calls go through Node's thread
 * pool, which costs nothing to start. Many small ones (loose files, scattered records) go to reader
 * threads, once there have been so many that starting the threads pays.
 */
import { close as closeFd } from 'node:fs';

import { assert } from '../core/base/assert.ts';
import { driveAsync } from './drive-async.ts';
import { GAP_BYTES_MAX } from './fill-extents.ts';
import { fill, measure } from './fill.ts';
import { OpenShards } from './open-shards.ts';
import type { ReadJob } from './read-job.ts';
import { ReaderThreads } from './reader-threads.ts';
import type { FilledSlab } from './reader-threads.ts';

/** Starting a thread takes as long as about this many calls through the pool. */
const CALLS_BEFORE_THREADS = 3_000;
/** A job of fewer calls is as cheap in the pool. */
const CALLS_OF_THREAD_JOB_MIN = 16;
/** Open, read, read the end, close. */
const CALLS_PER_FILE = 4;

export interface LocalReaderOptions {
  /** Most reader threads; 0 for none, ever. */
  readonly threadsMax: number;
}

export class LocalReader {
  readonly #threadsMax: number;
  readonly #shards: OpenShards = new OpenShards();
  readonly #scratch: Uint8Array = new Uint8Array(GAP_BYTES_MAX);
  readonly #underWay: Set<Promise<unknown>> = new Set();
  #threads: ReaderThreads | null = null;
  #poolCalls: number = 0;
  #closing: Promise<void> | null = null;

  constructor(options: LocalReaderOptions) {
    this.#threadsMax = options.threadsMax;
  }

  /** The slab's memory is the reader's until the answer brings it back. */
  fill(job: ReadJob, slab: ArrayBuffer): Promise<FilledSlab> {
    assert(this.#closing === null, 'a closed reader is not asked to read');
    return this.#track(this.#fill(job, slab));
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

  async #fill(job: ReadJob, slab: ArrayBuffer): Promise<FilledSlab> {
    const threads = this.#threadsFor(callsOf(job));
    if (threads !== null) return threads.fill(job, slab);
    const view = new Uint8Array(slab);
    const io = { slab: view, shards: this.#shards };
    return { slab, result: await driveAsync(fill(job, view, this.#scratch), io) };
  }

  #threadsFor(calls: number): ReaderThreads | null {
    if (calls < CALLS_OF_THREAD_JOB_MIN || this.#threadsMax === 0) return null;
    if (this.#threads?.isReady === true) return this.#threads;
    this.#poolCalls += calls;
    if (this.#poolCalls > CALLS_BEFORE_THREADS) {
      this.#threads ??= new ReaderThreads(this.#threadsMax);
    }
    return null;
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    const settled = (): void => void this.#underWay.delete(work);
    work.then(settled, settled);
    return work;
  }
}

function callsOf(job: ReadJob): number {
  const { locations, offsets, lengths } = job;
  let calls = 0;
  let location = '';
  let end = 0;
  for (let index = 0; index < locations.length; index += 1) {
    const offset = offsets[index] ?? 0;
    const gap = offset - end;
    const isNeighbour = gap >= 0 && gap <= GAP_BYTES_MAX && locations[index] === location;
    if (offset === -1) calls += CALLS_PER_FILE;
    else if (!isNeighbour) calls += 1;
    location = locations[index] ?? '';
    end = offset + (lengths[index] ?? 0);
  }
  return calls;
}
