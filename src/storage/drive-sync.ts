/** Runs a reading program with synchronous calls; for reader threads, and for short reads. */
import { closeSync, constants, fstatSync, openSync, readSync, readvSync, statSync } from 'node:fs';

import type { IoAnswer, IoProgram, IoRequest } from './io-request.ts';
import { ioFault } from './io-request.ts';
import type { OpenShards } from './open-shards.ts';

/** Without waiting for a writer should the path name a pipe. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/** Thrown out of a program when `isCancelled` answers true; what it opened has been closed. */
export class ReadingCancelled extends Error {
  override readonly name: string = 'ReadingCancelled';
}

export interface SyncIo {
  readonly slab: Uint8Array;
  readonly shards: OpenShards;
  readonly isCancelled: () => boolean;
}

export function driveSync<T>(program: IoProgram<T>, io: SyncIo): T {
  let step = program.next();
  while (step.done !== true) {
    // Between two files, so that no descriptor of this job is open.
    if (step.value.op === 'open' && io.isCancelled()) throw new ReadingCancelled('cancelled');
    step = program.next(perform(step.value, io));
  }
  return step.value;
}

function perform(request: IoRequest, io: SyncIo): IoAnswer {
  try {
    return call(request, io);
  } catch (error) {
    return ioFault(error, request.op === 'acquire' ? 'open' : request.op);
  }
}

function call(request: IoRequest, io: SyncIo): number {
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
