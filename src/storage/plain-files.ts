/**
 * Whole files as they should be, in a plain loop of system calls: open, read, close. A program of requests
 * takes a fifth longer for small files, as each call is handed through two generators. What is wrong with a
 * file is not said here: at the first one that is not as it was pinned the loop ends, and the program reads that
 * one again.
 */
import { closeSync, openSync, readSync } from 'node:fs';

import type { FilesInLine } from './io-request.ts';
import { OPEN_FLAGS } from './open-shards.ts';

/** Reads on in samples [files.index, end) for as long as `mayGoOn`, asked before each file, says. */
export function readPlainFiles(files: FilesInLine, end: number, mayGoOn: () => boolean): number {
  const { job, slab, isHere } = files;
  const start = files.index;
  while (files.index < end) {
    const { index, at } = files;
    const bytes = job.lengths[index] ?? -1;
    // A byte more than it should have, so that one that has grown is seen.
    if (bytes <= 0 || bytes > job.capBytes || !files.fits(bytes, at) || at + bytes >= slab.length) {
      break;
    }
    if (!mayGoOn() || !isWhole(job.locations[index] ?? '', slab, at, bytes, isHere)) break;
    files.done(bytes);
  }
  return files.index - start;
}

/** Reads the file to `slab` byte `at`; whether it has exactly so many bytes. */
function isWhole(
  path: string,
  slab: Uint8Array,
  at: number,
  bytes: number,
  isHere: boolean,
): boolean {
  let fd: number;
  try {
    fd = openSync(path, OPEN_FLAGS);
  } catch {
    return false;
  }
  let whole = false;
  try {
    const got = readSync(fd, slab, at, bytes + 1, null);
    // Far away less than was asked for may be given in the middle of a file; see `fill-files.ts`.
    whole = got === bytes && (isHere || readSync(fd, slab, at + bytes, 1, null) === 0);
  } catch {
    // Whoever reads it again is told.
  }
  try {
    closeSync(fd);
  } catch {
    // It is closed all the same, and there was nothing to be written.
  }
  return whole;
}
