import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { HeldLocks, startTimeOf } from './lock-holders.ts';

async function withFiles(
  body: (path: string, inodes: { readonly file: number; readonly shm: number }) => void,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'mx8-locks-'));
  try {
    const path = join(folder, 'a.sqlite');
    await writeFile(path, '');
    await writeFile(`${path}-shm`, '');
    body(path, { file: statSync(path).ino, shm: statSync(`${path}-shm`).ino });
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('the writer of a database is whoever holds the write byte of its shared memory', async () => {
  await withFiles((path, { file, shm }) => {
    const locks = new HeldLocks(
      [
        `1: POSIX  ADVISORY  READ 11 fe:00:${shm} 120 120`,
        `2: POSIX  ADVISORY  WRITE 12 fe:00:${shm} 121 121`,
        `3: POSIX  ADVISORY  WRITE 13 fe:00:${file} 1073741824 1073742335`,
        `3: -> POSIX  ADVISORY  WRITE 14 fe:00:${shm} 120 120`,
        `4: POSIX  ADVISORY  WRITE 15 fe:00:${shm} 120 123`,
        '',
      ].join('\n'),
    );
    assert.equal(locks.writerOf(path), 15);
    assert.equal(locks.holderOf(path), 13);
  });
});

test('nobody holds what is not there, or is only read or waited for', async () => {
  await withFiles((path, { file, shm }) => {
    const locks = new HeldLocks(
      [
        `1: POSIX  ADVISORY  READ 11 fe:00:${shm} 120 120`,
        `1: -> POSIX  ADVISORY  WRITE 12 fe:00:${file} 0 EOF`,
        `2: FLOCK  ADVISORY  WRITE 13 fe:00:${file} 0 EOF`,
      ].join('\n'),
    );
    assert.equal(locks.writerOf(path), null);
    assert.equal(locks.holderOf(path), null);
    assert.equal(locks.holderOf(`${path}-elsewhere`), null);
  });
});

test('a process has a start time, a number of none has not', () => {
  assert.match(startTimeOf(process.pid) ?? '', /^\d+$/);
  assert.equal(startTimeOf(2 ** 30), null);
});
