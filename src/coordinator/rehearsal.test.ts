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
  // 20 nodes register, ask for 20 leases each, and report on them in 6 rounds with a renewal of all and a heartbeat.
  assert.equal(answered, 20 * (1 + 1 + 6 * 22));
  assert.equal(clock.timerCount, 0);
});

test('a rehearsal that is told to end asks no more', async () => {
  const { clock, ...others } = ports();
  const ending = new AbortController();
  const rehearsal = rehearse({ clock, ...others }, ending.signal);
  ending.abort();
  assert.equal(await rehearsal, 0);
  assert.equal(clock.timerCount, 0);
});
