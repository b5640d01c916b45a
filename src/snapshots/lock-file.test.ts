import assert from 'node:assert/strict';
import { readdirSync, renameSync } from 'node:fs';
import { readFile, readdir, rename, writeFile } from 'node:fs/promises';
import test from 'node:test';
import { setImmediate } from 'node:timers/promises';

import { EagerClock } from '../../test/support/eager-clock.ts';
import { rejectsWith } from '../../test/support/manifest-store-suite.ts';
import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import { nodeRandom } from '../platform/random.ts';
import { acquireLock } from './lock-file.ts';
import type { HeldLock, LockRequest } from './lock-file.ts';
import { decodeHolder, encodeHolder } from './lock-holder.ts';
import { livenessOf, thisProcess } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** Beyond the largest process number that Linux gives out. */
const NO_PID = 4_194_305;

function request(path: string, more: Partial<LockRequest> = {}): LockRequest {
  return { path, clock: new EagerClock(), random: nodeRandom(), waitMsMax: 1000, ...more };
}

async function plant(
  path: string,
  identity: Partial<ProcessIdentity>,
  nonce: string,
): Promise<void> {
  await writeFile(path, encodeHolder({ ...thisProcess(), ...identity, nonce: nonce.repeat(16) }));
}

test('a lock excludes others until it is released, and leaves nothing then', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('locks', 'a.lock');
  const lock = await acquireLock(request(path));
  assert.equal(await lock.isHeld(), true);
  const error = await rejectsWith('manifest_lock_timeout', acquireLock(request(path)));
  assert.match(error.message, new RegExp(`held by process ${process.pid} on `));
  await lock.release();
  assert.equal(await lock.isHeld(), false);
  assert.deepEqual(await readdir(folder.join('locks')), []);
});

test('of many that want one lock each gets it alone', async () => {
  await using folder = await temporaryFolder();
  let inside = 0;
  const turns = Array.from({ length: 10 }, async () => {
    const lock = await acquireLock(request(folder.join('a.lock'), { waitMsMax: 1e9 }));
    inside += 1;
    assert.equal(inside, 1);
    await setImmediate();
    inside -= 1;
    await lock.release();
  });
  await Promise.all(turns);
  assert.deepEqual(await readdir(folder.path), []);
});

test('the lock of a dead process is taken over by exactly one of many', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('a.lock');
  for (let round = 0; round < 10; round += 1) {
    await plant(path, { pid: NO_PID }, '0d');
    const attempts = Array.from({ length: 6 }, () =>
      acquireLock(request(path, { waitMsMax: 0 })).catch(() => null),
    );
    const held = (await Promise.all(attempts)).filter((lock): lock is HeldLock => lock !== null);
    assert.ok(held.length <= 1, `${held.length} hold the lock at once`);
    const lock = held[0] ?? (await acquireLock(request(path)));
    assert.equal(await lock.isHeld(), true);
    await lock.release();
    assert.deepEqual(await readdir(folder.path), []);
  }
});

test('a pid that was given to another process since is a dead holder', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('a.lock');
  await plant(path, { startTime: '1' }, '0d');
  const lock = await acquireLock(request(path));
  await lock.release();
});

test('only a process that can be seen from here is called dead', () => {
  const me = thisProcess();
  assert.equal(livenessOf(me), 'alive');
  assert.equal(livenessOf({ ...me, pid: NO_PID }), 'dead');
  assert.equal(livenessOf({ ...me, startTime: '1' }), 'dead');
  for (const elsewhere of [{ host: 'h' }, { machineId: 'm' }, { pidNamespace: 'p' }]) {
    assert.equal(livenessOf({ ...me, pid: NO_PID, ...elsewhere }), 'unknown');
  }
  // Machines without an id may share a name, so their boots prove nothing.
  const isNamed = me.machineId !== '';
  assert.equal(livenessOf({ ...me, bootId: 'earlier' }), isNamed ? 'dead' : 'unknown');
});

test('a process that died while it took a dead lock over is succeeded in turn', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('a.lock');
  await plant(path, { pid: NO_PID }, '01');
  await plant(`${path}.${'01'.repeat(16)}.next`, { pid: NO_PID }, '02');
  await plant(`${path}.${'02'.repeat(16)}.next`, { pid: NO_PID }, '03');
  const lock = await acquireLock(request(path));
  assert.equal(await lock.isHeld(), true);
  await lock.release();
  assert.deepEqual(await readdir(folder.path), []);
});

test('a live process that takes a dead lock over keeps all others out', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('a.lock');
  await plant(path, { pid: NO_PID }, '01');
  await plant(`${path}.${'01'.repeat(16)}.next`, {}, '02');
  await rejectsWith('manifest_lock_timeout', acquireLock(request(path)));
  assert.equal(decodeHolder(await readFile(path, 'utf8'))?.pid, NO_PID);
});

test('a late taker-over that finds the lock in other hands leaves it there', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('a.lock');
  await plant(path, { pid: NO_PID }, '01');
  await plant(folder.join('winner'), {}, '0a');
  const before = readdirSync(folder.path);
  const attempt = rejectsWith(
    'manifest_lock_timeout',
    acquireLock(request(path, { waitMsMax: 0 })),
  );
  // Its own file appears after it has seen the dead lock and before it claims the succession.
  while (readdirSync(folder.path).length === before.length) await setImmediate();
  renameSync(folder.join('winner'), path);
  await attempt;
  assert.equal(decodeHolder(await readFile(path, 'utf8'))?.nonce, '0a'.repeat(16));
  assert.deepEqual(await readdir(folder.path), ['a.lock']);
});

test('a holder that cannot be seen keeps its lock while it touches it, and loses it when silent', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('a.lock');
  await plant(path, { host: 'elsewhere' }, '0e');
  const short = request(path, { waitMsMax: 1000, silentMsMax: 5000 });
  await rejectsWith('manifest_lock_timeout', acquireLock(short));
  const patient = request(path, { waitMsMax: 60_000, silentMsMax: 5000 });
  const lock = await acquireLock(patient);
  assert.ok(patient.clock.nowMs() > 5000);
  await lock.release();
});

test('silent holders that cannot be seen are succeeded one after the other', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('a.lock');
  await plant(path, { host: 'elsewhere' }, '01');
  await plant(`${path}.${'01'.repeat(16)}.next`, { host: 'elsewhere' }, '02');
  const lock = await acquireLock(request(path, { waitMsMax: 60_000, silentMsMax: 5000 }));
  await lock.release();
  assert.deepEqual(await readdir(folder.path), []);
});

test('a lock file of another program is left alone', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('a.lock');
  await writeFile(path, '');
  const error = await rejectsWith('manifest_lock_timeout', acquireLock(request(path)));
  assert.match(error.message, /a program that left no name/);
  assert.equal(await readFile(path, 'utf8'), '');
});

test('a holder whose lock was taken away neither holds nor removes it', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('a.lock');
  const lock = await acquireLock(request(path));
  await plant(folder.join('other'), {}, '0f');
  await rename(folder.join('other'), path);
  assert.equal(await lock.isHeld(), false);
  await lock.release();
  assert.equal(decodeHolder(await readFile(path, 'utf8'))?.nonce, '0f'.repeat(16));
});

test('waiting for a lock ends when the signal aborts', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('a.lock');
  const lock = await acquireLock(request(path));
  const stop = new AbortController();
  const waiting = acquireLock(request(path, { waitMsMax: 1e9, signal: stop.signal }));
  stop.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  await lock.release();
});
