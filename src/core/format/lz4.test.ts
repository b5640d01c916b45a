import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';

import { lz4Block, lz4Frame } from './lz4.ts';

/** A block by the simplest compressor there is: greedy, with every match that it sees. */
function compressed(input: Uint8Array): Uint8Array {
  const out: number[] = [];
  let literals = 0;
  let at = 0;
  const length = (value: number): void => {
    for (let rest = value - 15; rest >= 0; rest -= 255) out.push(Math.min(rest, 255));
  };
  const sequence = (end: number, distance: number, match: number): void => {
    const count = end - literals;
    const extra = match === 0 ? 0 : match - 4;
    out.push((Math.min(count, 15) << 4) | Math.min(extra, 15));
    length(count);
    out.push(...input.subarray(literals, end));
    if (match === 0) return;
    out.push(distance & 255, distance >> 8);
    length(extra);
  };
  while (at < input.length - 12) {
    const from = Buffer.from(input).lastIndexOf(input.subarray(at, at + 4), at - 1);
    if (from === -1 || from >= at || at === 0) {
      at += 1;
      continue;
    }
    let match = 4;
    while (at + match < input.length - 5 && input[from + match] === input[at + match]) match += 1;
    sequence(at, at - from, match);
    at += match;
    literals = at;
  }
  sequence(input.length, 0, 0);
  return Uint8Array.from(out);
}

const inputs = fc
  .array(
    fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 60 })),
    {
      minLength: 1,
      maxLength: 12,
    },
  )
  .map((parts) =>
    Buffer.concat(parts.map(([bytes, times]) => Buffer.alloc(bytes.length * times, bytes))),
  );

test('a block gives back what was compressed, long repeats and overlaps included', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const output = new Uint8Array(input.length);
      lz4Block(compressed(input), output);
      assert.equal(Buffer.compare(output, input), 0);
    }),
    { numRuns: 200 },
  );
});

function frame(
  blocks: readonly { readonly bytes: Uint8Array; readonly isStored: boolean }[],
): Buffer {
  const parts: Buffer[] = [Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0x00])];
  for (const { bytes, isStored } of blocks) {
    const head = Buffer.alloc(4);
    head.writeUInt32LE((bytes.length | (isStored ? 0x8000_0000 : 0)) >>> 0);
    parts.push(head, Buffer.from(bytes));
  }
  return Buffer.concat([...parts, Buffer.alloc(4)]);
}

test('a frame is its blocks one after the other, compressed or stored, up to a limit', () => {
  const one = Buffer.alloc(5000, 'abcdefgh');
  const blocks = [
    { bytes: compressed(one), isStored: false },
    { bytes: Buffer.from('stored'), isStored: true },
    { bytes: compressed(one), isStored: false },
  ];
  const whole = Buffer.concat([one, Buffer.from('stored'), one]);
  assert.equal(Buffer.compare(lz4Frame(frame(blocks), whole.length), whole), 0);
  assert.throws(() => lz4Frame(frame(blocks), whole.length - 1), RangeError);
});

test('any bytes are decompressed or refused, and give no more than they may', () => {
  const damaged = fc
    .tuple(inputs, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
    .map(([input, changes]) => {
      const bytes = frame([{ bytes: compressed(input), isStored: false }]);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 60 })), (bytes) => {
      try {
        assert.ok(lz4Frame(bytes, 4096).length <= 4096);
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});
