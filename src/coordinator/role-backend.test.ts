import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../core/base/errors.ts';
import { emptyState } from '../core/job/coordinator.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { MemoryManifestStore } from '../testing/memory-manifest-store.ts';
import { RecordingEvents } from '../testing/recording-events.ts';
import type { Leadership } from './leadership.ts';
import { CANDIDATES_WAIT_MS } from './limits.ts';
import { ManifestShelf } from './manifest-shelf.ts';
import { PushHub } from './push-hub.ts';
import { RoleBackend } from './role-backend.ts';

function leadershipOf(changes: Partial<Leadership>): Leadership {
  return {
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
    taking: null,
    storeFailure: '',
    state: emptyState(),
    candidates: async () => [],
    start: async () => undefined,
    stop: async () => undefined,
    ...changes,
  };
}

function backendOf(leadership: Leadership, clock: FakeClock): RoleBackend {
  return new RoleBackend({
    leadership,
    shelf: new ManifestShelf(new MemoryManifestStore()),
    hub: new PushHub(),
    clock,
    events: new RecordingEvents(),
    address: () => '127.0.0.1:1',
    version: '',
    holdRequestsMax: 2,
  });
}

test('a coordinator whose store is away says so, whether the store fails or hangs', async () => {
  const clock = new FakeClock();
  const away = new Mx8Error('store_unavailable', 'no answer from etcd at e:2379');
  const failing = backendOf(leadershipOf({ candidates: () => Promise.reject(away) }), clock);
  const { storeError, candidates } = await failing.coordinator();
  assert.deepEqual([storeError, candidates], ['no answer from etcd at e:2379', []]);

  const never = Promise.withResolvers<readonly never[]>();
  const hanging = backendOf(leadershipOf({ candidates: () => never.promise }), clock);
  const asked = hanging.coordinator();
  await clock.advance(CANDIDATES_WAIT_MS);
  assert.equal((await asked).storeError, `no answer within ${CANDIDATES_WAIT_MS} ms`);

  const said = 'no answer from etcd at e:2379';
  const known = backendOf(
    leadershipOf({ candidates: () => never.promise, storeFailure: said }),
    clock,
  );
  const told = known.coordinator();
  await clock.advance(CANDIDATES_WAIT_MS);
  assert.equal((await told).storeError, said);

  const well = await backendOf(leadershipOf({}), clock).coordinator();
  assert.equal(well.storeError, '');
  assert.equal(clock.timerCount, 0);
});

test('what is refused while nobody leads is refused with what the store said', () => {
  const { view } = leadershipOf({});
  const alone = { ...view, leader: null };
  const away = leadershipOf({ view: alone, storeFailure: 'no answer from etcd at e:2379' });
  assert.equal(
    backendOf(away, new FakeClock()).notLeader().message,
    'not leader for mutating operation; no leader is known yet: the store of the state does not answer (no answer from etcd at e:2379)',
  );
  const waiting = backendOf(leadershipOf({ view: alone }), new FakeClock());
  assert.match(waiting.notLeader().message, /; no leader is known yet$/);
});

test('a store that refuses for good is an error, not one that is away', async () => {
  const refused = new Mx8Error('store_refused', 'wrong password');
  const leadership = leadershipOf({ candidates: () => Promise.reject(refused) });
  await assert.rejects(backendOf(leadership, new FakeClock()).coordinator(), {
    code: 'store_refused',
  });
});

test('while the lead changes hands so many requests wait, and further ones are told to go on', async () => {
  const taking = Promise.withResolvers<void>();
  const backend = backendOf(leadershipOf({ taking: taking.promise }), new FakeClock());
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
