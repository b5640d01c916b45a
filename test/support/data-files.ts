/** Real files for tests of the data path: loose ones, and records with gaps in shards. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { SampleRecord } from '../../src/core/manifest/record.ts';

export interface Sample {
  readonly record: SampleRecord;
  readonly bytes: Uint8Array;
}

/** Bytes that tell which sample they belong to and where in it. */
export function sampleBytes(sampleId: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + sampleId * 13 + 1) & 0xff);
}

export function writeLooseFiles(folder: string, sizes: readonly number[]): Sample[] {
  mkdirSync(folder, { recursive: true });
  return sizes.map((size, sampleId) => {
    const location = join(folder, `sample-${String(sampleId).padStart(6, '0')}.bin`);
    const bytes = sampleBytes(sampleId, size);
    writeFileSync(location, bytes);
    const decodeHint = `mx8:vision:imagefolder;label_id=${sampleId % 3}`;
    return {
      record: { sampleId, location, byteOffset: null, byteLength: null, decodeHint },
      bytes,
    };
  });
}

/** Like a tar: a header before each record, the record padded to 512 bytes. */
export function writeShards(
  folder: string,
  sizes: readonly number[],
  samplesPerShard: number,
): Sample[] {
  mkdirSync(folder, { recursive: true });
  const samples: Sample[] = [];
  for (let first = 0; first < sizes.length; first += samplesPerShard) {
    const location = join(folder, `shard-${String(first).padStart(6, '0')}.tar`);
    const parts: Uint8Array[] = [];
    let at = 0;
    for (const [index, size] of sizes.slice(first, first + samplesPerShard).entries()) {
      const sampleId = first + index;
      const bytes = sampleBytes(sampleId, size);
      const padding = new Uint8Array((512 - (size % 512)) % 512).fill(0xee);
      parts.push(new Uint8Array(512).fill(0xdd), bytes, padding);
      const byteOffset = at + 512;
      const record = { sampleId, location, byteOffset, byteLength: size, decodeHint: '' };
      samples.push({ record, bytes });
      at = byteOffset + size + padding.length;
    }
    writeFileSync(location, Buffer.concat(parts));
  }
  return samples;
}
