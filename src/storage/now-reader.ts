/**
 * Jobs of few calls to shards that are open, on disks of this machine, read by the thread that asks for
 * them, here and now, where that is surely short.
 */
import { closeSync, openSync } from 'node:fs';

import { elapsedMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import { CachedReads } from './cached-reads.ts';
import { driveSyncWhile, readRunSync } from './drive-sync.ts';
import { GAP_BYTES_MAX } from './fill-extents.ts';
import { fillTogether, isReadAtOnce, jointRun, wholeResult } from './fill-together.ts';
import type { JointRun } from './fill-together.ts';
import { fill } from './fill.ts';
import { shapeOf } from './job-shape.ts';
import type { JobShape } from './job-shape.ts';
import { isHereNow } from './local-disks.ts';
import { OPEN_FLAGS } from './open-shards.ts';
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
    const read = this.#readRuns(job, slab, mayGoOn) ?? this.#readFew(job, slab);
    if (read === null) return null;
    const ms = elapsedMs(startMs, clock.nowMs());
    this.#cachedReads.made(read.bytes, ms);
    if (read.result !== null) this.#shortReads.observe(read.bytes, ms);
    return read.result;
  }

  /** Samples that lie together in one shard, nearly every batch, or in a few of them. */
  #readRuns(job: ReadJob, slab: ArrayBuffer, mayGoOn: () => boolean): NowRead | null {
    const runs = runsOf(job, slab);
    if (runs === null) return null;
    let bytes = 0;
    for (const run of runs) bytes += run.bytes;
    if (!this.#shortReads.isShort(bytes)) return null;
    for (const { path } of runs) if (!this.#isHere(path)) return null;
    let isFirst = true;
    for (const run of runs) {
      const isRead = (isFirst || mayGoOn()) && this.#readRun(run, mayGoOn);
      if (!isRead) return { bytes, result: null };
      isFirst = false;
    }
    return { bytes, result: wholeResult(job) };
  }

  #readRun(run: JointRun, mayGoOn: () => boolean): boolean {
    if (isReadAtOnce(run)) return readRunSync(run, this.#shards);
    const io = { slab: NO_MEMORY, shards: this.#shards };
    return driveSyncWhile(fillTogether(run, mayGoOn), io, mayGoOn).value === true;
  }

  #readFew(job: ReadJob, slab: ArrayBuffer): NowRead | null {
    const { bytes, calls, files, shards } = shapeOf(job);
    if (files > 0 || calls > CALLS_MAX || !this.#shortReads.isShort(bytes)) return null;
    if (!shards.every((path) => this.#isHere(path))) return null;
    const memory = new Uint8Array(slab);
    const program = fill(job, memory, this.#scratch, false);
    const step = driveSyncWhile(program, { slab: memory, shards: this.#shards }, () => true);
    return { bytes, result: step.done === true && isWhole(step.value) ? step.value : null };
  }

  /** Whether the shard is open, now at least, on a disk of this machine. */
  #isHere(path: string): boolean {
    return this.#shards.isOpenHere(path) || this.#open(path);
  }

  /**
   * Opens the next shard where that is as short as a read. Left to others, each new shard would cost as much as
   * reading ten batches: they begin to read ahead, and the consumer to wait.
   */
  #open(path: string): boolean {
    const shards = this.#shards;
    if (!shards.isNewBesideOneHere(path)) return false;
    try {
      const isHere = isHereNow(path);
      shards.opened(path, openSync(path, OPEN_FLAGS), isHere);
      const idle = shards.giveBack(path);
      if (idle !== null) closeSync(idle);
      return isHere;
    } catch {
      // Who reads it says what is wrong with it.
      return false;
    }
  }
}

function isWhole({ failures, sizes, done }: ReadResult): boolean {
  return failures.length === 0 && done === sizes.length;
}

/** The calls that read a job of neighbours, one for each of its shards; null where that is not so, or they are many. */
function runsOf(job: ReadJob, slab: ArrayBuffer): readonly JointRun[] | null {
  const whole = jointRun([{ job, slab }], 1);
  if (whole !== null) return [whole];
  const { locations, lengths, targetBytes } = job;
  const count = locations.length;
  const runs: JointRun[] = [];
  let start = 0;
  let at = job.startBytes;
  for (let end = 1; end <= count; end += 1) {
    if (end < count && locations[end] === locations[start]) continue;
    const part = partOf(job, start, end, at);
    const run = runs.length < CALLS_MAX ? jointRun([{ job: part, slab }], 1) : null;
    if (run === null) return null;
    runs.push(run);
    for (; start < end; start += 1) at += lengths[start] ?? 0;
  }
  return at - job.startBytes > targetBytes && count > 1 ? null : runs;
}

/** Samples [start, end) of the job, of which the first goes to slab byte `startBytes`. */
function partOf(job: ReadJob, start: number, end: number, startBytes: number): ReadJob {
  return {
    ...job,
    locations: job.locations.slice(start, end),
    offsets: job.offsets.subarray(start, end),
    lengths: job.lengths.subarray(start, end),
    startBytes,
  };
}
