import assert from 'node:assert/strict';
import test from 'node:test';
import { JobBatch } from './batch.ts';

test('the name of a sample has no query of a web address in it, and all of any other name', () => {
  const locations = [
    ['https://host/a/b.jpg?sig=hunter2&path=x/y', 'b.jpg'],
    ['http://host/b.jpg#top', 'b.jpg'],
    ['s3://bucket/what?.txt', 'what?.txt'],
    ['/in/#1?.txt', '#1?.txt'],
  ] as const;
  const batch = new JobBatch({
    sampleIds: Float64Array.from(locations.keys()),
    payload: new Uint8Array(4),
    offsets: Float64Array.of(0, 1, 2, 3, 4),
    labelIds: Int32Array.of(-1, -1, -1, -1),
    records: locations.map(([location], sampleId) => ({
      ...{ sampleId, location, byteOffset: null, byteLength: null, decodeHint: '' },
    })),
  });
  for (const [index, [, name]] of locations.entries()) assert.equal(batch.at(index).name, name);
});
