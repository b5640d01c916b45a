/**
 * Records of packed shards. Neighbours in one shard are read with one system call, scattered into
 * their places.
 *
 * What lies between two of them in the shard (headers and padding of a tar) is read to where the
 * second one goes, which then overwrites it, as the pieces of a call are filled one after the other.
 * With one piece for each sample and not two, a call takes a tenth less time. A file system that asks
 * a server for several parts of a call at once may answer them in any order, so that is done on disks
 * of this machine only; elsewhere the gaps go to scratch memory.
 */
import type { IoAnswer, IoProgram } from './io-request.ts';
import type { FillState } from './fill-state.ts';

/** Most scattered pieces of one call; the kernel takes 1024. */
export const PIECES_MAX = 1000;
/** Cancelling waits for at most one call of this many bytes. */
export const RUN_BYTES_MAX: number = 16 * 1024 ** 2;
/** A wider gap costs more to read than another call. */
export const GAP_BYTES_MAX: number = 32 * 1024;

interface Run {
  readonly position: number;
  readonly views: readonly Uint8Array[];
  /** Bytes of the run in the shard, gaps included. */
  readonly bytes: number;
  /** One past its last sample. */
  readonly end: number;
}

/** Deals with samples [state.index, end). */
export function* fillExtents(state: FillState, end: number, scratch: Uint8Array): IoProgram<void> {
  while (state.index < end) {
    const length = state.job.lengths[state.index] ?? 0;
    if (length > state.job.capBytes) {
      state.fail('too_large', length);
      continue;
    }
    if (!state.fits(length, state.at)) {
      // Files of unknown size before it took more room than was expected.
      state.nextBytes = length;
      return;
    }
    const path = state.job.locations[state.index] ?? '';
    const fd = yield { op: 'acquire', path };
    if (typeof fd !== 'number') {
      while (state.index < end && state.job.locations[state.index] === path) state.fault(fd);
      continue;
    }
    const mayOverlap = (yield { op: 'is_here', path }) === 1;
    const run = nextRun(state, end, mayOverlap ? null : scratch);
    const { views, position } = run;
    const read = yield { op: 'readv', fd, views, position };
    if (read === run.bytes) {
      while (state.index < run.end) state.done(state.job.lengths[state.index] ?? 0);
    } else {
      yield* readSingly(state, fd, run.end);
    }
    yield { op: 'give_back', path };
  }
}

/** The longest run of neighbours from the next sample on; without scratch memory its views overlap. */
function nextRun(state: FillState, end: number, scratch: Uint8Array | null): Run {
  const { job, slab } = state;
  const { locations, offsets, lengths } = job;
  const path = locations[state.index] ?? '';
  const position = offsets[state.index] ?? 0;
  const views: Uint8Array[] = [];
  let index = state.index;
  let at = state.at;
  let shardAt = position;
  // Neighbours without a gap are one piece.
  let pieceStart = at;
  while (index < end && locations[index] === path) {
    const length = lengths[index] ?? 0;
    const gap = (offsets[index] ?? 0) - shardAt;
    if (gap < 0 || gap > GAP_BYTES_MAX || length > job.capBytes) break;
    if (!state.fits(length, at)) break;
    const bytes = shardAt + gap + length - position;
    if (index > state.index && (bytes > RUN_BYTES_MAX || views.length + 3 > PIECES_MAX)) break;
    if (gap > 0) {
      if (scratch !== null) {
        views.push(slab.subarray(pieceStart, at), scratch.subarray(0, gap));
      } else if (at + gap <= slab.length) {
        views.push(slab.subarray(pieceStart, at + gap));
      } else {
        break;
      }
      pieceStart = at;
    }
    at += length;
    shardAt += gap + length;
    index += 1;
  }
  views.push(slab.subarray(pieceStart, at));
  return { position, views, bytes: shardAt - position, end: index };
}

/** The run could not be read in one go: reads each sample by itself and so finds the bad ones. */
function* readSingly(state: FillState, fd: number, end: number): IoProgram<void> {
  const { job } = state;
  while (state.index < end) {
    const length = job.lengths[state.index] ?? 0;
    const got: IoAnswer = yield* readExtent(state, fd, job.offsets[state.index] ?? 0, length);
    if (typeof got !== 'number') state.fault(got);
    else if (got < length) state.fail('short', got);
    else state.done(length);
  }
}

function* readExtent(
  state: FillState,
  fd: number,
  offset: number,
  length: number,
): IoProgram<IoAnswer> {
  let got = 0;
  while (got < length) {
    const start = state.at + got;
    const read = yield { op: 'read', fd, start, length: length - got, position: offset + got };
    if (typeof read !== 'number') return read;
    if (read === 0) break;
    got += read;
  }
  return got;
}
