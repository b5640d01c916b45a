import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';

import { putTime } from './iso-time.ts';
import { JsonBytes } from './json-bytes.ts';

const DAY_MS = 86_400_000;

const out = new JsonBytes();

function textOf(ms: number): string {
  out.empty();
  putTime(out, ms);
  return Buffer.from(out.bytes.subarray(0, out.length)).toString();
}

test('a time is the JSON of a Date, in any year, and null where there is none', () => {
  for (const ms of [0, -0, -1, 8.64e15, -8.64e15, 8.64e15 + 1, -8.64e15 - 1, 1e300, NaN]) {
    assert.equal(textOf(ms), JSON.stringify(new Date(ms)));
  }
  const anyMs = fc.integer({ min: -8.64e15, max: 8.64e15 });
  fc.assert(
    fc.property(anyMs, (ms) => assert.equal(textOf(ms), JSON.stringify(new Date(ms)))),
    { numRuns: 2000 },
  );
});

test('every day of 400 years has its date', () => {
  const first = Math.floor(Date.UTC(1600, 0, 1) / DAY_MS);
  for (let day = first; day < first + 146_097; day += 1) {
    const ms = day * DAY_MS + (day & 1 ? DAY_MS - 1 : 0);
    if (textOf(ms) !== JSON.stringify(new Date(ms))) assert.fail(`${textOf(ms)} of ${ms}`);
  }
});
