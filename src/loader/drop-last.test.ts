import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { rankShare } from '../core/order/rank-share.ts';
import { RecordTable } from '../core/manifest/record-table.ts';
import { rangeLength } from '../core/base/range.ts';
import { compileDropLast, fullBatches, inFullBatches } from './drop-last.ts';

/** Tables of these lengths, whose records are numbered on from `first`. */
async function* tables(lengths: readonly number[], first: number): AsyncGenerator<RecordTable> {
  let next = first;
  for (const length of lengths) {
    const records = Array.from({ length }, (_, index) => ({
      ...{ sampleId: next + index, location: '/x', byteOffset: null, byteLength: null },
      decodeHint: '',
    }));
    next += length;
    yield RecordTable.of(records);
  }
}

async function idsOf(reading: AsyncIterable<RecordTable>): Promise<number[]> {
  const ids: number[] = [];
  for await (const table of reading) ids.push(...table.records().map(({ sampleId }) => sampleId));
  return ids;
}

test('an order of unknown length ends with its last full batch, wherever a reading of it begins', async () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(
      ...([lengths, fc.integer({ min: 1, max: 11 }), fc.nat(30)] as const),
      async (each, batchSize, position) => {
        const total = position + each.reduce((sum, length) => sum + length, 0);
        const read = await idsOf(inFullBatches(tables(each, position), batchSize, position));
        const end = Math.max(position, total - (total % batchSize));
        assert.deepEqual(
          read,
          Array.from({ length: end - position }, (_, index) => position + index),
        );
      },
    ),
  );
});

test('what fills a batch is handed on before more is listed', async () => {
  let listed = 0;
  const source = async function* (): AsyncGenerator<RecordTable> {
    for await (const table of tables([3, 3, 3], 0)) {
      listed += table.length;
      yield table;
    }
  };
  const reading = inFullBatches(source(), 4, 0);
  assert.equal((await reading.next()).value?.length, 3);
  assert.equal((await reading.next()).value?.length, 1);
  assert.equal(listed, 6);
});

test('each rank of a world has as many full batches', () => {
  fc.assert(
    fc.property(
      ...([fc.nat(500), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 40 })] as const),
      (total, worldSize, batchSize) => {
        for (let rank = 0; rank < worldSize; rank += 1) {
          const share = rankShare(total, rank, worldSize);
          const read = fullBatches(share, Math.floor(total / worldSize), batchSize);
          const batches = Math.floor(Math.floor(total / worldSize) / batchSize);
          assert.equal(rangeLength(read), batches * batchSize);
          assert(read.start === share.start && read.end <= share.end);
        }
      },
    ),
  );
});

test('leases are not read with samples left out', () => {
  assert.equal(compileDropLast({}), false);
  assert.equal(compileDropLast({ dropLast: true }), true);
  assert.equal(compileDropLast({ dropLast: false, job: 'j' }), false);
  assert.throws(() => compileDropLast({ dropLast: true, job: 'j' }), {
    code: 'load_options_invalid',
    message: /dropLast leaves samples out, and with job .* --block-size a multiple of batchSize/,
  });
});
