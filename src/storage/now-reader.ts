/**
 * Jobs of few calls to shards that are open, on disks of this machine, read by the thread that asks for
 * them, here and now, where that is surely short.
 */
import { elapsedMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import { CachedReads } from './cached-reads.ts';
import { driveSyncWhile } from './drive-sync.ts';
import { GAP_BYTES_MAX } from './fill-extents.ts';
import { fillTogether, jointRun, wholeResult } from './fill-together.ts';
import { fill } from './fill.ts';
import { shapeOf } from './job-shape.ts';
import type { JobShape } from './job-shape.ts';
import type { OpenShards } from './open-shards.ts';
import type { ReadJob, ReadResult } from './read-job.ts';
import { GIVE_UP_MS } from './short-reads.ts';
import type { ShortReads } from './short-reads.ts';

/** A batch lies in one shard as a rule, or at the end of one and the beginning of the next. */
const CALLS_MAX = 3;
const NO_MEMORY = new Uint8Array(0);

interface NowRead {
  readonly bytes: number;
  /** Null where not all samples are as they should be, or it took long. */
  readonly result: ReadResult | null;
}

export class NowReader {
  readonly #clock: Clock | undefined;
  readonly #shards: OpenShards;
  readonly #shortReads: ShortReads;
  readonly #cachedReads: CachedReads = new CachedReads();
  readonly #scratch: Uint8Array = new Uint8Array(GAP_BYTES_MAX);
  #wasShort: boolean = false;

  constructor(clock: Clock | undefined, shards: OpenShards, shortReads: ShortReads) {
    this.#clock = clock;
    this.#shards = shards;
    this.#shortReads = shortReads;
  }

  /** A job of this shape was given to others. */
  passed({ files, calls }: JobShape, isShort: boolean): void {
    this.#wasShort = isShort && files === 0 && calls <= CALLS_MAX;
    this.#cachedReads.passed();
  }

  /** Whether a job like the last one would be read. */
  get wouldRead(): boolean {
    return this.#clock !== undefined && this.#wasShort && this.#cachedReads.isTrusting;
  }

  /**
   * Null where it could take long, or not all samples are as they should be; nothing is to be relied upon
   * in the slab then.
   */
  read(job: ReadJob, slab: ArrayBuffer): ReadResult | null {
    if (this.#clock === undefined || !this.wouldRead) return null;
    const clock = this.#clock;
    const startMs = clock.nowMs();
    const mayGoOn = (): boolean => elapsedMs(startMs, clock.nowMs()) < GIVE_UP_MS;
    const read = this.#readRun(job, slab, mayGoOn) ?? this.#readFew(job, slab);
    if (read === null) return null;
    const ms = elapsedMs(startMs, clock.nowMs());
    this.#cachedReads.made(read.bytes, ms);
    if (read.result !== null) this.#shortReads.observe(read.bytes, ms);
    return read.result;
  }

  /** Samples that lie together in one shard: nearly every batch. */
  #readRun(job: ReadJob, slab: ArrayBuffer, mayGoOn: () => boolean): NowRead | null {
    const run = jointRun([{ job, slab }], 1);
    if (run === null || !this.#mayRead([run.path], run.bytes)) return null;
    const io = { slab: NO_MEMORY, shards: this.#shards };
    const step = driveSyncWhile(fillTogether(run, mayGoOn), io, mayGoOn);
    return { bytes: run.bytes, result: step.value === true ? wholeResult(job) : null };
  }

  #readFew(job: ReadJob, slab: ArrayBuffer): NowRead | null {
    const { bytes, calls, files, shards } = shapeOf(job);
    if (files > 0 || calls > CALLS_MAX || !this.#mayRead(shards, bytes)) return null;
    const memory = new Uint8Array(slab);
    const program = fill(job, memory, this.#scratch, false);
    const step = driveSyncWhile(program, { slab: memory, shards: this.#shards }, () => true);
    return { bytes, result: step.done === true && isWhole(step.value) ? step.value : null };
  }

  #mayRead(paths: readonly string[], bytes: number): boolean {
    const isHere = paths.every((path) => this.#shards.isOpenHere(path));
    return isHere && this.#shortReads.isShort(bytes);
  }
}

function isWhole({ failures, sizes, done }: ReadResult): boolean {
  return failures.length === 0 && done === sizes.length;
}
