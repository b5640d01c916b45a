import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { StateLock } from './state-lock.ts';

test('a state folder is locked by one at a time, and free again afterwards', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mx8-lock-'));
  try {
    const path = join(folder, 'run.lock');
    {
      using held = StateLock.take(path, 'the output x');
      assert(held instanceof StateLock);
      assert.throws(() => StateLock.take(path, 'the output x'), {
        code: 'coordinator_state_in_use',
        message: /the output x/,
      });
    }
    StateLock.take(path, 'the output x')[Symbol.dispose]();
  } finally {
    await rm(folder, { recursive: true });
  }
});
