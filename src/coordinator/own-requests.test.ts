import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../core/base/errors.ts';
import type { StoreReport } from '../core/transfer/store-report.ts';
import { FakeClock, RecordingEvents, seededRandom } from '../testing/index.ts';
import { shareOwnRequests } from './own-requests.ts';

const REPORT: StoreReport = {
  ...{ host: 'https://store.example', wanted: 9, inFlight: 4, servingMilli: 3500, pauseMs: 0 },
  ...{ share: null, answeredTotal: 1, refusedTotal: 0, firstByteUsTotal: 0, untimedTotal: 0 },
};

test('a coordinator that does not lead has no share of its own, which is nothing to tell of', async () => {
  const [clock, events] = [new FakeClock(0), new RecordingEvents()];
  const heard: number[] = [];
  const stores = {
    reports: () => [REPORT],
    hear: (shares: readonly unknown[]) => void heard.push(shares.length),
  };
  const shareStores = (): Promise<never> =>
    Promise.reject(new Mx8Error('not_leader', 'another one leads'));
  const guest = shareOwnRequests(
    { stores, clock, random: seededRandom(1), events },
    { shareStores },
  );
  await clock.advance(2500);
  guest?.stop();
  assert.deepEqual(heard, [0, 0, 0]);
  assert.deepEqual(events.all, []);
});
