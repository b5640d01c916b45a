import assert from 'node:assert/strict';
import test from 'node:test';

import { Mx8Error } from '../core/base/errors.ts';
import { partSizes } from './pack-parts.ts';
import type { PartSizes } from './pack-parts.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

function sizes(
  bytes: number,
  partsMax: number,
  maxInflightBytes = 64 * MIB,
  sampleCount = 2,
): PartSizes {
  const shard = { sampleCount, sampleBytes: bytes, name: 'shard-00001.tar', bytes };
  const small = { ...shard, name: 'shard-00000.tar', bytes: 1 };
  return partSizes([small, shard, small], { partsMax, maxInflightBytes });
}

test('parts are of 8 MiB until there would be too many, and then fewer of larger ones', () => {
  assert.deepEqual(sizes(GIB, 10_000), { partBytes: 8 * MIB, partsAtOnce: 10 });
  assert.deepEqual(sizes(80_000 * MIB, 10_000), { partBytes: 8 * MIB, partsAtOnce: 10 });
  assert.deepEqual(sizes(80_000 * MIB + 1, 10_000), { partBytes: 16 * MIB, partsAtOnce: 5 });
  assert.deepEqual(sizes(300 * GIB, 50_000), { partBytes: 8 * MIB, partsAtOnce: 10 });
  assert.deepEqual(sizes(5000 * GIB, Infinity), { partBytes: 8 * MIB, partsAtOnce: 10 });
  assert.deepEqual(partSizes([], { partsMax: 1, maxInflightBytes: 1 }), {
    partBytes: 8 * MIB,
    partsAtOnce: 10,
  });
});

test('more memory is taken only where the user has given as much to samples', () => {
  assert.deepEqual(sizes(300 * GIB, 10_000, 256 * MIB), { partBytes: 32 * MIB, partsAtOnce: 8 });
  assert.deepEqual(sizes(300 * GIB, 10_000, 160 * MIB), { partBytes: 32 * MIB, partsAtOnce: 5 });
  for (const inflight of [1, 64 * MIB, 100 * MIB, 160 * MIB, GIB, 4 * GIB]) {
    for (const shard of [1, GIB, 100 * GIB, 150 * GIB]) {
      const { partBytes, partsAtOnce } = sizes(shard, 10_000, inflight);
      assert.ok(partsAtOnce * partBytes <= Math.max(80 * MIB, inflight));
      assert.ok(partsAtOnce >= 5 && shard / partBytes <= 10_000);
    }
  }
});

test('what does not fit is refused with each way out that there is', () => {
  const refused = (...args: Parameters<typeof sizes>): string => {
    try {
      sizes(...args);
    } catch (error) {
      assert.ok(error instanceof Mx8Error && error.code === 'flag_invalid');
      return error.message;
    }
    return assert.fail('it was refused');
  };
  assert.match(
    refused(200 * GIB, 10_000),
    /The shard shard-00001\.tar would have 214748364800 bytes, of 2 samples; .* Give --shard-size 167772160000 or less, or --max-inflight-bytes 125829120 or more\./,
  );
  assert.match(refused(200 * GIB, 10_000, 1, 1), /memory\. Give --max-inflight-bytes 125829120 or/);
  assert.match(refused(6000 * GIB, 10_000, 1, 1), /memory\. Leave that sample out\. Nothing has/);
});
