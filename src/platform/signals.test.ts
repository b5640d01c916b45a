import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../core/base/errors.ts';
import { listenForStop } from './signals.ts';

test('the first signal aborts with its name, a copy of it is the same wish', () => {
  const repeats: string[] = [];
  using stop = listenForStop((name) => repeats.push(name));
  assert.equal(stop.received, null);
  process.emit('SIGTERM');
  process.emit('SIGTERM');
  assert.equal(stop.received, 'SIGTERM');
  assert.ok(stop.signal.aborted);
  const reason: unknown = stop.signal.reason;
  assert.ok(reason instanceof Mx8Error);
  assert.deepEqual([reason.code, reason.details], ['interrupted', { signal: 'SIGTERM' }]);
  assert.deepEqual(repeats, []);
});

test('a second signal after a moment is passed on', (t) => {
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const repeats: string[] = [];
  using stop = listenForStop((name) => repeats.push(name));
  process.emit('SIGINT');
  nowMs = 1000;
  process.emit('SIGINT');
  assert.equal(stop.received, 'SIGINT');
  assert.deepEqual(repeats, ['SIGINT']);
});

test('nothing listens any more once it is disposed', () => {
  const before = process.listenerCount('SIGINT');
  const stop = listenForStop();
  assert.equal(process.listenerCount('SIGINT'), before + 1);
  stop[Symbol.dispose]();
  assert.equal(process.listenerCount('SIGINT'), before);
});
