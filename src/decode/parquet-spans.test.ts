/** Ranges that lie close together are read once, and each gets its own bytes. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';

import { must } from '../core/base/assert.ts';
import { SPAN_BYTES_MAX, SPAN_GAP_BYTES } from './limits.ts';
import { spansOf } from './parquet-spans.ts';
import type { ByteRange } from './parquet-spans.ts';

const KIB = 1024;
const range = (start: number, bytes: number): ByteRange => ({ start, end: start + bytes });

function shapesOf(ranges: readonly ByteRange[]): readonly (readonly [number, number])[] {
  const spans = spansOf(ranges);
  return [...new Set(ranges.map((of) => spans.get(of)))].map((span) => [
    span?.start ?? -1,
    span?.end ?? -1,
  ]);
}

test('ranges are read together up to a gap and a size', () => {
  assert.deepEqual(shapesOf([]), []);
  const near = [range(500 * KIB, KIB), range(100, 300), range(401, 499)];
  assert.deepEqual(shapesOf(near), [
    [500 * KIB, 501 * KIB],
    [100, 900],
  ]);
  const edge = 1_000 + SPAN_GAP_BYTES;
  assert.deepEqual(shapesOf([range(0, 1_000), range(edge, 1)]), [[0, edge + 1]]);
  assert.equal(shapesOf([range(0, 1_000), range(edge + 1, 1)]).length, 2);
  assert.equal(shapesOf([range(0, SPAN_BYTES_MAX), range(SPAN_BYTES_MAX, 1)]).length, 2);
  assert.equal(shapesOf([range(0, SPAN_BYTES_MAX - 1), range(SPAN_BYTES_MAX - 1, 1)]).length, 1);
  const large = range(0, 3 * SPAN_BYTES_MAX);
  assert.deepEqual(shapesOf([large]), [[0, 3 * SPAN_BYTES_MAX]]);
});

test('each range gets its bytes, whatever lies where and whoever asks first', async () => {
  const file = Uint8Array.from({ length: 4_000 }, (_, at) => (at * 7) % 251);
  const ranges = fc.array(
    fc
      .record({ start: fc.nat(3_000), bytes: fc.nat(1_000) })
      .map((of) => range(of.start, of.bytes)),
  );
  await fc.assert(
    fc.asyncProperty(ranges, async (wanted) => {
      const spans = spansOf(wanted);
      let reads = 0;
      const read = (at: number, bytes: number): Promise<Uint8Array> => {
        reads += 1;
        return Promise.resolve(file.slice(at, at + bytes));
      };
      const found = await Promise.all(wanted.map(async (of) => spans.get(of)?.take(of, read)));
      for (const [index, { start, end }] of wanted.entries()) {
        assert.deepEqual(found[index]?.bytes, file.subarray(start, end));
      }
      assert.equal(reads, new Set(spans.values()).size);
      for (const [index, of] of wanted.entries()) {
        const { whole } = must(found[index], 'it was read');
        const isNeeded = found.slice(index + 1).some((later) => later?.whole === whole);
        assert.equal(spans.get(of)?.doneWithOne(), !isNeeded);
      }
    }),
  );
});

test('a span is to be read once, for all of its ranges', async () => {
  const [one, two] = [range(10, 5), range(20, 5)];
  const span = must(spansOf([one, two]).get(one), 'it is in one');
  assert.equal(span.bytesToRead, 15);
  const taking = span.take(one, (_, bytes) => Promise.resolve(new Uint8Array(bytes)));
  assert.equal(span.bytesToRead, 0);
  await taking;
  assert.equal(span.bytesToRead, 0);
});

test('a read that failed is repeated by who asks next', async () => {
  const [one, two] = [range(10, 5), range(20, 5)];
  const spans = spansOf([one, two]);
  let reads = 0;
  const read = (_: number, bytes: number): Promise<Uint8Array> => {
    reads += 1;
    return reads === 1
      ? Promise.reject(new Error('not now'))
      : Promise.resolve(new Uint8Array(bytes));
  };
  const first = spans.get(one)?.take(one, read);
  const second = spans.get(two)?.take(two, read);
  await assert.rejects(first ?? Promise.resolve(), /not now/);
  await assert.rejects(second ?? Promise.resolve(), /not now/);
  assert.equal((await spans.get(two)?.take(two, read))?.bytes.length, 5);
  assert.equal((await spans.get(one)?.take(one, read))?.whole.length, 15);
  assert.equal(reads, 2);
});
