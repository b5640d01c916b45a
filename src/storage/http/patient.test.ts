import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../testing/fake-clock.ts';
import { RecordingEvents } from '../../testing/recording-events.ts';
import { seededRandom } from '../../testing/seeded-random.ts';
import { originOf } from './origin.ts';
import { sendPatiently } from './patient.ts';
import { PlainClient } from './plain-request.ts';

class Refused extends PlainClient {
  override send(): ReturnType<PlainClient['send']> {
    return Promise.reject(new Error('connect ECONNREFUSED'));
  }
}

test('a store that refuses connections is told of while it is waited for, and given up in time', async () => {
  const clock = new FakeClock();
  const events = new RecordingEvents();
  const retry = { baseMs: 100, maxMs: 10_000, budgetMs: 150_000 };
  const origin = originOf(new URL('http://127.0.0.1:9'));
  const asked = sendPatiently(
    new Refused(),
    { clock, random: seededRandom(1), events, retry },
    {
      location: 's3://bucket/key',
      make: async () => ({ method: 'GET', origin, target: '/key', headers: [] }),
      accepts: () => true,
      judge: () => ({ type: 'wait', why: '' }),
    },
  );
  asked.catch(() => undefined);
  await clock.advance(1000);
  assert.deepEqual(events.of('store_awaited'), []);
  for (let seconds = 0; seconds < 170; seconds += 1) await clock.advance(1000);
  await assert.rejects(asked, { code: 'object_store_unavailable' });
  const told = events.of('store_awaited');
  assert.deepEqual(
    told.map(({ location, why }) => [location, why]),
    Array.from({ length: 3 }, () => ['s3://bucket/key', 'connect ECONNREFUSED']),
  );
});
