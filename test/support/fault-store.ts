/** A store on loopback that answers exactly what a test says, byte for byte, whatever HTTP thinks of it. */
import { createServer, type Server, type Socket } from 'node:net';

export interface AskedFor {
  /** From 0, over all connections. */
  readonly index: number;
  readonly method: string;
  readonly target: string;
  readonly headers: ReadonlyMap<string, string>;
  /** Of the Range header; [0, Infinity) without one. */
  readonly start: number;
  readonly end: number;
}

export type Script = (asked: AskedFor, socket: Socket) => void | Promise<void>;

export class FaultStore implements AsyncDisposable {
  readonly asked: AskedFor[] = [];
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();
  #script: Script;

  private constructor(script: Script) {
    this.#script = script;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(script: Script): Promise<FaultStore> {
    const store = new FaultStore(script);
    await new Promise<void>((resolve) => store.#server.listen(0, '127.0.0.1', resolve));
    return store;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let text = '';
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const asked = parse(text.slice(0, end), this.asked.length);
        text = text.slice(end + 4 + Number(asked.headers.get('content-length') ?? 0));
        this.asked.push(asked);
        Promise.resolve(this.#script(asked, socket)).catch((error: unknown) => {
          socket.destroy(error instanceof Error ? error : new Error(String(error)));
        });
      }
    });
  }
}

function parse(head: string, index: number): AskedFor {
  const [first = '', ...lines] = head.split('\r\n');
  const [method = '', target = ''] = first.split(' ');
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const range = /^bytes=(\d+)-(\d+)$/.exec(headers.get('range') ?? '');
  const [start, end] = range === null ? [0, Infinity] : [Number(range[1]), Number(range[2]) + 1];
  return { index, method, target, headers, start, end };
}

/** An answer of a healthy store about `object`, which some name by another header than ETag. */
export function served(asked: AskedFor, object: Uint8Array, etag = 'one', name = 'ETag'): Buffer {
  const end = Math.min(asked.end, object.length);
  const isRange = asked.end !== Infinity;
  const head = [
    isRange ? 'HTTP/1.1 206 Partial Content' : 'HTTP/1.1 200 OK',
    `Content-Length: ${end - asked.start}`,
    name === 'ETag' ? `ETag: "${etag}"` : `${name}: ${etag}`,
    ...(isRange ? [`Content-Range: bytes ${asked.start}-${end - 1}/${object.length}`] : []),
  ];
  const body = asked.method === 'HEAD' ? new Uint8Array(0) : object.subarray(asked.start, end);
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}

export function answer(status: string, headers: readonly string[] = [], body = ''): string {
  return [
    `HTTP/1.1 ${status}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
    '',
    body,
  ].join('\r\n');
}

export function s3Error(
  status: string,
  code: string,
  more = '',
  headers: readonly string[] = [],
): string {
  return answer(
    status,
    headers,
    `<Error><Code>${code}</Code><Message>said so</Message>${more}</Error>`,
  );
}
