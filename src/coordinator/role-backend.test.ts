import assert from 'node:assert/strict';
import { test } from 'node:test';

import { emptyState } from '../core/job/coordinator.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { MemoryManifestStore } from '../testing/memory-manifest-store.ts';
import { RecordingEvents } from '../testing/recording-events.ts';
import type { Leadership } from './leadership.ts';
import { ManifestShelf } from './manifest-shelf.ts';
import { PushHub } from './push-hub.ts';
import { RoleBackend } from './role-backend.ts';

test('while the lead changes hands so many requests wait, and further ones are told to go on', async () => {
  const taking = Promise.withResolvers<void>();
  const leadership: Leadership = {
    view: {
      role: 'standby',
      who: 'a',
      leader: { who: 'b', address: '127.0.0.1:2' },
      epoch: 1,
      appliedSeq: 1,
      tailSeq: 1,
      leadsSinceUnixMs: null,
    },
    writer: null,
    taking: taking.promise,
    state: emptyState(),
    candidates: async () => [],
    start: async () => undefined,
    stop: async () => undefined,
  };
  const backend = new RoleBackend({
    leadership,
    shelf: new ManifestShelf(new MemoryManifestStore()),
    hub: new PushHub(),
    clock: new FakeClock(),
    events: new RecordingEvents(),
    address: () => '127.0.0.1:1',
    version: '',
    holdRequestsMax: 2,
  });
  const decided: number[] = [];
  const asked = [0, 1, 2].map((index) =>
    assert
      .rejects(backend.submit({ type: 'tick' }), {
        code: 'not_leader',
        details: { leader: '127.0.0.1:2' },
      })
      .then(() => decided.push(index)),
  );
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(decided, [2]);
  taking.resolve();
  await Promise.all(asked);
  assert.deepEqual(decided, [2, 0, 1]);
});
