import assert from 'node:assert/strict';
import { test } from 'node:test';

import { seenAt } from '../../test/support/seen.ts';
import { readiness } from './readiness.ts';

test('a leader is ready, and says of which epoch', () => {
  assert.deepEqual(readiness(seenAt(1000, []), 0), { isReady: true, text: 'leader of epoch 1' });
});

test('a standby is ready when it follows a leader that is known', () => {
  const standby = { role: 'standby', who: 'b', appliedSeq: 4 } as const;
  assert.deepEqual(readiness(seenAt(1000, [], standby), 0), {
    isReady: true,
    text: 'standby of the leader h1:1, 5 entries behind',
  });
  const alone = readiness(seenAt(1000, [], { ...standby, leader: null }), 0);
  assert.deepEqual(alone, { isReady: false, text: 'standby, and nobody is known to lead' });
  const away = readiness(seenAt(1000, [], { ...standby, storeError: 'no answer' }), 0);
  assert.deepEqual(
    [away.isReady, away.text],
    [false, 'the store of the state does not answer: no answer'],
  );
  const late = readiness(seenAt(1000, [], { ...standby, tailSeq: 50_000 }), 0);
  assert.deepEqual(
    [late.isReady, late.text],
    [false, 'standby, but 49,996 entries behind the leader h1:1'],
  );
});

test('a coordinator that does not answer itself is not ready', () => {
  assert.equal(readiness(null, 0).isReady, false);
  const hung = readiness(seenAt(1000, []), 7000);
  assert.equal(hung.isReady, false);
  assert.match(hung.text, /has not answered for 7\.0 s: its log or election hangs/);
});
