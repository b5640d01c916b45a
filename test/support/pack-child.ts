/** A process of its own that packs, for tests that kill it; it says how far it is, one JSON line each. */
import { Mx8Error } from '../../src/core/base/errors.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import { pack } from '../../src/snapshots/index.ts';
import { OpenPlaces, STORE_DEFAULTS } from '../../src/storage/places.ts';
import { storeSetting } from './store-setting.ts';

const [input = '', output = '', shardBytes = '65536', endpointUrl = '', uid = ''] =
  process.argv.slice(2);
const s3 = { ...STORE_DEFAULTS.s3, endpointUrl };
const places =
  endpointUrl === '' ? undefined : new OpenPlaces({ ...STORE_DEFAULTS, s3 }, storeSetting());

function say(what: unknown): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

// Whom the permissions of files hold for, unlike whoever may run the tests.
if (uid !== '') process.setuid?.(Number(uid));
try {
  const result = await pack(input, output, {
    labels: 'auto',
    shardBytes: Number(shardBytes),
    maxInflightBytes: 65_536,
    places,
    clock: nodeClock(),
    random: nodeRandom(),
    onProgress: ({ phase, samples }) => say({ phase, samples }),
  });
  say({ done: result });
} catch (error) {
  if (!(error instanceof Mx8Error)) throw error;
  say({ code: error.code, message: error.message });
}
process.exit(0);
