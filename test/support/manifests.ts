/** Arbitrary manifests for the property tests of the manifest codec. */
import fc from 'fast-check';

import type { SampleRecord } from '../../src/core/manifest/record.ts';

const text = fc
  .string({ unit: 'grapheme', maxLength: 12 })
  .map((raw) => raw.replace(/[\t\r\n]/g, '_'));
const location = fc.oneof(
  text.map((tail) => `/${tail}`),
  fc.tuple(fc.constantFrom('s3', 'gs', 'https', 'h2.x-y'), text).map(([s, t]) => `${s}://b${t}`),
);
const extent = fc.oneof(
  fc.constant({ byteOffset: null, byteLength: null }),
  fc.record({ byteOffset: fc.nat(), byteLength: fc.integer({ min: 1, max: 2 ** 31 }) }),
  fc.constant({ byteOffset: Number.MAX_SAFE_INTEGER - 1, byteLength: 1 }),
);
const hint = fc.oneof(fc.constant(''), text);

/** Records 0 to n - 1. */
export const manifests: fc.Arbitrary<SampleRecord[]> = fc
  .array(fc.tuple(location, extent, hint), { maxLength: 30 })
  .map((rows) =>
    rows.map(([where, part, decodeHint], sampleId) => ({
      sampleId,
      location: where,
      ...part,
      decodeHint,
    })),
  );

/**
 * Hands `bytes` on in chunks of the given sizes, which are used in turn. As a file reader does, it puts
 * every chunk into the same memory: whoever keeps a chunk without copying it will be found out.
 */
export function pushInChunks(
  bytes: Uint8Array,
  sizes: readonly number[],
  push: (chunk: Uint8Array) => void,
): void {
  const memory = Buffer.alloc(Math.max(...sizes));
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const part = bytes.subarray(at, at + (sizes[turn % sizes.length] ?? 1));
    memory.fill(0x21).set(part);
    push(memory.subarray(0, part.length));
    at += part.length;
  }
}

export const chunkSizes: fc.Arbitrary<number[]> = fc.array(fc.integer({ min: 1, max: 50 }), {
  minLength: 1,
  maxLength: 5,
});
