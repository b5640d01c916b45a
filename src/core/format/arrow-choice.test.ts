/** A batch of chosen columns has the bytes that they have in the batch of all, wherever a file has put them. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';

import { chosenBatch } from './arrow-choice.ts';
import type { ArrowChoice } from './arrow-choice.ts';
import { parseArrowMessage } from './arrow-message.ts';
import type { ArrowRegion } from './arrow-message.ts';
import { planStream } from './arrow-write.ts';
import type { ColumnData } from './column-data.ts';
import { FlatTable } from './flat-table.ts';

const BODY_BYTES = 400;
const body = Uint8Array.from({ length: BODY_BYTES }, (_, index) => (index * 31 + 7) % 256);

/** What describes a batch of columns of numbers, two buffers each, which lie where `regions` says. */
function batchOf(regions: readonly ArrowRegion[]): Uint8Array {
  const column: ColumnData = {
    type: { kind: 'int', bits: 64, isSigned: true },
    length: 1,
    nullCount: 0,
    validity: null,
    values: new Uint8Array(8),
    offsets: null,
    children: [],
  };
  const columns = Array.from({ length: regions.length / 2 }, () => column);
  const plan = planStream(new Uint8Array(0), columns, 0, 1);
  const stream = new Uint8Array(plan.bytes);
  plan.write(stream);
  const view = new DataView(stream.buffer);
  const metadata = stream.slice(8, 8 + view.getInt32(4, true));
  const message = FlatTable.root(metadata);
  const buffers = message.table(2)?.vector(2, 16).start ?? 0;
  const into = new DataView(metadata.buffer);
  into.setBigInt64(message.position(3), BigInt(BODY_BYTES), true);
  for (const [index, { start, length }] of regions.entries()) {
    into.setBigInt64(buffers + index * 16, BigInt(start), true);
    into.setBigInt64(buffers + index * 16 + 8, BigInt(length), true);
  }
  return metadata;
}

function regionsOf(metadata: Uint8Array): readonly ArrowRegion[] {
  const message = parseArrowMessage(metadata);
  return message.type === 'batch' ? message.regions : [];
}

const REGION = fc
  .tuple(fc.nat(BODY_BYTES), fc.nat(60))
  .map(([start, length]) => ({ start, length: Math.min(length, BODY_BYTES - start) }));

test('buffers of the chosen columns are where their batch says, next to, far from or over each other', () => {
  const batch = fc.integer({ min: 1, max: 6 }).chain((columns) =>
    fc.record({
      regions: fc.array(REGION, { minLength: columns * 2, maxLength: columns * 2 }),
      chosen: fc.subarray([...new Array(columns).keys()], { minLength: 1 }),
      gapBytes: fc.constantFrom(8, 64, 1_000),
    }),
  );
  fc.assert(
    fc.property(batch, ({ regions, chosen, gapBytes }) => {
      const fields = Array.from({ length: regions.length / 2 }, (_, index) => {
        return { name: String(index), nodes: 1, buffers: 2, views: 0, dictionaries: [] };
      });
      const choice: ArrowChoice = { fields, chosen, dictionaries: new Set() };
      const metadata = batchOf(regions);
      const part = chosenBatch(metadata, regionsOf(metadata), choice, gapBytes);
      assert.ok(part !== null);
      const read = new Uint8Array(part.bytes);
      for (const [index, { start, length }] of part.ranges.entries()) {
        assert.equal(start % 8, 0);
        read.set(body.subarray(start, start + length), part.places[index]);
      }
      const bytesOf = (from: Uint8Array, { start, length }: ArrowRegion): number[] => [
        ...from.subarray(start, start + length),
      ];
      const wanted = chosen.flatMap((place) => regions.slice(place * 2, place * 2 + 2));
      assert.deepEqual(
        regionsOf(part.metadata).map((region) => bytesOf(read, region)),
        wanted.map((region) => bytesOf(body, region)),
      );
      assert.ok(part.bytes <= BODY_BYTES + 8 * part.ranges.length, 'nothing is read twice');
    }),
    { numRuns: 500 },
  );
});

test('a batch that has not the buffers of its schema is not taken apart', () => {
  const metadata = batchOf(new Array<ArrowRegion>(4).fill({ start: 0, length: 8 }));
  for (const buffers of [1, 3]) {
    const fields = ['a', 'b'].map((name) => {
      return { name, nodes: 1, buffers, views: 0, dictionaries: [] };
    });
    const choice: ArrowChoice = { fields, chosen: [0], dictionaries: new Set() };
    assert.equal(chosenBatch(metadata, regionsOf(metadata), choice, 64), null);
  }
});
