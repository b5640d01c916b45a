/** One reader thread as its owner sees it: what is asked is answered; if it ends, everybody hears. */
import { Worker } from 'node:worker_threads';

import { must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import type { FromReader, ReaderThreadData, ToReader } from './reader-protocol.ts';

/** Run from source or compiled, the thread's entry lies beside this file with the same ending. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './reader-thread.ts' : './reader-thread.js',
  import.meta.url,
);
/** The thread's own heap holds one job's messages; slabs are counted elsewhere. */
const THREAD_YOUNG_HEAP_MB = 2;

interface Pending {
  readonly resolve: (answer: FromReader) => void;
  readonly reject: (error: Error) => void;
}

export class ThreadHandle {
  readonly #worker: Worker;
  readonly #cancel: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(4));
  readonly #pending: Map<number, Pending> = new Map();
  #nextId: number = 1;
  #isReady: boolean = false;
  #failure: Error | null = null;

  constructor() {
    const workerData: ReaderThreadData = { kind: 'mx8-reader', cancel: this.#cancel.buffer };
    this.#worker = new Worker(ENTRY, {
      name: 'mx8-reader',
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: THREAD_YOUNG_HEAP_MB },
    });
    this.#worker.on('message', (message: FromReader) => this.#answered(message));
    this.#worker.on('error', (error) => this.#lost(error));
    this.#worker.on('exit', () => this.#lost(new Error('it ended')));
    // Only a job under way keeps the process alive. Last, as to listen for messages keeps it alive, too.
    this.#worker.unref();
  }

  /** Whether it can take work at once. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Set once it is gone. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Questions that are not answered yet. */
  get jobs(): number {
    return this.#pending.size;
  }

  takeId(): number {
    this.#nextId += 1;
    return this.#nextId;
  }

  ask(order: ToReader, moved: readonly ArrayBuffer[]): Promise<FromReader> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#pending.set(order.id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage(order, moved);
    });
  }

  /** Jobs under way answer `null` at their next file. */
  cancel(): void {
    Atomics.store(this.#cancel, 0, 1);
  }

  /**
   * Closes what it has open, so that it can serve another owner. No job may be under way. One that still
   * starts has nothing open and is not waited for.
   */
  async rest(): Promise<void> {
    Atomics.store(this.#cancel, 0, 0);
    if (this.#failure !== null) throw this.#failure;
    if (!this.#isReady) return;
    await this.ask({ type: 'rest', id: this.takeId() }, []);
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #answered(message: FromReader): void {
    if (message.type === 'ready') {
      this.#isReady = true;
      return;
    }
    const waiting = must(this.#pending.get(message.id), 'an answer belongs to a job');
    this.#pending.delete(message.id);
    if (this.#pending.size === 0) this.#worker.unref();
    waiting.resolve(message);
  }

  #lost(error: unknown): void {
    const because = error instanceof Error ? error.message : String(error);
    this.#isReady = false;
    this.#failure ??= new Mx8Error('internal', `A reader thread of mx8 is gone: ${because}.`);
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
  }
}
