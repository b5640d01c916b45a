import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OpenShards } from './open-shards.ts';

/** Opens or uses a shard for a moment; answers the descriptor that is to be closed. */
function use(shards: OpenShards, name: string, fd: number): number | null {
  if (shards.acquire(name) === null) shards.opened(name, fd, true);
  return shards.giveBack(name);
}

test('the shard that was idle for the longest goes first, whichever was opened first', () => {
  const shards = new OpenShards();
  for (let fd = 1; fd <= 16; fd += 1) assert.equal(use(shards, `/d/${fd}`, fd), null);
  // These are used again, one of them twice in a row, and the last one after others.
  for (const fd of [1, 2, 2, 16]) assert.equal(use(shards, `/d/${fd}`, -1), null);
  const closed: (number | null)[] = [];
  for (let fd = 17; fd <= 32; fd += 1) closed.push(use(shards, `/d/${fd}`, fd));
  assert.deepEqual(closed, [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 1, 2, 16]);
  assert.equal(shards.drain().length, 16);
});

test('a shard that is in use stays open, however many are', () => {
  const shards = new OpenShards();
  for (let fd = 1; fd <= 17; fd += 1) shards.opened(`/d/${fd}`, fd, true);
  assert.equal(shards.giveBack('/d/17'), 17);
  assert.equal(shards.acquire('/d/17'), null);
  assert.equal(shards.acquire('/d/1'), 1);
});
