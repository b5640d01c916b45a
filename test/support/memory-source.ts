/** A file that is in memory, for readers of formats. */
import type { ByteSource } from '../../src/ports/byte-source.ts';

export function memorySource(file: Uint8Array): ByteSource {
  return {
    expect: () => undefined,
    sizeOf: () => Promise.resolve(file.length),
    read: (_, position, into) => {
      const part = file.subarray(position, position + into.length);
      into.set(part);
      return Promise.resolve(part.length);
    },
    close: () => Promise.resolve(),
  };
}
