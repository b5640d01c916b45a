/**
 * Messages as gRPC puts them into the body of a request or an answer: a byte that says whether the
 * message is compressed, four bytes of length, the message.
 */
import { Mx8Error } from '../core/base/errors.ts';

const PREFIX_BYTES = 5;
/** A buffer that messages grow in starts with as much, and doubles. */
const GROWN_BYTES_MIN = 1024;

/** The compressed flag was set: only the identity encoding is spoken here. */
export class CompressedMessage extends Error {}

/** The message with its prefix. */
export function messageFrame(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  putPrefix(frame, message);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/** The prefix alone: for messages so large that a copy of them costs more than a write more. */
export function messagePrefix(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  putPrefix(prefix, message);
  return prefix;
}

function putPrefix(to: Buffer, message: Uint8Array): void {
  to[0] = 0;
  to.writeUInt32BE(message.length, 1);
}

/**
 * Cuts the bytes of a body into messages. Holds at most twice what has come of one message and the chunk
 * after it, however small the pieces it comes in; what came whole in one chunk is not copied.
 */
export class MessageReader {
  readonly #messageBytesMax: number;
  #buffer: Buffer = Buffer.alloc(0);
  /** What is held lies in [start, end) of the buffer. */
  #start = 0;
  #end = 0;
  /** The buffer is ours to append to, not a chunk as it came. */
  #isOwn = false;

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
  }

  /** False when part of a message is held. */
  get isEmpty(): boolean {
    return this.#start === this.#end;
  }

  push(chunk: Buffer): void {
    if (this.isEmpty) {
      this.#hold(chunk, chunk.length, false);
      return;
    }
    if (!this.#isOwn || this.#buffer.length - this.#end < chunk.length) {
      const held = this.#end - this.#start;
      const grown = Buffer.allocUnsafe(Math.max(GROWN_BYTES_MIN, 2 * (held + chunk.length)));
      this.#buffer.copy(grown, 0, this.#start, this.#end);
      this.#hold(grown, held, true);
    }
    // Messages that were handed out lie before `end` and are not written over.
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /**
   * The next whole message, or null until more has come. It is a view on what was received. Throws
   * `message_too_large` as soon as its length is known, and `CompressedMessage`.
   */
  next(): Buffer | null {
    if (this.#end - this.#start < PREFIX_BYTES) return null;
    if (this.#buffer[this.#start] !== 0) throw new CompressedMessage();
    const length = this.#buffer.readUInt32BE(this.#start + 1);
    if (length > this.#messageBytesMax) {
      throw new Mx8Error(
        'message_too_large',
        `a message of ${length} bytes came; the coordinator takes at most ${this.#messageBytesMax} (MX8_GRPC_MAX_MESSAGE_BYTES)`,
        { bytes: length },
      );
    }
    const from = this.#start + PREFIX_BYTES;
    if (this.#end - from < length) return null;
    this.#start = from + length;
    return this.#buffer.subarray(from, this.#start);
  }

  #hold(buffer: Buffer, length: number, isOwn: boolean): void {
    this.#buffer = buffer;
    this.#start = 0;
    this.#end = length;
    this.#isOwn = isOwn;
  }
}
