/** The reader threads of one reader: started together, fed in turn, ended together. */
import { Worker } from 'node:worker_threads';

import { must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import type { ReadJob, ReadResult } from './read-job.ts';
import type { FromReader, ReaderThreadData, ToReader } from './reader-protocol.ts';

/** Run from source or compiled, the thread's entry lies beside this file with the same ending. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './reader-thread.ts' : './reader-thread.js',
  import.meta.url,
);
/** The thread's own heap holds one job's messages; slabs are counted elsewhere. */
const THREAD_YOUNG_HEAP_MB = 2;

export interface FilledSlab {
  readonly slab: ArrayBuffer;
  /** null: cancelled before it was read. */
  readonly result: ReadResult | null;
}

interface Pending {
  readonly resolve: (answer: FromReader) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
  ready: boolean;
}

export class ReaderThreads {
  readonly #threads: Thread[];
  readonly #cancel: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(4));
  #nextId: number = 1;
  #failure: Error | null = null;

  readonly #countMax: number;

  constructor(count: number, countMax: number) {
    this.#countMax = countMax;
    this.#threads = Array.from({ length: count }, () => this.#start());
  }

  /** True once a thread can take work at once. Until then jobs are better done elsewhere. */
  get isReady(): boolean {
    return this.count > 0;
  }

  /** Threads that can take work at once. */
  get count(): number {
    return this.#threads.reduce((sum, { ready }) => sum + (ready ? 1 : 0), 0);
  }

  /** Questions that are not answered yet. */
  get jobs(): number {
    return this.#threads.reduce((sum, { pending }) => sum + pending.size, 0);
  }

  /** Starts one thread more if that is allowed and none is being started. */
  grow(): void {
    if (this.#threads.length >= this.#countMax || this.count < this.#threads.length) return;
    this.#threads.push(this.#start());
  }

  async fill(job: ReadJob, slab: ArrayBuffer, isHere: boolean): Promise<FilledSlab> {
    const id = this.#takeId();
    const order = { type: 'fill' as const, id, job: movable(job), slab, isHere };
    const answer = await this.#ask(order, [slab]);
    if (answer.type !== 'filled') throw protocolBroken();
    return { slab: answer.slab, result: answer.result };
  }

  async measure(paths: readonly string[]): Promise<Float64Array> {
    const answer = await this.#ask({ type: 'measure', id: this.#takeId(), paths }, []);
    if (answer.type !== 'measured') throw protocolBroken();
    return answer.sizes;
  }

  /** Jobs under way answer `null` at their next file. */
  cancel(): void {
    Atomics.store(this.#cancel, 0, 1);
  }

  /** Ends the threads. Call it when every job has been answered. */
  async close(): Promise<void> {
    this.cancel();
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #takeId(): number {
    this.#nextId += 1;
    return this.#nextId;
  }

  #start(): Thread {
    const workerData: ReaderThreadData = { kind: 'mx8-reader', cancel: this.#cancel.buffer };
    const worker = new Worker(ENTRY, {
      name: 'mx8-reader',
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: THREAD_YOUNG_HEAP_MB },
    });
    const thread: Thread = { worker, pending: new Map(), ready: false };
    // Only a job under way keeps the process alive.
    worker.unref();
    worker.on('message', (message: FromReader) => this.#answered(thread, message));
    worker.on('error', (error) => this.#lost(thread, error));
    worker.on('exit', () => this.#lost(thread, new Error('it ended')));
    return thread;
  }

  #ask(order: ToReader, moved: readonly ArrayBuffer[]): Promise<FromReader> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const ready = this.#threads.filter((thread) => thread.ready);
    const [first, ...others] = ready.length === 0 ? this.#threads : ready;
    const thread = others.reduce(
      (least, other) => (other.pending.size < least.pending.size ? other : least),
      must(first, 'there is a reader thread'),
    );
    return new Promise((resolve, reject) => {
      thread.pending.set(order.id, { resolve, reject });
      thread.worker.ref();
      thread.worker.postMessage(order, moved);
    });
  }

  #answered(thread: Thread, message: FromReader): void {
    if (message.type === 'ready') {
      thread.ready = true;
      return;
    }
    const waiting = must(thread.pending.get(message.id), 'an answer belongs to a job');
    thread.pending.delete(message.id);
    if (thread.pending.size === 0) thread.worker.unref();
    waiting.resolve(message);
  }

  #lost(thread: Thread, error: unknown): void {
    const because = error instanceof Error ? error.message : String(error);
    this.#failure ??= new Mx8Error('internal', `A reader thread of mx8 is gone: ${because}.`);
    for (const { reject } of thread.pending.values()) reject(this.#failure);
    thread.pending.clear();
  }
}

/** The columns of a job may be parts of larger ones, all of which a message would copy. */
function movable(job: ReadJob): ReadJob {
  return { ...job, offsets: job.offsets.slice(), lengths: job.lengths.slice() };
}

function protocolBroken(): Mx8Error {
  return new Mx8Error('internal', 'A reader thread of mx8 answered another question.');
}
