/**
 * Whole files, one after the other: open, read until the end of the file, close. Nobody needs to know
 * a file's size beforehand: it is read into whatever room is left, and only one that fills that room
 * is asked for its size.
 *
 * Small files are read a hundred thousand times a second, so those that are as they were pinned are left
 * to `plain-files.ts` where that can be; requests are made once and changed, and all of it is one generator.
 */
import type { FillState } from './fill-state.ts';
import type { IoAnswer, IoProgram } from './io-request.ts';

/** Deals with samples [state.index, end) or stops before one that does not fit. */
export function* fillFiles(state: FillState, end: number): IoProgram<void> {
  const { slab } = state;
  const plain = { op: 'plain_files' as const, files: state, end };
  const open = { op: 'open' as const, path: '' };
  const read = { op: 'read' as const, fd: -1, start: 0, length: 0, position: null };
  const close = { op: 'close' as const, fd: -1 };
  while (state.index < end && state.nextBytes === 0) {
    yield plain;
    if (state.index === end) return;
    open.path = state.job.locations[state.index] ?? '';
    const fd = yield open;
    if (typeof fd !== 'number') {
      state.fault(fd);
      continue;
    }
    read.fd = fd;
    const pinnedBytes = state.job.lengths[state.index] ?? -1;
    // Until a read answers 0, because only that is surely the end of a file: network file systems give less
    // than was asked for in the middle of one, and so does a disk before a sector that is bad.
    let bytes: IoAnswer = 0;
    for (;;) {
      read.start = state.at + bytes;
      read.length = slab.length - read.start;
      if (read.length === 0) {
        const size: IoAnswer = yield { op: 'fstat', fd };
        bytes = typeof size !== 'number' || size === -1 ? size : Math.max(size, bytes);
        break;
      }
      const got: IoAnswer = yield read;
      if (typeof got !== 'number') {
        bytes = got;
        break;
      }
      if (got === 0) break;
      bytes += got;
      // A disk that was asked for more and ends where the file did when it was pinned, is at its end.
      if (state.isHere && bytes === pinnedBytes && got < read.length) break;
    }
    // A pipe that nobody writes to ends at once, and so do some devices.
    if (bytes === 0 && (yield { op: 'fstat', fd }) === -1) bytes = -1;
    close.fd = fd;
    yield close;
    settle(state, bytes);
  }
}

/** `bytes`: the file's size, even where that is more than there was room for; -1: it is not a file. */
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
