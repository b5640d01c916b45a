import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { FakeClock } from '../testing/fake-clock.ts';
import { FileListingNotice, readNotice } from './listing-notice.ts';
import { BLOCK_BYTES, BLOCK_SAMPLES } from './stamps-format.ts';
import { thisProcess } from './process-identity.ts';
import type { LockHolder } from './lock-holder.ts';

const HOLDER: LockHolder = { ...thisProcess(), nonce: '0'.repeat(32) };

let folder: string;
let path: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mx8-notice-'));
  path = join(folder, 'listing', 'key');
});

after(async () => {
  await rm(folder, { recursive: true });
});

function noticeOf(clock: FakeClock, holder: LockHolder = HOLDER): FileListingNotice {
  const files = { spool: join(folder, 'a1'), stamps: join(folder, 'b2') };
  return new FileListingNotice(path, join(folder, 'c3'), clock, { holder, ...files });
}

async function said(): Promise<number | null> {
  return (await readNotice(path, folder))?.samples ?? null;
}

/** Files are written beside the clock, which stands still. */
async function until(samples: number): Promise<void> {
  while ((await said()) !== samples) await new Promise((resolve) => setImmediate(resolve));
}

test('a notice says in whole blocks what was listed, the last of it too, and is gone at the end', async () => {
  const clock = new FakeClock();
  const notice = noticeOf(clock);
  notice.listed(0);
  await until(0);
  notice.listed(BLOCK_SAMPLES + 5);
  notice.listed(2 * BLOCK_SAMPLES + 5);
  assert.equal(await said(), 0, 'not more often than now and then');
  await clock.advance(1000);
  await until(2 * BLOCK_SAMPLES);
  await notice.end();
  notice.listed(9 * BLOCK_SAMPLES);
  await clock.advance(1000);
  assert.equal(await said(), null);
  assert.ok(!existsSync(path));
});

test('who reads a notice opens both files, one where nothing is stamped, and none when the listing has ended', async () => {
  const clock = new FakeClock();
  const notice = noticeOf(clock);
  notice.listed(BLOCK_SAMPLES);
  await until(BLOCK_SAMPLES);
  const listing = await readNotice(path, folder);
  assert.equal(listing?.id, HOLDER.nonce);
  assert.equal(await listing.open(), null);
  writeFileSync(join(folder, 'b2'), Buffer.alloc(BLOCK_BYTES));
  assert.equal(await listing.open(), null);
  await rm(join(folder, 'b2'));
  writeFileSync(join(folder, 'a1'), 'lines');
  const packed = await listing.open();
  assert.equal(Buffer.from((await packed?.read(1, 3)) ?? []).toString(), 'in');
  assert.equal(await packed?.stamps(0, 2), null);
  await packed?.close();
  writeFileSync(join(folder, 'b2'), Buffer.alloc(BLOCK_BYTES));
  const files = await listing.open();
  assert.equal(Buffer.from((await files?.read(1, 3)) ?? []).toString(), 'in');
  assert.deepEqual([...((await files?.stamps(0, 2))?.bytes ?? [])], [0, 0]);
  await files?.close();
  await notice.end();
});

test('the notice of a process that is dead, or cannot be seen, counts for nothing, nor does anything else', async () => {
  const { pid } = spawnSync(process.execPath, ['--version']);
  for (const holder of [
    { ...HOLDER, pid },
    { ...HOLDER, host: 'elsewhere' },
  ]) {
    const notice = noticeOf(new FakeClock(), holder);
    notice.listed(BLOCK_SAMPLES);
    while (!existsSync(path)) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await said(), null);
    await notice.end();
  }
  const notice = noticeOf(new FakeClock());
  notice.listed(BLOCK_SAMPLES);
  await until(BLOCK_SAMPLES);
  const text = readFileSync(path, 'utf8');
  for (const damaged of ['', text.slice(0, -9), text.replace('"a1"', '"../a1"'), 'nothing\n{}']) {
    writeFileSync(path, damaged);
    assert.equal(await said(), null, damaged);
  }
  await notice.end();
});
