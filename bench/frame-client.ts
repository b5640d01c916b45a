/**
 * A gRPC client that costs its process next to nothing, so that a benchmark measures the server: it
 * writes HTTP/2 frames for unary calls of one method on one connection, without streams, promises or
 * header objects. The first request teaches the server's decoder the headers that grpc-js would send, later
 * ones refer to them, as with any client.
 *
 * Every call must end with `grpc-status: 0`; anything else ends the benchmark. To see that without a
 * decoder, the server is told to send its headers as literals (a table of no bytes).
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const FRAME_HEAD_BYTES = 9;
const WINDOW_BYTES = 65_535;
const WINDOW_BYTES_MAX = 2 ** 31 - 1;

/** A literal without indexing: the name `grpc-status` in the Huffman code of HPACK, the value `0`. */
const STATUS_OK = Buffer.from('00889acac8b21234da8f0130', 'hex');

/** `:method: POST` and `:scheme: http` have numbers of their own. */
const POST_HTTP = [0x83, 0x86];
/** What the server's decoder counts from: the newest entry of the table of learnt headers. */
const NEWEST_LEARNT = 62;

export interface FrameClientOptions {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

export class FrameClient {
  readonly #socket: Socket;
  readonly #first: Buffer;
  readonly #later: Buffer;
  #hasAsked = false;
  #nextStream = 1;
  /** Bytes of bodies that the server takes before it gives more room. */
  #room = WINDOW_BYTES;
  #rest: Buffer = Buffer.alloc(0);
  readonly #inFlight: Map<number, number> = new Map<number, number>();
  #out: Buffer[] = [];

  private constructor(socket: Socket, { host, port, path }: FrameClientOptions) {
    const headers: readonly (readonly [string, string])[] = [
      [':path', path],
      [':authority', `${host}:${port}`],
      ['te', 'trailers'],
      ['content-type', 'application/grpc'],
      ['user-agent', 'grpc-node-js/1.14.7'],
      ['grpc-accept-encoding', 'identity,deflate,gzip'],
      ['accept-encoding', 'identity'],
    ];
    const literals = headers.map(([name, value]) => learntLiteral(name, value));
    const numbers = headers.map((_, index) => 0x80 | (NEWEST_LEARNT + headers.length - 1 - index));
    this.#socket = socket;
    this.#first = Buffer.concat([Buffer.from(POST_HTTP), ...literals]);
    this.#later = Buffer.from([...POST_HTTP, ...numbers]);
  }

  static async connect(options: FrameClientOptions): Promise<FrameClient> {
    const socket = connect({ host: options.host, port: options.port, noDelay: true });
    await once(socket, 'connect');
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    const noTable = Buffer.from([0, 1, 0, 0, 0, 0]);
    socket.write(frame(SETTINGS, 0, 0, noTable));
    socket.write(frame(WINDOW_UPDATE, 0, 0, uint32(WINDOW_BYTES_MAX - WINDOW_BYTES)));
    return new FrameClient(socket, options);
  }

  /**
   * Makes so many calls, at most `width` at a time. `body` makes the message of a call for one of the
   * `width` flights, which has no other call on its way.
   */
  run(calls: number, width: number, body: (flight: number) => Buffer): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const idle = Array.from({ length: width }, (_, flight) => flight);
    let [asked, answered] = [0, 0];
    const askMore = (): void => {
      // A body is below 256 bytes here; with less room the server's next update starts the flights again.
      while (asked < calls && this.#room >= 256) {
        const flight = idle.pop();
        if (flight === undefined) break;
        asked += 1;
        this.#ask(flight, body(flight));
      }
      this.#flush();
    };
    const onData = (chunk: Buffer): void => {
      try {
        for (const flight of this.#read(chunk)) {
          answered += 1;
          idle.push(flight);
        }
      } catch (error) {
        reject(error);
        this.close();
        return;
      }
      if (answered < calls) askMore();
      else {
        this.#socket.off('data', onData);
        resolve();
      }
    };
    this.#socket.on('data', onData);
    this.#socket.once('close', () => reject(new Error('the server closed the connection')));
    askMore();
    return promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #ask(flight: number, message: Buffer): void {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    this.#inFlight.set(stream, flight);
    const headers = this.#hasAsked ? this.#later : this.#first;
    this.#hasAsked = true;
    const body = Buffer.concat([Buffer.from([0]), uint32(message.length), message]);
    this.#room -= body.length;
    this.#out.push(
      frame(HEADERS, END_HEADERS, stream, headers),
      frame(DATA, END_STREAM, stream, body),
    );
  }

  #flush(): void {
    if (this.#out.length === 0) return;
    this.#socket.write(Buffer.concat(this.#out));
    this.#out = [];
  }

  /** The flights whose calls ended well in these bytes. */
  #read(chunk: Buffer): readonly number[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const ended: number[] = [];
    let at = 0;
    while (bytes.length - at >= FRAME_HEAD_BYTES) {
      const end = at + FRAME_HEAD_BYTES + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      const flight = this.#frame(
        bytes.readUInt8(at + 3),
        bytes.readUInt8(at + 4),
        bytes.readUInt32BE(at + 5),
        bytes.subarray(at + FRAME_HEAD_BYTES, end),
      );
      if (flight !== null) ended.push(flight);
      at = end;
    }
    this.#rest = bytes.subarray(at);
    return ended;
  }

  #frame(type: number, flags: number, stream: number, payload: Buffer): number | null {
    switch (type) {
      case HEADERS:
        return (flags & END_STREAM) === 0 ? null : this.#ended(stream, payload);
      case WINDOW_UPDATE:
        if (stream === 0) this.#room += payload.readUInt32BE(0);
        return null;
      case SETTINGS:
      case PING:
        if ((flags & ACK) === 0) {
          const answer = type === PING ? Buffer.from(payload) : Buffer.alloc(0);
          this.#out.push(frame(type, ACK, 0, answer));
        }
        return null;
      case RST_STREAM:
      case GOAWAY:
        throw new Error(`the server ended the stream or connection: ${payload.toString('hex')}`);
      default:
        return null;
    }
  }

  #ended(stream: number, trailers: Buffer): number {
    const flight = this.#inFlight.get(stream);
    if (flight === undefined || !trailers.includes(STATUS_OK)) {
      throw new Error(`a call ended otherwise than with status 0: ${trailers.toString('latin1')}`);
    }
    this.#inFlight.delete(stream);
    return flight;
  }
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEAD_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, FRAME_HEAD_BYTES);
  return bytes;
}

/** A header in full that the decoder is to remember; name and value below 128 bytes, as they are. */
function learntLiteral(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x40, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
