/**
 * One gRPC call on an HTTP/2 stream, from the server's side: messages in and out, flow control, the
 * deadline, and an end with a status in trailers. What the messages mean is `grpc-service.ts`'s.
 *
 * This is our own because a call costs grpc-js's server twice as much: docs/decisions/0010 has the numbers.
 */
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';

import { status } from '@grpc/grpc-js';
import { Mx8Error } from '../core/base/errors.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import { STATUS_MESSAGE_CHARS_MAX } from './limits.ts';
import { CompressedMessage, messageFrame, messagePrefix, MessageReader } from './message-frames.ts';
import { type CallStatus, statusOf } from './status.ts';

export interface CallReceiver {
  /** Whole messages in order; none while the call is paused. */
  message(bytes: Buffer): void;
  /** The client sends no more. */
  end(): void;
  /** The call has ended, from whichever side: nothing is told after it. */
  over(): void;
}

export interface CallLimits {
  readonly messageBytesMax: number;
  readonly clock: Clock;
}

/** From here on copying a message costs more than writing its prefix by itself. */
const LARGE_BYTES: number = 64 * 1024;
const CONTENT_TYPE = 'application/grpc+proto';
/** As a list, which node:http2 takes as it is; an object it would copy and check for every call. */
const RESPONSE_HEADERS: readonly string[] = [':status', '200', 'content-type', CONTENT_TYPE];
/** `sendDate` is an option of Node's that its types do not know; clients of gRPC want no date. */
const WITH_TRAILERS = { waitForTrailers: true, sendDate: false };
const WITHOUT_BODY = { endStream: true, sendDate: false };
const OK: CallStatus = { code: status.OK, message: '', trailers: {} };
const OK_TRAILERS = { 'grpc-status': '0' };

const TIMEOUT_UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

export class ServerCall {
  readonly #stream: ServerHttp2Stream;
  readonly #limits: CallLimits;
  readonly #reader: MessageReader;
  #receiver: CallReceiver | null = null;
  #deadline: TimerHandle | null = null;
  #trailers: Readonly<Record<string, string>> = OK_TRAILERS;
  /** Lets go of who waits for a message to be taken. */
  #onOver: (() => void) | null = null;
  #isPaused = false;
  #isDelivering = false;
  /** All of the request has come; its end may still wait behind messages of a paused call. */
  #hasEnded = false;
  #isOver = false;

  constructor(stream: ServerHttp2Stream, limits: CallLimits) {
    this.#stream = stream;
    this.#limits = limits;
    this.#reader = new MessageReader(limits.messageBytesMax);
  }

  /** Reads from now on. `headers` are those of the request. */
  start(headers: IncomingHttpHeaders, receiver: CallReceiver): void {
    const stream = this.#stream;
    this.#receiver = receiver;
    stream.on('close', () => this.#end());
    this.#setDeadline(headers['grpc-timeout']);
    stream.on('data', (chunk: Buffer) => {
      // What comes after the end is dropped: it is on its way already.
      if (this.#isOver) return;
      this.#reader.push(chunk);
      this.#deliver();
    });
    stream.on('end', () => {
      this.#hasEnded = true;
      this.#deliver();
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** The sender is held back by the flow control of its own side. */
  pause(): void {
    this.#isPaused = true;
    this.#stream.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliver();
    if (!this.#isPaused) this.#stream.resume();
  }

  /**
   * Sends a message; `done` is called when the stream has taken it, and not at all once the call is
   * over. A message over the cap ends the call.
   */
  write(message: Uint8Array, done: () => void): void {
    if (this.#isOver || this.#isTooLarge(message)) return;
    if (!this.#canSend()) return;
    if (!this.#stream.headersSent) this.#respond();
    this.#stream.write(messageFrame(message), (error) => {
      if (error === null || error === undefined) done();
    });
  }

  /** Sends a message; resolves when the stream has taken it or the call is over. */
  written(message: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#onOver = resolve;
      this.write(message, resolve);
      if (this.#isOver) resolve();
    });
  }

  /** The one message of a unary call, and its good end. */
  answer(message: Uint8Array): void {
    if (this.#isOver || this.#isTooLarge(message)) return;
    this.#end();
    if (!this.#canSend()) return;
    this.#respond();
    if (message.length < LARGE_BYTES) {
      this.#stream.end(messageFrame(message));
      return;
    }
    this.#stream.write(messagePrefix(message));
    this.#stream.end(message);
  }

  /** Ends the call; the first end counts. */
  finish(end: CallStatus = OK): void {
    if (this.#isOver) return;
    this.#end();
    if (!this.#canSend()) return;
    if (!this.#stream.headersSent && end.code !== status.OK) {
      const headers = [...RESPONSE_HEADERS, ...Object.entries(trailersOf(end)).flat()];
      this.#stream.respond(headers, WITHOUT_BODY);
      this.#stopSender();
      return;
    }
    if (!this.#stream.headersSent) this.#respond();
    this.#trailers = trailersOf(end);
    this.#stream.end();
  }

  #respond(): void {
    const stream = this.#stream;
    stream.respond(RESPONSE_HEADERS, WITH_TRAILERS);
    stream.on('wantTrailers', () => {
      if (!this.#canSend()) return;
      stream.sendTrailers(this.#trailers);
      this.#stopSender();
    });
  }

  /** A sender that has not ended its request is told that nobody reads it; behind the trailers. */
  #stopSender(): void {
    if (this.#hasEnded) return;
    const stream = this.#stream;
    stream.resume();
    setImmediate(() => {
      if (!stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
    });
  }

  #canSend(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed;
  }

  #isTooLarge(message: Uint8Array): boolean {
    const { messageBytesMax } = this.#limits;
    if (message.length <= messageBytesMax) return false;
    const text = `the answer has ${message.length} bytes, and a message at most ${messageBytesMax}`;
    this.finish(statusOf(new Mx8Error('message_too_large', text)));
    return true;
  }

  #deliver(): void {
    // A receiver that pauses and resumes while it is told something gets the rest from the outer loop.
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    try {
      while (!this.#isPaused && !this.#isOver) {
        const message = this.#reader.next();
        if (message === null) break;
        this.#receiver?.message(message);
      }
      if (this.#hasEnded && !this.#isPaused && !this.#isOver) this.#deliverEnd();
    } catch (error) {
      this.finish(statusOfReading(error));
    } finally {
      this.#isDelivering = false;
    }
  }

  #deliverEnd(): void {
    if (!this.#reader.isEmpty) {
      throw new Mx8Error('field_invalid', 'the request ends in the middle of a message');
    }
    this.#receiver?.end();
  }

  #setDeadline(header: string | string[] | undefined): void {
    if (header === undefined) return;
    const found = /^(\d{1,8})([HMSmun])$/.exec(String(header));
    const unitMs = TIMEOUT_UNITS_MS[found?.[2] ?? ''];
    if (found === null || unitMs === undefined) {
      const text = `header grpc-timeout takes up to 8 digits and one of H, M, S, m, u, n, got "${String(header)}"`;
      this.finish(statusOf(new Mx8Error('field_invalid', text)));
      return;
    }
    this.#deadline = this.#limits.clock.setTimer(
      Number(found[1]) * unitMs,
      () => this.#runOut(String(header)),
      { unref: true },
    );
  }

  #runOut(header: string): void {
    if (!this.#stream.headersSent) {
      const message = `no answer within the deadline of the call (${header})`;
      this.finish({ code: status.DEADLINE_EXCEEDED, message, trailers: {} });
      return;
    }
    // Trailers would wait behind what a slow reader has not taken.
    this.#end();
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline?.clear();
    this.#onOver?.();
    this.#receiver?.over();
  }
}

/** The call that a message which cannot be read ends with. What is none of ours is thrown on. */
function statusOfReading(error: unknown): CallStatus {
  if (error instanceof Mx8Error) return statusOf(error);
  if (!(error instanceof CompressedMessage)) throw error;
  return {
    code: status.UNIMPLEMENTED,
    message: 'a compressed message came; the coordinator takes messages as they are',
    trailers: { 'grpc-accept-encoding': 'identity' },
  };
}

function trailersOf({ code, message, trailers }: CallStatus): Readonly<Record<string, string>> {
  if (code === status.OK) return OK_TRAILERS;
  const said = encodeURI(message.slice(0, STATUS_MESSAGE_CHARS_MAX).toWellFormed());
  return { 'grpc-status': String(code), 'grpc-message': said, ...trailers };
}
