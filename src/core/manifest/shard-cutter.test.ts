import assert from 'node:assert/strict';
import test from 'node:test';

import fc from 'fast-check';

import { USTAR_BLOCK_BYTES, USTAR_END_BYTES, paddedLength } from '../base/ustar.ts';
import { ShardCutter } from './shard-cutter.ts';

test('shards hold every sample once, in order, and only one that is larger by itself passes the size', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1024, max: 20_000 }), (samples, shardBytes) => {
      const cutter = new ShardCutter(shardBytes);
      const places = samples.map((bytes) => cutter.add(bytes));
      let next = 0;
      for (const [index, shard] of cutter.shards.entries()) {
        assert.equal(shard.firstSample, next);
        assert.ok(shard.endSample > shard.firstSample);
        next = shard.endSample;
        let at = 0;
        for (let sample = shard.firstSample; sample < shard.endSample; sample += 1) {
          assert.deepEqual(places[sample], { shard: index, byteOffset: at + USTAR_BLOCK_BYTES });
          at += USTAR_BLOCK_BYTES + paddedLength(samples[sample] ?? 0);
        }
        assert.equal(shard.bytes, at + USTAR_END_BYTES);
        assert.ok(at <= shardBytes || shard.endSample === shard.firstSample + 1);
        const following = samples[shard.endSample];
        if (following === undefined) continue;
        const grown = at + USTAR_BLOCK_BYTES + paddedLength(following);
        assert.ok(grown > shardBytes, 'no shard ends before it must');
      }
      assert.equal(next, samples.length);
    }),
  );
});
