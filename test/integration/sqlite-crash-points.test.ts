/**
 * Crash points of the log in SQLite. The files are copied as they are after each step of a history,
 * while the log is open; a crash is shown by what such a copy would have been after it:
 *
 *   before, lost    the copy without a step's bytes in the write-ahead log
 *   after           the copy with all of them
 *   torn            with some of them: cut off, followed by garbage, or with an early page missing
 *   lost rename     SQLite renames nothing; it removes its write-ahead log: that removal lost
 *   torn checkpoint the database half new and half old, with the write-ahead log still there
 *   bit flip        in the closed file
 *   ENOSPC          a file system that is full, where this user may mount one
 *   EIO             a limit on the size of files, at which the kernel fails writes (EFBIG), in a process
 *                   of its own. A sync that fails takes the same way through the code; no means without
 *                   a device of its own makes one fail.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkAfterCrash, checkGoesOn, runHistory, Told } from '../../src/log/crash-conformance.ts';
import { SqliteLog } from '../../src/log/sqlite-log.ts';
import type { LogStore } from '../../src/ports/log-store.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';

const FILLER = fileURLToPath(new URL('./fixtures/log-filler.ts', import.meta.url));

/** A frame of the write-ahead log: a head and one page. */
const FRAME_BYTES = 24 + 4096;

interface Files {
  readonly db: Buffer;
  readonly wal: Buffer;
}

/** The files and what had been told when they were like that. */
interface Image extends Files {
  readonly told: Told;
}

function copyOf(told: Told): Told {
  const copy = new Told();
  copy.answered.push(...told.answered);
  copy.failed.push(...told.failed);
  copy.trimmedSeq = told.trimmedSeq;
  return copy;
}

function read(path: string): Buffer {
  return existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
}

/** Runs the history; images from before its first step to after its last, then the closed file. */
async function recorded(folder: TemporaryFolder): Promise<{ images: Image[]; closed: Image }> {
  const path = folder.join('history.sqlite');
  const opened: LogStore[] = [];
  const open = (): LogStore => {
    const log = new SqliteLog(path);
    opened.push(log);
    return log;
  };
  const told = new Told();
  const images: Image[] = [];
  const take = (): Image => ({ db: read(path), wal: read(`${path}-wal`), told: copyOf(told) });
  await runHistory(
    () => {
      const log = open();
      if (images.length === 0) images.push(take());
      return log;
    },
    told,
    () => images.push(take()),
  );
  for (const log of opened) await log.close();
  return { images, closed: take() };
}

/** Opens copies of files, each in turn under a name of its own, and removes them. */
class Bench {
  readonly #folder: TemporaryFolder;
  count = 0;

  constructor(folder: TemporaryFolder) {
    this.#folder = folder;
  }

  async with(files: Files, body: (open: () => LogStore) => Promise<void>): Promise<void> {
    this.count += 1;
    const path = this.#folder.join(`image-${this.count}.sqlite`);
    writeFileSync(path, files.db);
    if (files.wal.length > 0) writeFileSync(`${path}-wal`, files.wal);
    const opened: LogStore[] = [];
    const open = (): LogStore => {
      const log = new SqliteLog(path);
      opened.push(log);
      return log;
    };
    try {
      await body(open);
    } finally {
      for (const log of opened) await log.close();
      for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
    }
  }

  async check(files: Files, told: Told): Promise<readonly string[]> {
    let texts: readonly string[] = [];
    await this.with(files, async (open) => {
      texts = await checkAfterCrash(open(), told);
      await checkGoesOn(open, texts);
    });
    return texts;
  }
}

/** What had been told when the step from `before` to `after` was under way. */
function duringStep(before: Image, after: Image): Told {
  const told = copyOf(before.told);
  const isAnswer = after.told.answered.length > before.told.answered.length;
  told.waiting = isAnswer ? (after.told.answered.at(-1) ?? null) : null;
  return told;
}

/** Where a step's bytes may end: around the ends of its first and last frames, and within them. */
function cutsOf(before: Image, after: Image): readonly number[] {
  const [start, end] = [before.wal.length, after.wal.length];
  const cuts = new Set<number>([start, end - 1]);
  const frames = Math.floor((end - start) / FRAME_BYTES);
  for (const frame of [0, 1, 2, frames - 2, frames - 1]) {
    const at = end - (frames - frame) * FRAME_BYTES;
    for (const cut of [at, at + 1, at + 24, at + 2048, at + FRAME_BYTES - 1]) {
      if (frame >= 0 && cut > start && cut < end) cuts.add(cut);
    }
  }
  return [...cuts];
}

test('after a crash at any byte of any step all promises hold', async (t) => {
  await using folder = await temporaryFolder();
  const { images } = await recorded(folder);
  const bench = new Bench(folder);
  for (const [index, after] of images.entries()) {
    const before = images[index - 1];
    if (before === undefined) continue;
    await bench.check(after, after.told);
    if (after.wal.length === before.wal.length) continue;
    assert(after.db.equals(before.db), 'all that a step writes is in the write-ahead log');
    const told = duringStep(before, after);
    for (const cut of cutsOf(before, after)) {
      const whole = after.wal.subarray(0, cut);
      const torn = Buffer.concat([whole, Buffer.alloc(after.wal.length - cut, 0xa5)]);
      for (const wal of [whole, torn]) await bench.check({ db: after.db, wal }, told);
    }
    const holed = Buffer.from(after.wal);
    holed.fill(0, before.wal.length, before.wal.length + FRAME_BYTES);
    await bench.check({ db: after.db, wal: holed }, told);
  }
  t.diagnostic(`${bench.count} crashes`);
  assert(bench.count > 200, `only ${bench.count} crashes`);
});

test('a checkpoint that was torn, or whose removal of the write-ahead log was lost, loses nothing', async () => {
  await using folder = await temporaryFolder();
  const { images, closed } = await recorded(folder);
  const bench = new Bench(folder);
  const last = images.at(-1);
  assert(last !== undefined && closed.wal.length === 0);
  for (let cut = 0; cut <= closed.db.length; cut += 4096) {
    const old = Buffer.alloc(Math.max(0, closed.db.length - cut));
    last.db.subarray(cut).copy(old);
    const db = Buffer.concat([closed.db.subarray(0, cut), old]);
    const texts = await bench.check({ db, wal: last.wal }, last.told);
    assert.deepEqual(texts, last.told.answered);
  }
});

/** A log whose file is full of what counts. */
async function packed(path: string): Promise<Image> {
  const log = new SqliteLog(path);
  const told = new Told();
  await log.claim(0, 1, 'a');
  told.answered.push('1:');
  for (let seq = 2; seq <= 60; seq += 1) {
    const text = `entry ${seq} `.padEnd(300, 'abc');
    await log.append(seq, 1, new TextEncoder().encode(text), `n${seq}`);
    told.answered.push(`1:${text}`);
    if (seq === 10) await log.snapshot(seq, 1, new TextEncoder().encode(told.answered.join('\n')));
  }
  await log.close();
  return { db: read(path), wal: Buffer.alloc(0), told };
}

test('a bit that flipped is refused as damage of the state, or is where nothing is', async (t) => {
  await using folder = await temporaryFolder();
  const { db: whole, wal, told } = await packed(folder.join('packed.sqlite'));
  const bench = new Bench(folder);
  let refused = 0;
  for (let at = 0; at < whole.length; at += 29) {
    const db = Buffer.from(whole);
    db[at] = (db[at] ?? 0) ^ (1 << (at % 8));
    try {
      await bench.with({ db, wal }, async (open) => {
        assert.deepEqual(await checkAfterCrash(open(), told), told.answered);
      });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : null;
      const isSaid = code === 'coordinator_state_invalid' || code === 'coordinator_state_newer';
      assert(isSaid, `byte ${at}: ${String(error)}`);
      refused += 1;
    }
  }
  t.diagnostic(`${refused} of ${bench.count} flips refused`);
  assert(refused * 4 > bench.count, `only ${refused} of ${bench.count} refused`);
});

test('a bit that flipped in the write-ahead log is refused with its place, and takes nothing along', async (t) => {
  await using folder = await temporaryFolder();
  const { images } = await recorded(folder);
  const bench = new Bench(folder);
  const [last, one] = [images.at(-1), images.at(-2)];
  assert(last !== undefined && one !== undefined);
  let refused = 0;
  // The last step is what a torn write looks like. So do a frame's own checksum and salts.
  for (let at = 13; at < one.wal.length; at += 1009) {
    const inFrame = (at - 32) % FRAME_BYTES;
    if (inFrame >= 8 && inFrame < 24) continue;
    const wal = Buffer.from(last.wal);
    wal[at] = (wal[at] ?? 0) ^ (1 << (at % 8));
    await bench.with({ db: last.db, wal }, async (open) => {
      assert.throws(
        open,
        { code: 'coordinator_state_invalid', message: /write-ahead log/ },
        `byte ${at}`,
      );
      refused += 1;
    });
  }
  t.diagnostic(`${refused} flips refused`);
  assert(refused > 300, `only ${refused}`);
});

test('a full disk ends the writer; with room again the next one goes on', async (t) => {
  await using folder = await temporaryFolder();
  const disk = folder.join('disk');
  mkdirSync(disk);
  const mount = (...args: readonly string[]): boolean => spawnSync('mount', args).status === 0;
  if (!mount('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk)) {
    t.skip('this user may not mount a file system');
    return;
  }
  const opened: LogStore[] = [];
  const open = (): LogStore => {
    const log = new SqliteLog(`${disk}/state.sqlite`);
    opened.push(log);
    return log;
  };
  try {
    const told = await filled(open());
    assert(mount('-o', 'remount,size=16m', disk), 'the disk grows');
    const [log] = opened;
    const again = log?.append(told.answered.length + 1, 1, new Uint8Array(1), 'again');
    await assert.rejects(again ?? Promise.resolve(), { code: 'coordinator_state_write_failed' });
    const texts = await checkAfterCrash(open(), told);
    await checkGoesOn(open, texts);
  } finally {
    for (const log of opened) await log.close();
    assert.equal(spawnSync('umount', [disk]).status, 0, 'the disk is unmounted');
  }
});

/** Appends until that fails, and says what was told. */
async function filled(log: LogStore): Promise<Told> {
  const told = new Told();
  await log.claim(0, 1, 'a');
  told.answered.push('1:');
  for (let seq = 2; ; seq += 1) {
    const text = `entry ${seq} `.padEnd(4000, '.');
    told.waiting = `1:${text}`;
    const payload = new TextEncoder().encode(text);
    const failed = await log.append(seq, 1, payload, `n${seq}`).then(
      () => null,
      (error: unknown) => error,
    );
    if (failed === null) {
      told.answered.push(told.waiting);
      continue;
    }
    const code = failed instanceof Error && 'code' in failed ? failed.code : null;
    assert.equal(code, 'coordinator_state_write_failed');
    return told;
  }
}

test('a write that the kernel fails ends the writer; a new process finds all that was answered', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('state.sqlite');
  // Blocks of 1 KiB. Without the trap the kernel would end the process instead of failing the write.
  const limited = `trap '' XFSZ; ulimit -f 600; exec "$0" "$@"`;
  const args = [
    '-c',
    limited,
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    FILLER,
    path,
  ];
  const { stdout, stderr, status } = spawnSync('bash', args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const said = JSON.parse(stdout) as { answered: string[]; waiting: string; codes: string[] };
  assert.deepEqual(said.codes, Array<string>(2).fill('coordinator_state_write_failed'));
  assert(said.answered.length > 20);
  const told = new Told();
  told.answered.push(...said.answered);
  told.waiting = said.waiting;
  const opened: LogStore[] = [];
  const open = (): LogStore => {
    const log = new SqliteLog(path);
    opened.push(log);
    return log;
  };
  const texts = await checkAfterCrash(open(), told);
  await checkGoesOn(open, texts);
  for (const log of opened) await log.close();
});
