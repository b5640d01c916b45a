/**
 * Whole files, one after the other: open, read until the end of the file, close. Nobody needs to know
 * a file's size beforehand: it is read into whatever room is left, and only one that fills that room
 * is asked for its size.
 */
import type { IoAnswer, IoProgram } from './io-request.ts';
import type { FillState } from './fill-state.ts';

/** Deals with samples [state.index, end) or stops before one that does not fit. */
export function* fillFiles(state: FillState, end: number): IoProgram<void> {
  while (state.index < end && state.nextBytes === 0) {
    const path = state.job.locations[state.index] ?? '';
    const fd = yield { op: 'open', path };
    if (typeof fd !== 'number') {
      state.fault(fd);
      continue;
    }
    const bytes: IoAnswer = yield* readToEnd(state, fd);
    yield { op: 'close', fd };
    settle(state, bytes);
  }
}

/**
 * Reads until a read answers 0, because only that is the end of a file: network file systems give less
 * than was asked for in the middle of one. Answers the file's size (which may be more than was read
 * when the room ended first), -1 when it is not a file, or the fault.
 */
function* readToEnd(state: FillState, fd: number): IoProgram<IoAnswer> {
  const room = state.slab.length - state.at;
  let got = 0;
  while (got < room) {
    const start = state.at + got;
    const read = yield { op: 'read', fd, start, length: room - got, position: null };
    if (typeof read !== 'number') return read;
    if (read === 0) return got;
    got += read;
  }
  const size = yield { op: 'fstat', fd };
  if (typeof size !== 'number' || size === -1) return size;
  return Math.max(size, got);
}

function settle(state: FillState, bytes: IoAnswer): void {
  const pinnedBytes = state.job.lengths[state.index] ?? -1;
  if (typeof bytes !== 'number') state.fault(bytes);
  else if (bytes === -1) state.fail('not_a_file');
  else if (pinnedBytes !== -1 && bytes !== pinnedBytes) state.fail('resized', bytes);
  else if (bytes === 0) state.fail('empty', 0);
  else if (bytes > state.job.capBytes) state.fail('too_large', bytes);
  else if (state.fits(bytes, state.at)) state.done(bytes);
  else state.nextBytes = bytes;
}
