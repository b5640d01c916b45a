import assert from 'node:assert/strict';
import test from 'node:test';

import { unixMs } from '../core/base/units.ts';
import { snapshotAgeText } from './snapshot-age.ts';

const NOW = unixMs(1_700_000_000_000);
const HASH = 'ab'.repeat(32);

const cases = [
  [
    './in',
    false,
    NOW - 3_600_000,
    './in as it was pinned 1h 00m ago; ./in@refresh reads it as it is now',
  ],
  ['./in', false, NOW + 5000, './in as it was pinned 0 ms ago; ./in@refresh reads it as it is now'],
  ['./in', false, null, './in as it was pinned earlier; ./in@refresh reads it as it is now'],
  [
    'http://h/m.tsv?sig=hunter2',
    false,
    null,
    'http://h/m.tsv?sig=[redacted] as it was pinned earlier; http://h/m.tsv?sig=[redacted]@refresh reads it as it is now',
  ],
  ['./in', true, null, null],
  ['./in@refresh', true, null, null],
  [`./in@sha256:${HASH}`, false, null, null],
] as const;

for (const [link, isNew, takenUnixMs, text] of cases) {
  test(`a snapshot found by ${link} (${isNew ? 'new' : String(takenUnixMs)}): ${text ?? 'nothing to tell'}`, () => {
    assert.equal(snapshotAgeText(link, { isNew, takenUnixMs }, NOW), text);
  });
}
