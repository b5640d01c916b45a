import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import { crc32 } from 'node:zlib';
import type { Mx8Error } from '../core/base/errors.ts';
import type { LogStore } from '../ports/log-store.ts';
import { EagerClock } from '../../test/support/eager-clock.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { type KvFate, MemoryKv, MemoryKvDisk } from '../testing/memory-kv.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { runLogStoreSuite } from './conformance.ts';
import { MemoryLog, MemoryLogDisk } from './memory-log.ts';
import { SlotLog } from './slot-log.ts';
import { SqliteLog } from './sqlite-log.ts';

runLogStoreSuite({
  name: 'memory',
  create: () => {
    const disk = new MemoryLogDisk();
    return Promise.resolve({
      store: new MemoryLog(disk),
      reopen: () => new MemoryLog(disk),
      cleanUp: () => Promise.resolve(),
    });
  },
});

runLogStoreSuite({
  name: 'sqlite',
  create: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mx8-log-'));
    const opened: LogStore[] = [];
    const open = (): LogStore => {
      const store = new SqliteLog(join(folder, 'coordinator.sqlite'));
      opened.push(store);
      return store;
    };
    return {
      store: open(),
      reopen: open,
      cleanUp: async () => {
        for (const store of opened) await store.close();
        await rm(folder, { recursive: true });
      },
    };
  },
});

runLogStoreSuite({
  name: 'slots of a key-value store',
  create: () => {
    const disk = new MemoryKvDisk();
    let seed = 0;
    const open = (): LogStore => {
      seed += 1;
      return new SlotLog({
        kv: new MemoryKv({ disk }),
        prefix: 'mx8/test/log/',
        clock: new FakeClock(),
        random: seededRandom(seed),
        giveUpAfterMs: 1000,
      });
    };
    return Promise.resolve({ store: open(), reopen: open, cleanUp: () => Promise.resolve() });
  },
});

async function withFile(body: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'mx8-log-'));
  try {
    await body(join(folder, 'coordinator.sqlite'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function filled(path: string): Promise<void> {
  const log = new SqliteLog(path);
  await log.claim(0, 1, 'a');
  for (let seq = 2; seq < 600; seq += 1) await log.append(seq, 1, new Uint8Array([seq & 255]), 'n');
  await log.close();
}

async function readAll(path: string): Promise<number> {
  const log = new SqliteLog(path);
  try {
    let count = 0;
    for await (const entry of (await log.load()).entries) count += entry.payload.length;
    return count;
  } finally {
    await log.close();
  }
}

test('a changed entry is refused with its number, not skipped', async () => {
  await withFile(async (path) => {
    await filled(path);
    assert.equal(await readAll(path), 598);
    const db = new DatabaseSync(path);
    db.exec("UPDATE entry SET payload = x'ff' WHERE seq = 300");
    db.close();
    await assert.rejects(readAll(path), /entry 300 does not match its checksum/);
  });
});

test('a missing entry is refused with its number', async () => {
  await withFile(async (path) => {
    await filled(path);
    const db = new DatabaseSync(path);
    db.exec('DELETE FROM entry WHERE seq = 257');
    db.close();
    await assert.rejects(readAll(path), /entry 257 is missing/);
  });
});

test('an entry that stands in another slot is refused', async () => {
  await withFile(async (path) => {
    await filled(path);
    const db = new DatabaseSync(path);
    db.exec(
      'UPDATE entry SET seq = -1 WHERE seq = 300; UPDATE entry SET seq = 300 WHERE seq = 301',
    );
    db.exec('UPDATE entry SET seq = 301 WHERE seq = -1');
    db.close();
    await assert.rejects(readAll(path), /entry 300 does not match its checksum/);
  });
});

for (const [what, change] of [
  ['a snapshot that says another place', 'UPDATE snapshot SET seq = 301'],
  ['a tail that is not the last entry', 'UPDATE meta SET tail_seq = 598'],
  ['an epoch that is not the last entry’s', 'UPDATE meta SET epoch = 7'],
  ['a boundary beyond the snapshot', 'UPDATE meta SET trimmed_seq = 400'],
] as const) {
  test(`${what} is refused`, async () => {
    await withFile(async (path) => {
      await filled(path);
      const log = new SqliteLog(path);
      await log.snapshot(300, 1, new Uint8Array(5));
      await log.close();
      assert.equal(await readAll(path), 299);
      const db = new DatabaseSync(path);
      db.exec(change);
      db.close();
      await assert.rejects(readAll(path), { code: 'coordinator_state_invalid' });
    });
  });
}

test('a snapshot with the checksum of an older mx8 is read', async () => {
  await withFile(async (path) => {
    const log = new SqliteLog(path);
    await log.claim(0, 1, 'a');
    await log.snapshot(1, 1, new Uint8Array([1, 2, 3]));
    await log.close();
    const db = new DatabaseSync(path);
    db.prepare('UPDATE snapshot SET crc = ?').run(crc32(new Uint8Array([1, 2, 3])));
    db.close();
    assert.equal(await readAll(path), 0);
  });
});

test('whoever reads entries that a leader trims meanwhile is not told of damage', async () => {
  await withFile(async (path) => {
    await filled(path);
    const [reader, leader] = [new SqliteLog(path), new SqliteLog(path)];
    const { entries } = await reader.load();
    await leader.snapshot(500, 1, new Uint8Array(1));
    await leader.trim(500, 1);
    let lastSeq = 0;
    for await (const entry of entries) lastSeq = entry.seq;
    assert.equal(lastSeq, 0);
    assert.deepEqual(await reader.follow(lastSeq), { type: 'trimmed', trimmedSeq: 500 });
    for (const log of [reader, leader]) await log.close();
  });
});

test('a damaged page of the file is refused, not skipped', async () => {
  await withFile(async (path) => {
    await filled(path);
    const bytes = await readFile(path);
    // The last page holds entries; the header and the schema stay readable.
    bytes.fill(0xa5, bytes.length - 4096);
    await writeFile(path, bytes);
    await assert.rejects(readAll(path), { code: 'coordinator_state_invalid' });
  });
});

test('a write that finds another process writing is refused for now, and may be tried again', async () => {
  await withFile(async (path) => {
    const log = new SqliteLog(path);
    await log.claim(0, 1, 'a');
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    await assert.rejects(log.append(2, 1, new Uint8Array([1]), 'n'), {
      code: 'store_unavailable',
      retryable: true,
    });
    await assert.rejects(log.claim(1, 2, 'b'), { code: 'store_unavailable' });
    assert.equal((await log.follow(0)).type, 'entries', 'reading goes on');
    other.exec('ROLLBACK');
    other.close();
    assert.deepEqual(await log.append(2, 1, new Uint8Array([1]), 'n'), { type: 'ok' });
    await log.close();
  });
});

test('after a write that failed nothing is written any more', async () => {
  await withFile(async (path) => {
    const log = new SqliteLog(path);
    await log.claim(0, 1, 'a');
    const other = new DatabaseSync(path);
    other.exec(
      "CREATE TRIGGER full BEFORE INSERT ON entry BEGIN SELECT raise(ABORT, 'disk full'); END",
    );
    const failed = { code: 'coordinator_state_write_failed', message: /disk full/ };
    await assert.rejects(log.append(2, 1, new Uint8Array(1), 'n'), failed);
    other.exec('DROP TRIGGER full');
    other.close();
    await assert.rejects(log.append(2, 1, new Uint8Array(1), 'n'), failed);
    assert.equal((await log.load()).tailSeq, 1);
    await log.close();
  });
});

test('state of a newer version is refused with a sentence and left as it is', async () => {
  await withFile(async (path) => {
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 99');
    db.close();
    const before = await readFile(path);
    assert.throws(() => new SqliteLog(path), { code: 'coordinator_state_newer' });
    assert.deepEqual(await readFile(path), before);
  });
});

test('a file that is no database is refused and left as it is', async () => {
  await withFile(async (path) => {
    await writeFile(
      path,
      'this is a text file, and rather longer than a header would be'.repeat(20),
    );
    assert.throws(() => new SqliteLog(path), { code: 'coordinator_state_invalid' });
  });
});

test('a claim after a write of unknown outcome may write again, whether that write landed or not', async () => {
  for (const type of ['drop', 'lose_answer'] as const) {
    const disk = new MemoryKvDisk();
    let isAway = false;
    const kv = new MemoryKv({ disk, plan: () => ({ type: isAway ? type : 'apply' }) });
    const random = seededRandom(1);
    const clock = new EagerClock();
    const log = new SlotLog({ kv, prefix: 'log/', clock, random, giveUpAfterMs: 1000 });
    await log.claim(0, 1, 'a');
    isAway = true;
    await assert.rejects(log.append(2, 1, new Uint8Array([1]), 'n'), {
      code: 'store_outcome_unknown',
    });
    isAway = false;
    await assert.rejects(log.append(2, 1, new Uint8Array([1]), 'n'), {
      code: 'store_outcome_unknown',
    });
    const { tailSeq } = await log.load();
    assert.equal((await log.claim(tailSeq, 2, 'a')).type, 'won');
    assert.deepEqual(await log.append(tailSeq + 2, 2, new Uint8Array([2]), 'm'), { type: 'ok' });
  }
});

test('a write that was under way at the next claim spoils nothing of that epoch, whatever it comes to', async () => {
  const fates = [
    { fate: { type: 'hang' }, comesTo: 'store_outcome_unknown' },
    { fate: { type: 'apply', answerDelayMs: 900 }, comesTo: 'ok' },
  ] as const;
  for (const { fate, comesTo } of fates) {
    let next: KvFate | null = null;
    const clock = new FakeClock();
    const plan = (): KvFate => {
      const chosen = next ?? { type: 'apply' };
      next = null;
      return chosen;
    };
    const kv = new MemoryKv({ plan, clock });
    const random = seededRandom(1);
    const log = new SlotLog({ kv, prefix: 'log/', clock, random, giveUpAfterMs: 1000 });
    await log.claim(0, 1, 'a');
    next = fate;
    const former = log.append(2, 1, new Uint8Array([1]), 'n').then(
      ({ type }) => type,
      ({ code }: Mx8Error) => code,
    );
    const { tailSeq } = await log.load();
    assert.equal((await log.claim(tailSeq, 2, 'a')).type, 'won');
    await clock.advance(1000);
    assert.equal(await former, comesTo);
    assert.deepEqual(await log.append(tailSeq + 2, 2, new Uint8Array([2]), 'm'), { type: 'ok' });
  }
});
