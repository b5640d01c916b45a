import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { manifests } from '../../../test/support/manifests.ts';
import { decodeSlice } from './decode-slice.ts';
import { decodeTable } from './decode-table.ts';
import { encodeRecords } from './encode.ts';
import { RecordTable } from './record-table.ts';
import type { SampleRecord } from './record.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Neighbours in shards, as most lines of a packed data set are. */
const packed: fc.Arbitrary<SampleRecord[]> = fc
  .array(fc.tuple(fc.constantFrom('/d/shard-0.tar', '/d/shard-1.tar', '/é/x'), fc.nat(9)), {
    maxLength: 40,
  })
  .map((rows) =>
    rows.map(([location, label], sampleId) => ({
      sampleId,
      location,
      byteOffset: sampleId * 512,
      byteLength: 1 + label,
      decodeHint: label < 5 ? '' : `mx8:vision:imagefolder;label_id=${label}`,
    })),
  );

test('a table holds the records that the slice decodes to, wherever it starts', () => {
  fc.assert(
    fc.property(fc.oneof(manifests, packed), fc.nat(40), fc.nat(40), (records, a, b) => {
      const start = Math.min(a, b, records.length);
      const slice = records.slice(start, Math.max(a, b));
      const table = decodeTable(encodeRecords(slice), start, start + slice.length);
      assert.deepEqual(table.records(), slice);
    }),
  );
});

test('parts of tables, joined and picked, are the parts of the records', () => {
  fc.assert(
    fc.property(fc.oneof(manifests, packed), fc.nat(40), fc.nat(40), (records, a, b) => {
      const table = decodeTable(encodeRecords(records), 0, records.length);
      const [from, to] = [Math.min(a, b, records.length), Math.min(Math.max(a, b), records.length)];
      const part = table.slice(from, to);
      const expected = records.slice(from, to);
      assert.deepEqual(part.records(), expected);
      assert.deepEqual(
        [...part.byteOffsets()],
        expected.map(({ byteOffset }) => byteOffset ?? -1),
      );
      assert.deepEqual(
        [...part.byteLengths()],
        expected.map(({ byteLength }) => byteLength ?? -1),
      );
      assert.deepEqual(
        [...part.sampleIds()],
        expected.map(({ sampleId }) => sampleId),
      );
      const locations = new Set(expected.map(({ location }) => location));
      assert.equal(
        part.onlyLocation,
        locations.size === 1 ? (expected[0]?.location ?? null) : null,
      );
      const joined = RecordTable.join([part, table.slice(to, records.length)]);
      assert.deepEqual(joined.records(), records.slice(from));
      const even = expected.map((_, index) => index).filter((index) => index % 2 === 0);
      assert.deepEqual(
        part.pick(even).records(),
        expected.filter((_, index) => index % 2 === 0),
      );
    }),
  );
});

test('what a slice must not be is refused as the slow way refuses it', () => {
  const good = '5\t/a\t\t\t\n6\t/b\t0\t9\thint\n';
  assert.equal(decodeTable(bytesOf(good), 5, 7).length, 2);
  const bad = [
    ['another id', bytesOf('5\t/a\t\t\t\n7\t/b\t\t\t\n')],
    ['cut at the end', bytesOf(good).subarray(0, -1)],
    ['cut at the start', bytesOf(good).subarray(1)],
    ['a relative location', bytesOf('5\ta\t\t\t\n6\t/b\t\t\t\n')],
    ['a length of 0', bytesOf('5\t/a\t0\t0\t\n6\t/b\t\t\t\n')],
    ['a third one', bytesOf('5\t/a\t0\t9\t\n6\t/a\t9\t9\t\n7\t/a\t18\t0\t\n')],
    ['not UTF-8', Uint8Array.from([...bytesOf('5\t/'), 0xff, ...bytesOf('\t\t\t\n6\t/b\t\t\t\n')])],
  ] as const;
  for (const [what, bytes] of bad) {
    const messageOf = (decode: () => unknown): string => {
      try {
        decode();
      } catch (error) {
        assert.ok(error instanceof Error);
        return error.message;
      }
      return assert.fail(`${what} was taken`);
    };
    assert.equal(
      messageOf(() => decodeTable(bytes, 5, what === 'a third one' ? 8 : 7)),
      messageOf(() => decodeSlice(bytes, 5)),
    );
  }
});

/** A few long runs of neighbours that are alike, from an id on whose digits become more. */
const runs: fc.Arbitrary<{ readonly start: number; readonly bytes: Uint8Array }> = fc
  .tuple(
    fc.constantFrom(0, 7, 95, 998, 99_990),
    fc.array(
      fc.tuple(fc.constantFrom('/d/shard-00000.tar', '/d/shard-00001.tar', '/é/x'), fc.nat(20)),
      { minLength: 1, maxLength: 4 },
    ),
    fc.constantFrom('', 'mx8:vision:imagefolder;label_id=3'),
  )
  .map(([start, parts, decodeHint]) => {
    const records: SampleRecord[] = [];
    for (const [location, count] of parts) {
      for (let index = 0; index < count; index += 1) {
        const sampleId = start + records.length;
        const byteLength = index % 7 === 6 ? 9 : 20_480;
        records.push({ sampleId, location, byteOffset: index * 20_992, byteLength, decodeHint });
      }
    }
    return { start, bytes: encodeRecords(records) };
  });

/** The records, or the sentence of the refusal. */
function outcome(decode: () => readonly SampleRecord[]): readonly SampleRecord[] | string {
  try {
    return decode();
  } catch (error) {
    return String(error);
  }
}

test('one byte that is another is seen in lines that are alike as in any other', () => {
  const anyByte = fc.oneof(fc.nat(255), fc.constantFrom(0x09, 0x0a, 0x0d, 0x30, 0x31, 0x39, 0x80));
  fc.assert(
    fc.property(runs, fc.nat(), anyByte, ({ start, bytes }, place, byte) => {
      if (bytes.length === 0) return;
      const damaged = bytes.slice();
      damaged[place % bytes.length] = byte;
      const lines = damaged.filter((one) => one === 0x0a).length;
      const slow = outcome(() => decodeSlice(damaged, start, 'the manifest'));
      const fast = outcome(() => decodeTable(damaged, start, start + lines).records());
      assert.deepEqual(fast, slow);
    }),
    { numRuns: 2000 },
  );
});
