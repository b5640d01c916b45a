/**
 * Reads samples of local files and packed shards into slabs. Few large calls go through Node's thread
 * pool, which costs nothing to start; short ones go there several at a time. Many small ones (loose
 * files, scattered records) go to reader threads, once there have been so many that starting the
 * threads pays. And whoever has to wait for a batch may `help`: it then makes a read itself that would
 * otherwise wait for its turn.
 */
import { close as closeFd } from 'node:fs';

import { assert } from '../core/base/assert.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import { driveAsync } from './drive-async.ts';
import { driveSyncWhile } from './drive-sync.ts';
import { GAP_BYTES_MAX } from './fill-extents.ts';
import { fillTogether, jointRun, wholeResult } from './fill-together.ts';
import type { JointRun, PlacedJob } from './fill-together.ts';
import { fill, measure } from './fill.ts';
import { HelpHabit } from './help-habit.ts';
import { idleThreads } from './idle-threads.ts';
import { areFewSmallFiles, shapeOf } from './job-shape.ts';
import type { JobShape } from './job-shape.ts';
import { LocalDisks } from './local-disks.ts';
import { OpenShards } from './open-shards.ts';
import type { ReadJob, ReadResult } from './read-job.ts';
import { NowReader } from './now-reader.ts';
import { ReaderThreads } from './reader-threads.ts';
import type { FilledSlab } from './reader-threads.ts';
import { GIVE_UP_MS, ShortReads } from './short-reads.ts';
import type { WaitingJob } from './waiting-job.ts';

/** Starting a thread takes as long as about this many calls through the pool. */
const CALLS_BEFORE_THREADS = 3_000;
/** A job of fewer calls is as cheap in the pool. */
const CALLS_OF_THREAD_JOB_MIN = 16;
/** More than these at a time only push each other out of the pool's threads and their caches. */
const POOL_CALLS_MAX = 2;
/** Short reads that go to the pool together; with more in one call the others wait for too long. */
const JOINT_JOBS_MAX = 3;
/** One that it reads, and some that it need not wait for while this thread is busy with a read. */
const JOBS_PER_THREAD = 4;
/** Small files of a consumer that helps: slabs of more jobs push each other out of the processors' caches. */
const SHORT_JOBS_PER_THREAD = 2;
/** One that it has or reads, and one that is left to it. */
const SHORT_JOBS_OF_CONSUMER = 2;

export interface LocalReaderOptions {
  /** Batches that are asked for at a time; the last of them waits for `help` or its turn. */
  readonly jobsAtOnce: number;
  /** Most reader threads; 0 for none, ever. */
  readonly threadsMax: number;
  /** Tells which reads are short; without it nobody can help. */
  readonly clock?: Clock | undefined;
}

export class LocalReader {
  readonly #options: LocalReaderOptions;
  readonly #shards: OpenShards = new OpenShards();
  readonly #disks: LocalDisks = new LocalDisks();
  readonly #scratch: Uint8Array = new Uint8Array(GAP_BYTES_MAX);
  readonly #shortReads: ShortReads = new ShortReads();
  readonly #shortFiles: ShortReads = new ShortReads();
  readonly #now: NowReader;
  #waiting: WaitingJob[] = [];
  /** Questions that are not answered, and who waits until none is left. */
  #unanswered: number = 0;
  #onAllAnswered: (() => void) | null = null;
  #poolCalls: number = 0;
  #poolJobs: number = 0;
  #threads: ReaderThreads | null = null;
  #calls: number = 0;
  readonly #habit: HelpHabit = new HelpHabit();
  #closing: Promise<void> | null = null;

  constructor(options: LocalReaderOptions) {
    this.#options = options;
    this.#now = new NowReader(options.clock, this.#shards, this.#shortReads);
  }

  /** The slab's memory is the reader's until the answer brings it back. */
  fill(job: ReadJob, slab: ArrayBuffer): Promise<FilledSlab> {
    const filling = this.#queued(job, slab);
    this.#startWaiting();
    return filling;
  }

  /** The same for several that may go together, and none of which is kept for `help`. */
  fillBeside(jobs: readonly PlacedJob[]): readonly Promise<FilledSlab>[] {
    const fillings = jobs.map(({ job, slab }) => this.#queued(job, slab));
    this.#startWaiting();
    return fillings;
  }

  #queued(job: ReadJob, slab: ArrayBuffer): Promise<FilledSlab> {
    assert(this.#closing === null, 'a closed reader is not asked to read');
    const shape = shapeOf(job);
    this.#countCalls(shape.calls);
    this.#unanswered += 1;
    return new Promise((resolve, reject) => {
      const next = { job, shape, slab, isHere: false, resolve, reject };
      const isShort = this.#isShort(next);
      this.#habit.asked(isShort && shape.files > 0);
      this.#now.passed(shape, isShort);
      this.#waiting.push(next);
    });
  }

  /** Jobs at a time that it has a use for; more would only wait. */
  get jobsUseful(): number {
    if (!this.#habit.isKept || this.#threads?.isReady !== true) return Infinity;
    return SHORT_JOBS_OF_CONSUMER + this.#threads.count * SHORT_JOBS_PER_THREAD;
  }

  /** Whether others read now, who will want new jobs when they are done. */
  get isBusy(): boolean {
    return this.#poolJobs > 0 || (this.#threads?.jobs ?? 0) > 0;
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
    try {
      this.#readHere(next, () => elapsedMs(startMs, clock.nowMs()) < GIVE_UP_MS);
    } catch (error) {
      this.#refuse(next, error);
    }
    this.#habit.helped();
    this.#shortReadsOf(next.shape).made(elapsedMs(startMs, clock.nowMs()));
    return true;
  }

  /** Whether the job that was asked for last was one that `fillNow` reads. */
  get wouldReadNow(): boolean {
    return this.#now.wouldRead;
  }

  /** See `NowReader`; `fill` does what it does not do, and says in full what is wrong with samples. */
  fillNow(job: ReadJob, slab: ArrayBuffer): ReadResult | null {
    return this.#closing === null ? this.#now.read(job, slab) : null;
  }

  /** What turns out to be slow goes on in the pool. */
  #readHere(next: WaitingJob, isInTime: () => boolean): void {
    const slab = new Uint8Array(next.slab);
    const io = { slab, shards: this.#shards };
    const run = jointRun([next], 1);
    if (run !== null && driveSyncWhile(fillTogether(run, isInTime), io, isInTime).value === true) {
      this.#answer(next, wholeResult(next.job));
      return;
    }
    const program = fill(next.job, slab, this.#scratch, next.isHere);
    if (run !== null && !isInTime()) {
      this.#inPool(next, driveAsync(program, io));
      return;
    }
    const step = driveSyncWhile(program, io, isInTime);
    if (step.done === true) this.#answer(next, step.value);
    else this.#inPool(next, driveAsync(program, io, step));
  }

  /** Sizes of whole files, -1 where there is none. */
  async measure(paths: readonly string[]): Promise<Float64Array> {
    assert(this.#closing === null, 'a closed reader is not asked to measure');
    this.#countCalls(paths.length);
    this.#unanswered += 1;
    try {
      if (this.#threads?.isReady === true) return await this.#threads.measure(paths);
      const io = { slab: new Uint8Array(0), shards: this.#shards };
      return await driveAsync(measure(paths), io);
    } finally {
      this.#answered();
    }
  }

  /** Waits for what is under way (cut short where that is possible), then gives everything back. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#threads?.cancel();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const next of waiting) this.#answer(next, null);
    if (this.#unanswered > 0) {
      await new Promise<void>((resolve) => {
        this.#onAllAnswered = resolve;
      });
    }
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
    // The last one is kept for `help`.
    const jobsMax = Math.max(1, Math.min(this.#options.jobsAtOnce, this.jobsUseful) - 1);
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const threads = this.#threadsFor(next);
      const room = jobsMax - this.#poolJobs - (this.#threads?.jobs ?? 0);
      if (room <= 0) return;
      if (threads !== null) {
        if (threads.jobs >= threads.count * JOBS_PER_THREAD) return;
        this.#waiting.shift();
        this.#inThread(next, threads.fill(next.job, next.slab, this.#isHere(next)));
      } else if (this.#poolCalls >= POOL_CALLS_MAX || this.#leave(next)) {
        return;
      } else {
        this.#startInPool(next, room);
      }
    }
  }

  /** One job, or several that are short and follow each other in one shard. */
  #startInPool(next: WaitingJob, room: number): void {
    const countMax = Math.min(room, JOINT_JOBS_MAX);
    const run = this.#isShort(next) ? jointRun(this.#waiting, countMax) : null;
    if (run !== null) {
      this.#together(this.#waiting.splice(0, run.count), run);
      return;
    }
    this.#waiting.shift();
    this.#alone(next);
  }

  /**
   * Leaves small files, which cost four calls each, to who does nothing but help; until the event loop
   * has turned without help.
   */
  #leave(next: WaitingJob): boolean {
    const { clock } = this.#options;
    if (clock === undefined || next.shape.files === 0) return false;
    return this.#isShort(next) && this.#habit.mayLeave(clock, () => this.#startWaiting());
  }

  #alone(next: WaitingJob): void {
    const slab = new Uint8Array(next.slab);
    const io = { slab, shards: this.#shards };
    const program = fill(next.job, slab, this.#scratch, this.#isHere(next));
    this.#inPool(next, driveAsync(program, io));
  }

  #inPool(next: WaitingJob, reading: Promise<ReadResult>): void {
    const { clock } = this.#options;
    const { shape } = next;
    const startMs = clock?.nowMs();
    this.#poolCalls += 1;
    this.#poolJobs += 1;
    const done = (): void => {
      this.#poolCalls -= 1;
      this.#poolJobs -= 1;
      this.#startWaiting();
    };
    reading.then(
      (result) => {
        done();
        if (clock !== undefined && startMs !== undefined) {
          const ms = elapsedMs(startMs, clock.nowMs());
          this.#shortReadsOf(shape).observe(shape.bytes, ms);
        }
        this.#answer(next, result);
      },
      (error: unknown) => {
        done();
        this.#refuse(next, error);
      },
    );
  }

  #together(jobs: readonly WaitingJob[], run: JointRun): void {
    const { clock } = this.#options;
    const startMs = clock?.nowMs();
    this.#poolCalls += 1;
    this.#poolJobs += jobs.length;
    const done = (): void => {
      this.#poolCalls -= 1;
      this.#poolJobs -= jobs.length;
    };
    driveAsync(fillTogether(run), { slab: this.#scratch, shards: this.#shards }).then(
      (isRead) => {
        done();
        if (!isRead) {
          for (const next of jobs) this.#alone(next);
          return;
        }
        if (clock !== undefined && startMs !== undefined) {
          this.#shortReads.observe(run.bytes, elapsedMs(startMs, clock.nowMs()));
        }
        this.#startWaiting();
        for (const next of jobs) this.#answer(next, wholeResult(next.job));
      },
      (error: unknown) => {
        done();
        for (const next of jobs) this.#refuse(next, error);
        this.#startWaiting();
      },
    );
  }

  #inThread(next: WaitingJob, reading: Promise<FilledSlab>): void {
    const done = (): void => {
      this.#shortReadsOf(next.shape).passed();
      this.#startWaiting();
    };
    reading.then(
      (filled) => {
        done();
        next.resolve(filled);
        this.#answered();
      },
      (error: unknown) => {
        done();
        this.#refuse(next, error);
      },
    );
  }

  #answer({ slab, resolve }: WaitingJob, result: ReadResult | null): void {
    resolve({ slab, result });
    this.#answered();
  }

  #refuse({ reject }: WaitingJob, error: unknown): void {
    reject(error);
    this.#answered();
  }

  #answered(): void {
    this.#unanswered -= 1;
    if (this.#unanswered === 0) this.#onAllAnswered?.();
  }

  #shortReadsOf({ files }: JobShape): ShortReads {
    return files > 0 ? this.#shortFiles : this.#shortReads;
  }

  /**
   * On disks of this machine: either a few records of shards that are open already, or not too many
   * small files.
   */
  #isShort(next: WaitingJob): boolean {
    const { shape, slab } = next;
    const { bytes, calls, files, shards } = shape;
    if (files > 0) {
      return this.#mayBeShort(shape, slab) && this.#isHere(next);
    }
    if (calls >= CALLS_OF_THREAD_JOB_MIN || !this.#shortReads.isShort(bytes)) return false;
    return shards.every((path) => this.#shards.isOpenHere(path));
  }

  /** Asks for the folders of its files that are not known yet. */
  #isHere(next: WaitingJob): boolean {
    if (next.shape.files === 0) return false;
    next.isHere ||= this.#disks.hold(next.job.locations);
    return next.isHere;
  }

  #mayBeShort(shape: JobShape, slab: ArrayBuffer): boolean {
    return areFewSmallFiles(shape, slab.byteLength) && this.#shortFiles.isTrusting;
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
    const mayBeIdle = clock !== undefined && idleThreads.count > 0;
    if (this.#calls <= CALLS_BEFORE_THREADS && !mayBeIdle) return;
    // Who waits helps, and so takes the place of one thread; if it turns out not to, another is started.
    const count = clock === undefined ? threadsMax : Math.max(1, threadsMax - 1);
    this.#threads ??= new ReaderThreads(count, threadsMax, clock);
  }
}
