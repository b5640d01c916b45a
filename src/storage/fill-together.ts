/**
 * Jobs with one system call, where each is a run of neighbours and begins in the shard where the one
 * before ends. Waking a thread for a call and hearing of its end cost as much as reading half a
 * batch from the page cache; so they are shared. For shards on disks of this machine only, as what lies
 * between two samples is overwritten; see `fill-extents.ts`.
 */
import { GAP_BYTES_MAX, PIECES_MAX, RUN_BYTES_MAX } from './fill-extents.ts';
import type { IoProgram } from './io-request.ts';
import type { ReadFailure, ReadJob, ReadResult } from './read-job.ts';

export interface PlacedJob {
  readonly job: ReadJob;
  readonly slab: ArrayBuffer;
}

/** Jobs that are read with one call, and the pieces that it fills. */
export interface JointRun {
  readonly path: string;
  readonly position: number;
  readonly views: readonly Uint8Array[];
  /** Bytes of the run in the shard, gaps included. */
  readonly bytes: number;
  /** How many jobs it reads; at least one. */
  readonly count: number;
}

/** From the page cache a fraction of a millisecond, from a slow disk some ten. */
const AT_ONCE_BYTES: number = 2 * 1024 ** 2;

const NO_FAILURES: readonly ReadFailure[] = [];

/** As many of `jobs`, from the first on, as one call can read; null where it cannot read the first. */
export function jointRun(jobs: readonly PlacedJob[], countMax: number): JointRun | null {
  const path = jobs[0]?.job.locations[0] ?? '';
  const position = jobs[0]?.job.offsets[0] ?? 0;
  const views: Uint8Array[] = [];
  let shardAt = position;
  let count = 0;
  for (const placed of jobs) {
    if (count === countMax) break;
    const pieces = views.length;
    const end = addJob(placed, path, shardAt, views);
    if (end === null || end - position > RUN_BYTES_MAX || views.length > PIECES_MAX) {
      views.length = pieces;
      break;
    }
    shardAt = end;
    count += 1;
  }
  return count === 0 ? null : { path, position, views, bytes: shardAt - position, count };
}

/**
 * Adds the pieces of the job, whose gaps go to where the sample after them goes. Answers where in the
 * shard it ends; null when it cannot be read on from `shardAt` in one go.
 */
function addJob(
  { job, slab }: PlacedJob,
  path: string,
  shardAt: number,
  views: Uint8Array[],
): number | null {
  const { locations, offsets, lengths, startBytes, capBytes, targetBytes } = job;
  let from = shardAt;
  let at = startBytes;
  let pieceStart = startBytes;
  for (let index = 0; index < locations.length; index += 1) {
    const offset = offsets[index] ?? -1;
    const length = lengths[index] ?? 0;
    const gap = offset - from;
    if (locations[index] !== path || offset < 0 || gap < 0 || gap > GAP_BYTES_MAX) return null;
    if (length > capBytes || at + Math.max(gap, length) > slab.byteLength) return null;
    if (gap > 0) {
      views.push(new Uint8Array(slab, pieceStart, at + gap - pieceStart));
      pieceStart = at;
    }
    at += length;
    from = offset + length;
  }
  if (at - startBytes > targetBytes && locations.length > 1) return null;
  views.push(new Uint8Array(slab, pieceStart, at - pieceStart));
  return from;
}

/** Whether it reads so little that one call may read it all, whoever waits. */
export function isReadAtOnce({ bytes }: JointRun): boolean {
  return bytes <= AT_ONCE_BYTES;
}

/**
 * Whether all of it was read. If not, each job is to be read by itself, which says why. With `mayGoOn`, who is
 * not to stand still for long is asked before each call but the first, none of which reads much; else one call
 * reads it all.
 */
export function* fillTogether(run: JointRun, mayGoOn?: () => boolean): IoProgram<boolean> {
  const { path, position, views, bytes } = run;
  const fd = yield { op: 'acquire', path };
  if (typeof fd !== 'number') return false;
  const calls = mayGoOn === undefined || isReadAtOnce(run) ? [views] : callsOf(views);
  let done = 0;
  for (const call of calls) {
    if (done > 0 && mayGoOn?.() === false) break;
    const wanted = calls.length === 1 ? bytes : bytesOf(call);
    const read = yield { op: 'readv', fd, views: call, position: position + done };
    if (read !== wanted) break;
    done += wanted;
  }
  yield { op: 'give_back', path };
  return done === bytes;
}

/** The pieces in their order, for several calls of at most `AT_ONCE_BYTES`. */
function callsOf(views: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const calls: Uint8Array[][] = [];
  let room = 0;
  for (const view of views) {
    for (let at = 0; at < view.length;) {
      if (room === 0) {
        calls.push([]);
        room = AT_ONCE_BYTES;
      }
      const piece = view.subarray(at, at + room);
      calls.at(-1)?.push(piece);
      at += piece.length;
      room -= piece.length;
    }
  }
  return calls;
}

function bytesOf(views: readonly Uint8Array[]): number {
  return views.reduce((sum, view) => sum + view.length, 0);
}

/** What became of a job that was read together with others. */
export function wholeResult({ lengths }: ReadJob): ReadResult {
  return { sizes: lengths, failures: NO_FAILURES, done: lengths.length, nextBytes: 0 };
}
