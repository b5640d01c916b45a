/** A process of its own that packs, for tests that kill it; it says how far it is, one JSON line each. */
import { Mx8Error } from '../../src/core/base/errors.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import { pack } from '../../src/snapshots/index.ts';
import { OpenPlaces, STORE_DEFAULTS } from '../../src/storage/places.ts';
import { STORE_KINDS } from './store-kinds.ts';
import { storeSetting } from './store-setting.ts';

const [input = '', output = '', shardBytes = '65536', endpointUrl = '', uid = ''] =
  process.argv.slice(2);
const kind = STORE_KINDS.find(({ root }) => output.startsWith(root));
const places =
  kind === undefined
    ? undefined
    : new OpenPlaces(
        { ...STORE_DEFAULTS, ...kind.options(endpointUrl) },
        storeSetting({ variables: kind.environment(endpointUrl) }),
      );

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
