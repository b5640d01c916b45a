/** The reader threads of one reader: fed in turn, and let go of together. */
import { must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import type { Clock } from '../ports/clock.ts';
import { idleThreads } from './idle-threads.ts';
import type { ReadJob, ReadResult } from './read-job.ts';
import { ThreadHandle } from './thread-handle.ts';

export interface FilledSlab {
  readonly slab: ArrayBuffer;
  /** null: cancelled before it was read. */
  readonly result: ReadResult | null;
}

export class ReaderThreads {
  readonly #threads: ThreadHandle[];
  readonly #countMax: number;
  readonly #clock: Clock | undefined;

  /** With a clock its threads serve later readers too, and may have served earlier ones. */
  constructor(count: number, countMax: number, clock: Clock | undefined) {
    this.#countMax = countMax;
    this.#clock = clock;
    this.#threads = Array.from({ length: count }, () => this.#start());
  }

  /** True once a thread can take work at once. Until then jobs are better done elsewhere. */
  get isReady(): boolean {
    return this.count > 0;
  }

  /** Threads that can take work at once. */
  get count(): number {
    return this.#threads.reduce((sum, { isReady }) => sum + (isReady ? 1 : 0), 0);
  }

  /** Questions that are not answered yet. */
  get jobs(): number {
    return this.#threads.reduce((sum, { jobs }) => sum + jobs, 0);
  }

  /** Starts one thread more if that is allowed and none is being started. */
  grow(): void {
    if (this.#threads.length >= this.#countMax || this.count < this.#threads.length) return;
    this.#threads.push(this.#start());
  }

  async fill(job: ReadJob, slab: ArrayBuffer, isHere: boolean): Promise<FilledSlab> {
    const thread = this.#next();
    const id = thread.takeId();
    const order = { type: 'fill' as const, id, job: movable(job), slab, isHere };
    const answer = await thread.ask(order, [slab]);
    if (answer.type !== 'filled') throw protocolBroken();
    return { slab: answer.slab, result: answer.result };
  }

  async measure(paths: readonly string[]): Promise<Float64Array> {
    const thread = this.#next();
    const answer = await thread.ask({ type: 'measure', id: thread.takeId(), paths }, []);
    if (answer.type !== 'measured') throw protocolBroken();
    return answer.sizes;
  }

  /** Jobs under way answer `null` at their next file. */
  cancel(): void {
    for (const thread of this.#threads) thread.cancel();
  }

  /** Lets go of the threads, which hold nothing open then. Call it when every job has been answered. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => this.#letGo(thread)));
  }

  async #letGo(thread: ThreadHandle): Promise<void> {
    const clock = this.#clock;
    if (clock === undefined) return thread.end();
    // One that is gone cannot rest, and has nothing open. One that still starts will serve the next reading.
    const rested = await thread.rest().then(
      () => true,
      () => false,
    );
    return rested ? idleThreads.put(thread, clock) : thread.end();
  }

  #start(): ThreadHandle {
    const idle = this.#clock === undefined ? null : idleThreads.take();
    return idle ?? new ThreadHandle();
  }

  /** The thread that gets the next question: of those that are ready the one that has least to do. */
  #next(): ThreadHandle {
    const lost = this.#threads.find(({ failure }) => failure !== null)?.failure;
    if (lost !== undefined && lost !== null) throw lost;
    const ready = this.#threads.filter(({ isReady }) => isReady);
    const [first, ...others] = ready.length === 0 ? this.#threads : ready;
    return others.reduce(
      (least, other) => (other.jobs < least.jobs ? other : least),
      must(first, 'there is a reader thread'),
    );
  }
}

/** The columns of a job may be parts of larger ones, all of which a message would copy. */
function movable(job: ReadJob): ReadJob {
  return { ...job, offsets: job.offsets.slice(), lengths: job.lengths.slice() };
}

function protocolBroken(): Mx8Error {
  return new Mx8Error('internal', 'A reader thread of mx8 answered another question.');
}
