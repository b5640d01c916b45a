import { randomBytes } from 'node:crypto';

import type { Random } from '../ports/random.ts';

/** Chance from the operating system. `cli/` makes the one instance that everything else is given. */
export function nodeRandom(): Random {
  return {
    fraction: () => Math.random(),
    bytes: (count) => new Uint8Array(randomBytes(count)),
  };
}
