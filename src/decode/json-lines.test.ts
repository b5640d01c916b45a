import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';

import { rowText } from './json-lines.ts';

const values = fc.oneof(
  fc.anything({ withBigInt: false, withTypedArray: false, maxDepth: 2 }).filter(isJson),
  fc.double(),
  fc.string({ unit: 'binary' }),
  fc.array(fc.double()),
  fc.array(fc.oneof(fc.double(), fc.string(), fc.constant(null))),
  fc.bigInt(),
  fc.uint8Array(),
  fc.float32Array(),
  fc.date({ noInvalidDate: true }),
);

function isJson(value: unknown): boolean {
  try {
    return typeof JSON.stringify(value) === 'string';
  } catch {
    return false;
  }
}

/** What the lines of earlier releases were, which have been pinned. */
function slowly(row: Record<string, unknown>): string {
  return JSON.stringify(row, (_, value: unknown) => {
    if (typeof value === 'bigint') {
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    }
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
    if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
    return ArrayBuffer.isView(value) ? Array.from(value as Float32Array) : value;
  });
}

test('a row is the JSON that JSON.stringify makes of it, with words for what JSON has none for', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), values), (row) => {
      assert.equal(rowText(row), slowly(row));
    }),
    { numRuns: 1000 },
  );
});
