/** A process of its own for `test/integration/snapshots.test.ts`: says what it did, one JSON line each. */
import { pack, FsManifestStore, resolveLink } from '../../src/snapshots/index.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';

const [mode = '', root = '', link = '', output = ''] = process.argv.slice(2);
const clock = nodeClock();
const random = nodeRandom();
const events = { emit: () => undefined };
const store = new FsManifestStore({ root, clock, random, events });

function say(what: unknown): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

switch (mode) {
  case 'resolve':
    say(await resolveLink(link, { store, clock, events }));
    break;
  case 'hold':
    await store.withLock(link, undefined, async () => {
      say('locked');
      await clock.sleep(60_000);
    });
    break;
  case 'pack':
    await pack(link, output, {
      labels: 'none',
      shardBytes: 64 * 1024,
      clock,
      random,
      onProgress: ({ phase, samples }) => {
        if (phase === 'packing') say(samples);
      },
    });
    break;
  default:
    throw new Error(`no mode ${mode}`);
}
