/** A disk that fills up when the test wants it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

export interface SmallDisk {
  grow(bytes: number): void;
  remove(): void;
}

/** A file system of its own size at `path`; null where this process may not make one. */
export function smallDisk(path: string, bytes: number): SmallDisk | null {
  mkdirSync(path);
  const mount = (...args: string[]): boolean => spawnSync('mount', args).status === 0;
  if (!mount('-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path)) return null;
  return {
    grow: (size) => assert(mount('-o', `remount,size=${size}`, path), 'the disk grows'),
    remove: () => assert.equal(spawnSync('umount', [path]).status, 0, 'the disk is unmounted'),
  };
}
