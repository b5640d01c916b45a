/** Runs a reading program with synchronous calls; for reader threads, and for short reads. */
import { closeSync, fstatSync, openSync, readSync, readvSync, statSync } from 'node:fs';

import type { JointRun } from './fill-together.ts';
import type { IoAnswer, IoProgram, IoRequest } from './io-request.ts';
import { ioFault } from './io-request.ts';
import { OPEN_FLAGS } from './open-shards.ts';
import type { OpenShards } from './open-shards.ts';
import { readPlainFiles } from './plain-files.ts';

const NO_MEMORY = new Uint8Array(0);

/** Thrown out of a program when `isCancelled` answers true; what it opened has been closed. */
export class ReadingCancelled extends Error {
  override readonly name: string = 'ReadingCancelled';
}

export interface SyncIo {
  readonly slab: Uint8Array;
  readonly shards: OpenShards;
  /** Asked before each file, when no descriptor of this job is open. */
  readonly isCancelled: () => boolean;
}

export function driveSync<T>(program: IoProgram<T>, io: SyncIo): T {
  const step = driveSyncWhile(program, io, () => !io.isCancelled());
  if (step.done !== true) throw new ReadingCancelled('cancelled');
  return step.value;
}

/** Drives it for as long as `mayGoOn`, asked before each file, says; answers where it stands then. */
export function driveSyncWhile<T>(
  program: IoProgram<T>,
  io: Omit<SyncIo, 'isCancelled'>,
  mayGoOn: () => boolean,
): IteratorResult<IoRequest, T> {
  let step = program.next();
  while (step.done !== true) {
    const request = step.value;
    if (request.op === 'plain_files') {
      step = program.next(readPlainFiles(request.files, request.end, mayGoOn));
    } else {
      if (request.op === 'open' && !mayGoOn()) break;
      step = program.next(perform(request, io));
    }
  }
  return step;
}

/** Does what `fillTogether` does with a run that is read with one call. */
export function readRunSync(
  { path, position, views, bytes }: JointRun,
  shards: OpenShards,
): boolean {
  const io = { slab: NO_MEMORY, shards };
  const fd = perform({ op: 'acquire', path }, io);
  if (typeof fd !== 'number') return false;
  const read = perform({ op: 'readv', fd, views, position }, io);
  perform({ op: 'give_back', path }, io);
  return read === bytes;
}

/** Those that are answered with one system call. */
type CallRequest = Exclude<IoRequest, { op: 'plain_files' }>;

function perform(request: CallRequest, io: Omit<SyncIo, 'isCancelled'>): IoAnswer {
  try {
    return call(request, io);
  } catch (error) {
    return ioFault(error, request.op === 'acquire' ? 'open' : request.op);
  }
}

function call(request: CallRequest, io: Omit<SyncIo, 'isCancelled'>): number {
  switch (request.op) {
    case 'open':
      return openSync(request.path, OPEN_FLAGS);
    case 'read':
      return readSync(request.fd, io.slab, request.start, request.length, request.position);
    case 'close':
      closeSync(request.fd);
      return 0;
    case 'acquire': {
      const open = io.shards.acquire(request.path);
      return open ?? io.shards.opened(request.path, openSync(request.path, OPEN_FLAGS), false).fd;
    }
    case 'is_here':
      return io.shards.isOpenHere(request.path) ? 1 : 0;
    case 'readv':
      return readvSync(request.fd, request.views, request.position);
    case 'give_back': {
      const idle = io.shards.giveBack(request.path);
      if (idle !== null) closeSync(idle);
      return 0;
    }
    case 'fstat':
      return sizeOf(fstatSync(request.fd));
    case 'stat':
      return sizeOf(statSync(request.path));
    default:
      return request satisfies never;
  }
}

function sizeOf(stats: { isFile(): boolean; readonly size: number }): number {
  return stats.isFile() ? stats.size : -1;
}
