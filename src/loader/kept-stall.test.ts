import assert from 'node:assert/strict';
import test from 'node:test';

import { FakeClock } from '../testing/index.ts';
import { sayingWhenKept } from './kept-stall.ts';
import { KEPT_STALL_MS } from './limits.ts';

test('a stall that lasts is said once, one that ends before is not', async () => {
  const clock = new FakeClock();
  let said = 0;
  let ended = 0;
  const onStall = sayingWhenKept(
    () => () => (ended += 1),
    clock,
    () => (said += 1),
  );
  const short = onStall(() => undefined);
  await clock.advance(KEPT_STALL_MS - 1);
  short();
  await clock.advance(KEPT_STALL_MS);
  assert.deepEqual([said, ended], [0, 1]);
  for (const stall of [1, 2]) {
    const end = onStall(() => undefined);
    await clock.advance(3 * KEPT_STALL_MS);
    end();
    assert.deepEqual([said, ended], [1, 1 + stall]);
  }
});
