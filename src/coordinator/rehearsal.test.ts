import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import { MemoryManifestStore } from '../testing/memory-manifest-store.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { ManifestShelf } from './manifest-shelf.ts';
import { rehearse, type RehearsalPorts } from './rehearsal.ts';

function ports(): RehearsalPorts & { readonly clock: FakeClock } {
  const shelf = new ManifestShelf(new MemoryManifestStore());
  return { clock: new FakeClock(), random: seededRandom(1), shelf };
}

test('a rehearsal has every request answered and leaves no timer behind', async () => {
  const { clock, ...others } = ports();
  const answered = await rehearse({ clock, ...others }, new AbortController().signal);
  // 20 nodes register, ask for 20 leases each, and report on them in 12 rounds with a heartbeat.
  assert.equal(answered, 20 * (1 + 1 + 12 * 21));
  assert.equal(clock.timerCount, 0);
});

test('a rehearsal that is told to end does not report on', async () => {
  const { clock, ...others } = ports();
  const answered = await rehearse({ clock, ...others }, AbortSignal.abort());
  assert.equal(answered, 20 * 2);
  assert.equal(clock.timerCount, 0);
});
