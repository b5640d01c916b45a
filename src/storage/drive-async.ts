/** Runs a reading program through Node's thread pool; nothing blocks this thread. */
import { close, fstat, open, read, readv, stat } from 'node:fs';

import type { IoAnswer, IoProgram, IoRequest } from './io-request.ts';
import { ioFault } from './io-request.ts';
import { askWhetherHere } from './local-disks.ts';
import { OPEN_FLAGS } from './open-shards.ts';
import type { OpenShards } from './open-shards.ts';

export interface AsyncIo {
  readonly slab: Uint8Array;
  readonly shards: OpenShards;
}

/** `begun`: where the program stands, when somebody has driven it already. */
export function driveAsync<T>(
  program: IoProgram<T>,
  io: AsyncIo,
  begun?: IteratorResult<IoRequest, T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const go = (last: IoAnswer | undefined): void => {
      try {
        let step = last === undefined ? (begun ?? program.next()) : program.next(last);
        // What needs no waiting is answered in place.
        while (step.done !== true) {
          const answer = perform(step.value, io, go);
          if (answer === null) return;
          step = program.next(answer);
        }
        resolve(step.value);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    go(undefined);
  });
}

/** The answer, or null when `done` will be called with it. */
function perform(
  request: IoRequest,
  io: AsyncIo,
  done: (answer: IoAnswer) => void,
): IoAnswer | null {
  const { op } = request;
  const settle = (error: Error | null, answer: number): void => {
    done(error === null ? answer : ioFault(error, op));
  };
  switch (op) {
    case 'open':
      open(request.path, OPEN_FLAGS, settle);
      return null;
    case 'read':
      read(request.fd, io.slab, request.start, request.length, request.position, settle);
      return null;
    case 'close':
      close(request.fd, (error) => settle(error ?? null, 0));
      return null;
    case 'acquire':
      return acquire(request.path, io.shards, done);
    case 'plain_files':
      return 0;
    case 'is_here':
      return io.shards.isOpenHere(request.path) ? 1 : 0;
    case 'readv':
      readv(request.fd, request.views, request.position, settle);
      return null;
    case 'give_back': {
      const idle = io.shards.giveBack(request.path);
      if (idle === null) return 0;
      close(idle, (error) => settle(error ?? null, 0));
      return null;
    }
    case 'fstat':
      fstat(request.fd, (error, stats) => settle(error, error === null ? sizeOf(stats) : -1));
      return null;
    case 'stat':
      stat(request.path, (error, stats) => settle(error, error === null ? sizeOf(stats) : -1));
      return null;
    default:
      return request satisfies never;
  }
}

function acquire(
  path: string,
  shards: OpenShards,
  done: (answer: IoAnswer) => void,
): IoAnswer | null {
  const shared = shards.acquire(path);
  if (shared !== null) return shared;
  open(path, OPEN_FLAGS, (error, fd) => {
    if (error !== null) {
      done(ioFault(error, 'open'));
      return;
    }
    askWhetherHere(path, (isHere) => {
      const { fd: used, surplus } = shards.opened(path, fd, isHere);
      if (surplus === null) done(used);
      else close(surplus, () => done(used));
    });
  });
  return null;
}

function sizeOf(stats: { isFile(): boolean; readonly size: number }): number {
  return stats.isFile() ? stats.size : -1;
}
