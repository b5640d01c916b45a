/**
 * Writes messages to one stream, several in one: what is said in one turn of the event loop, or while a
 * write is under way, goes out together. A gRPC message costs tens of microseconds however small it is;
 * so a busy session costs little more than a quiet one.
 */
import { SESSION_BATCH_MESSAGES_MAX } from './limits.ts';
import { children } from './fields.ts';
import type { WireMessage } from './schema.ts';

interface MessageStream {
  write(message: WireMessage, done: (error?: Error | null) => void): unknown;
}

export class MessageBatcher {
  readonly #stream: MessageStream;
  readonly #onRoom: () => void;
  #waiting: WireMessage[] = [];
  /** A write is under way, or will be at the end of this turn. */
  #isWriting = false;

  /** Calls `onRoom` when nothing waits any more. */
  constructor(stream: MessageStream, onRoom: () => void = () => undefined) {
    this.#stream = stream;
    this.#onRoom = onRoom;
  }

  /** Messages that the stream has not taken yet. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  send(message: WireMessage): void {
    this.#waiting.push(message);
    if (this.#isWriting) return;
    this.#isWriting = true;
    setImmediate(() => this.#writeNext());
  }

  #writeNext(): void {
    const [first, ...more] = this.#waiting.slice(0, SESSION_BATCH_MESSAGES_MAX);
    if (first === undefined) return;
    this.#waiting = this.#waiting.slice(1 + more.length);
    const message = more.length === 0 ? first : { ...first, more };
    this.#stream.write(message, (error) => {
      // The stream is broken and says so itself; its owner knows what to send again.
      if (error !== undefined && error !== null) return;
      if (this.#waiting.length > 0) {
        this.#writeNext();
        return;
      }
      this.#isWriting = false;
      this.#onRoom();
    });
  }
}

/** The messages that came as one, in the order in which they were sent. */
export function unbatched(message: WireMessage): readonly WireMessage[] {
  const more = children(message, 'more');
  return more.length === 0 ? [message] : [message, ...more];
}
