/**
 * One connection to a store, for one request after the other. The bodies of ranges go from the kernel into
 * the memory of the batch: the socket is given that memory to read into (`onread`), and its own buffer for
 * heads, small bodies and what is encrypted. No other client of Node's reaches the rate that this does
 * (`shared/design/architecture.md` §3).
 *
 * The memory of a range is never touched after its exchange has settled: the socket then reads into its own
 * buffer again, or is closed.
 */
import { connect as connectPlain } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

import {
  HEAD_BYTES_MAX,
  bodyFraming,
  parseResponseHead,
} from '../../core/transfer/response-head.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { BodyCursor } from './body-cursor.ts';
import { guardedLookup } from './origin.ts';
import type { Origin } from './origin.ts';

/** Large enough that a small range takes one call. */
const OWN_BUFFER_BYTES: number = 128 * 1024;
/** Of an answer that is no range: enough for the code and the sentence in it. */
const OTHER_BODY_BYTES_MAX: number = 16 * 1024;
const HEAD_END = '\r\n\r\n';

export type Exchange =
  /** The whole range is in its place. */
  | { readonly type: 'done'; readonly head: ResponseHead }
  /** An answer that `accept` did not take for the range; its body, or the beginning of it. */
  | { readonly type: 'answered'; readonly head: ResponseHead; readonly body: string }
  /** The connection broke, or was too slow; what has arrived is in its place. */
  | { readonly type: 'broken'; readonly why: string; readonly cause: Error | null }
  /** What came is no answer. */
  | { readonly type: 'invalid'; readonly why: string };

export interface ExchangeRequest {
  /** Request line and headers with the empty line. */
  readonly text: string;
  readonly cursor: BodyCursor;
  /** Whether the body of this answer is the range: exactly what is missing. A sentence: why not. */
  readonly accept: (head: ResponseHead) => boolean | string;
  /** Called when the head is there. */
  readonly onHead: (head: ResponseHead) => void;
}

interface Running extends ExchangeRequest {
  readonly resolve: (exchange: Exchange) => void;
  head: ResponseHead | null;
  isRange: boolean;
  /** Of a body that is no range: bytes to come, and those that are kept. */
  left: number;
  readonly kept: Buffer[];
  keptBytes: number;
}

export class RangeConnection {
  readonly #socket: Socket;
  readonly #own: Buffer = Buffer.allocUnsafeSlow(OWN_BUFFER_BYTES);
  readonly #isDirect: boolean;
  /** Bytes in `#own` that belong to a head which is not complete. */
  #headBytes: number = 0;
  #running: Running | null = null;
  #isClosed: boolean = false;
  #failure: Error | null = null;
  #bytesRead: number = 0;
  #exchanges: number = 0;
  #bytesBefore: number = 0;

  constructor(origin: Origin, onClosed: () => void) {
    const { host, port, secure } = origin;
    this.#isDirect = !secure;
    const onread = {
      buffer: (): Uint8Array => this.#nextBuffer(),
      callback: (count: number, buffer: Uint8Array): boolean => this.#onRead(count, buffer),
    };
    const where = { host, port, lookup: guardedLookup, onread };
    this.#socket = secure
      ? connectTls({
          ...where,
          servername: /^[\d.:]+$/.test(host) ? '' : host,
          ALPNProtocols: ['http/1.1'],
        })
      : connectPlain({ ...where, noDelay: true });
    this.#socket.on('error', (error) => {
      this.#failure ??= error;
    });
    this.#socket.on('end', () => this.#onEnd());
    this.#socket.on('close', () => {
      this.#onEnd();
      onClosed();
    });
  }

  get isUsable(): boolean {
    return !this.#isClosed && this.#running === null && !this.#socket.destroyed;
  }

  /** Bytes that arrived in all: whoever sees that it stands still may `give up`. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  get isBusy(): boolean {
    return this.#running !== null;
  }

  /** Requests that it was given so far. */
  get exchanges(): number {
    return this.#exchanges;
  }

  /** A server may close a connection that idled, just as it is used again. */
  get isReused(): boolean {
    return this.#exchanges > 1;
  }

  /** Whether anything came since the last request. */
  get hasBytes(): boolean {
    return this.#bytesRead > this.#bytesBefore;
  }

  /** Keeps the process alive only while something is asked for. */
  exchange(request: ExchangeRequest): Promise<Exchange> {
    if (this.#isClosed) {
      return Promise.resolve({ type: 'broken', why: 'it was closed', cause: this.#failure });
    }
    this.#socket.ref();
    this.#exchanges += 1;
    this.#bytesBefore = this.#bytesRead;
    return new Promise((resolve) => {
      this.#running = {
        ...request,
        resolve,
        head: null,
        isRange: false,
        left: 0,
        kept: [],
        keptBytes: 0,
      };
      this.#headBytes = 0;
      this.#socket.write(request.text, 'latin1');
    });
  }

  /** Ends what is under way as broken. */
  giveUp(why: string): void {
    this.#break(why);
  }

  close(): void {
    this.#break('it was closed');
  }

  #nextBuffer(): Uint8Array {
    const running = this.#running;
    if (running === null || running.head === null) return this.#own.subarray(this.#headBytes);
    if (this.#isDirect && running.isRange) return running.cursor.room() ?? this.#own;
    return this.#own;
  }

  #onRead(count: number, buffer: Uint8Array): boolean {
    this.#bytesRead += count;
    const running = this.#running;
    if (running === null) {
      // Nothing was asked for: whatever this is, the next answer could not be told from it.
      this.#break('bytes came that nobody had asked for');
      return true;
    }
    if (running.head === null) this.#onHeadBytes(running, count);
    else if (buffer.buffer !== this.#own.buffer) {
      running.cursor.filled(count);
      if (running.cursor.missing === 0) this.#settle({ type: 'done', head: running.head });
    } else this.#onBody(running, running.head, this.#own.subarray(0, count));
    return true;
  }

  #onHeadBytes(running: Running, count: number): void {
    const seen = this.#headBytes;
    this.#headBytes += count;
    const end = this.#own
      .subarray(0, this.#headBytes)
      .indexOf(HEAD_END, Math.max(0, seen - HEAD_END.length + 1), 'latin1');
    if (end === -1) {
      if (this.#headBytes <= HEAD_BYTES_MAX) return;
      this.#invalid(`its head is longer than ${HEAD_BYTES_MAX} bytes`);
      return;
    }
    const head = parseResponseHead(this.#own.toString('latin1', 0, end));
    const rest = this.#own.subarray(end + HEAD_END.length, this.#headBytes);
    this.#headBytes = 0;
    if (typeof head === 'string') {
      this.#invalid(head);
    } else if (head.status >= 100 && head.status < 200) {
      // Not the answer yet.
      rest.copy(this.#own);
      if (rest.length > 0) this.#onHeadBytes(running, rest.length);
    } else {
      this.#onHead(running, head, rest);
    }
  }

  #onHead(running: Running, head: ResponseHead, rest: Buffer): void {
    running.head = head;
    running.onHead(head);
    const framing = bodyFraming(head);
    if (typeof framing === 'string') {
      this.#invalid(framing);
      return;
    }
    const accepted = running.accept(head);
    if (typeof accepted === 'string') {
      this.#invalid(accepted);
      return;
    }
    running.isRange = accepted;
    running.left = framing.type === 'length' ? framing.bytes : Infinity;
    if (accepted && running.left !== running.cursor.missing) {
      const says = framing.type === 'length' ? `${framing.bytes} bytes` : 'no length';
      this.#invalid(`its head announces ${says} where ${running.cursor.missing} were asked for`);
      return;
    }
    this.#onBody(running, head, rest);
  }

  #onBody(running: Running, head: ResponseHead, bytes: Buffer): void {
    if (running.isRange) {
      if (bytes.length > running.cursor.missing) {
        this.#invalid('more bytes came than its head announces');
        return;
      }
      running.cursor.take(bytes);
      if (running.cursor.missing === 0) this.#settle({ type: 'done', head });
      return;
    }
    running.left -= bytes.length;
    const room = Math.min(bytes.length, OTHER_BODY_BYTES_MAX - running.keptBytes);
    if (room > 0) running.kept.push(Buffer.from(bytes.subarray(0, room)));
    running.keptBytes += room;
    const isChunked = head.headers.has('transfer-encoding');
    const isOver = running.left <= 0 || (isChunked && endsChunked(running.kept));
    if (isOver || running.keptBytes >= OTHER_BODY_BYTES_MAX) this.#answered(running, head);
  }

  #answered(running: Running, head: ResponseHead): void {
    const isChunked = head.headers.has('transfer-encoding');
    const body = bodyText(Buffer.concat(running.kept), isChunked);
    // A body that is not at its end would be taken for the next answer.
    if (running.left !== 0) this.#running = null;
    this.#settle({ type: 'answered', head, body }, running);
    if (running.left !== 0) this.#break('');
  }

  #settle(exchange: Exchange, of: Running | null = this.#running): void {
    this.#running = null;
    this.#headBytes = 0;
    const keepsAlive = 'head' in exchange && exchange.head.keepsAlive;
    if (keepsAlive) this.#socket.unref();
    else this.#break('');
    of?.resolve(exchange);
  }

  #invalid(why: string): void {
    this.#settle({ type: 'invalid', why });
  }

  #onEnd(): void {
    const running = this.#running;
    // Some bodies end with the connection.
    const head = running?.head ?? null;
    if (running !== null && head !== null && !running.isRange) {
      this.#running = null;
      running.left = 0;
      this.#isClosed = true;
      this.#answered(running, head);
      return;
    }
    this.#break(head === null ? 'it ended before an answer' : 'it ended within the body');
  }

  #break(why: string): void {
    this.#isClosed = true;
    const running = this.#running;
    this.#running = null;
    this.#socket.destroy();
    if (running === null) return;
    const cause = this.#failure;
    running.resolve({ type: 'broken', why: cause?.message ?? why, cause });
  }
}

/** Whether what came so far ends as chunked bodies do; their connection is not used again anyway. */
function endsChunked(kept: readonly Buffer[]): boolean {
  const last = kept.at(-1);
  if (last === undefined) return false;
  const end = (last.length < 5 ? Buffer.concat(kept) : last).subarray(-5);
  return end.toString('latin1') === '0\r\n\r\n';
}

/** For people and for codes in it; chunks are taken apart as far as they are whole. */
function bodyText(body: Buffer, isChunked: boolean): string {
  if (!isChunked) return body.toString('utf8');
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const lineEnd = body.indexOf('\r\n', at, 'latin1');
    const bytes = lineEnd === -1 ? NaN : Number.parseInt(body.toString('latin1', at, lineEnd), 16);
    if (!(bytes > 0)) break;
    parts.push(body.subarray(lineEnd + 2, lineEnd + 2 + bytes));
    at = lineEnd + 2 + bytes + 2;
  }
  return Buffer.concat(parts).toString('utf8');
}
