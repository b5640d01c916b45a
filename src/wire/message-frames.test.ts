import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { CompressedMessage, messageFrame, MessageReader } from './message-frames.ts';

function read(reader: MessageReader): Buffer[] {
  const messages: Buffer[] = [];
  for (let message = reader.next(); message !== null; message = reader.next()) {
    messages.push(message);
  }
  return messages;
}

test('messages come out as they went in, however the bytes are cut', () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 8 });
  const cuts = fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1 });
  fc.assert(
    fc.property(bodies, cuts, (messages, sizes) => {
      const bytes = Buffer.concat(messages.map((message) => messageFrame(message)));
      const reader = new MessageReader(3000);
      const got: Buffer[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const size = sizes[turn % sizes.length] ?? 1;
        // What a socket read is used again once it was handed on: nothing may be read from it later
        // than the messages that were whole in it.
        reader.push(Buffer.from(bytes.subarray(at, at + size)));
        got.push(...read(reader));
        at += size;
      }
      assert.deepEqual(
        got.map((message) => [...message]),
        messages.map((message) => [...message]),
      );
      assert.ok(reader.isEmpty);
    }),
  );
});

test('a message that was handed out is not written over by what comes after it', () => {
  const reader = new MessageReader(100);
  const bytes = Buffer.concat([1, 2, 3].map((value) => messageFrame(Buffer.alloc(40, value))));
  const got: Buffer[] = [];
  for (const byte of bytes) {
    reader.push(Buffer.of(byte));
    got.push(...read(reader));
  }
  assert.deepEqual(
    got.map((message) => [...message]),
    [1, 2, 3].map((value) => Array.from({ length: 40 }, () => value)),
  );
});

test('a message over the cap is refused by its length, before its bytes are there', () => {
  const reader = new MessageReader(1000);
  reader.push(messageFrame(Buffer.alloc(1000)));
  assert.equal(reader.next()?.length, 1000);
  reader.push(messageFrame(Buffer.alloc(1001)).subarray(0, 5));
  assert.throws(() => reader.next(), { code: 'message_too_large', message: /1001 bytes.*1000/ });
});

test('a compressed message is refused by its flag', () => {
  const reader = new MessageReader(1000);
  reader.push(Buffer.of(1, 0, 0, 0, 0));
  assert.throws(() => reader.next(), CompressedMessage);
});

test('part of a message is not an end', () => {
  const reader = new MessageReader(1000);
  reader.push(messageFrame(Buffer.alloc(10)).subarray(0, 14));
  assert.equal(reader.next(), null);
  assert.equal(reader.isEmpty, false);
});
