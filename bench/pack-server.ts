/**
 * What packing asks of an S3 service, and nothing else, out of memory in a process of its own: objects below `in/`
 * are read, what is written is counted and thrown away, but for small objects, which are kept. So what a
 * packer costs is measured, and not what a service does with its disk.
 */
import { createServer, type Socket } from 'node:net';

export const PACK_OBJECTS = 96;
export const PACK_OBJECT_BYTES: number = 8 * 1024 ** 2;
const KEPT_BYTES_MAX = 256 * 1024;
const BUCKET = '/bucket';

interface Stored {
  readonly bytes: number;
  readonly etag: string;
  readonly mark: string;
  readonly body: Buffer;
}

interface Asked {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: ReadonlyMap<string, string>;
  readonly bodyBytes: number;
}

interface Answer {
  readonly status: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Uint8Array;
}

const object = Buffer.alloc(PACK_OBJECT_BYTES);
for (let at = 0; at < object.length; at += 4) object.writeUInt32LE((at * 2_654_435_761) >>> 0, at);
const store = new Map<string, Stored>();
const uploads = new Map<string, { bytes: number; readonly mark: string }>();
let serial = 0;

for (let index = 0; index < PACK_OBJECTS; index += 1) {
  const key = `in/${String(index).padStart(4, '0')}.bin`;
  store.set(key, { bytes: object.length, etag: `in-${index}`, mark: '', body: object });
}

function answerTo(asked: Asked, body: Buffer): Answer {
  const { method, key, query } = asked;
  if (key === '') return { status: '200 OK', body: Buffer.from(listing(query)) };
  if (method === 'GET' || method === 'HEAD') return read(asked);
  if (method === 'DELETE') {
    store.delete(key);
    return { status: '204 No Content' };
  }
  if (method === 'POST') return multipart(asked);
  const upload = uploads.get(query.get('uploadId') ?? '');
  if (upload === undefined)
    return put(asked, asked.bodyBytes, body, asked.headers.get('x-amz-meta-mx8-mark'));
  upload.bytes += asked.bodyBytes;
  serial += 1;
  return { status: '200 OK', headers: { ETag: `"${serial}"` } };
}

function multipart(asked: Asked): Answer {
  const id = asked.query.get('uploadId');
  if (id === null) {
    serial += 1;
    const mark = asked.headers.get('x-amz-meta-mx8-mark') ?? '';
    uploads.set(`upload-${serial}`, { bytes: 0, mark });
    const text = `<InitiateMultipartUploadResult><UploadId>upload-${serial}</UploadId></InitiateMultipartUploadResult>`;
    return { status: '200 OK', body: Buffer.from(text) };
  }
  const { bytes, mark } = uploads.get(id) ?? { bytes: 0, mark: '' };
  const { status, headers } = put(asked, bytes, Buffer.alloc(0), mark);
  const text = `<CompleteMultipartUploadResult><ETag>${headers?.['ETag'] ?? ''}</ETag></CompleteMultipartUploadResult>`;
  return { status, body: Buffer.from(text) };
}

function put({ key, headers }: Asked, bytes: number, body: Buffer, mark = ''): Answer {
  const there = store.get(key);
  const match = headers.get('if-match');
  const isRefused =
    (headers.has('if-none-match') && there !== undefined) ||
    (match !== undefined && match !== `"${there?.etag ?? ''}"`);
  if (isRefused) return { status: '412 Precondition Failed' };
  serial += 1;
  store.set(key, { bytes, etag: `e${serial}`, mark, body });
  return { status: '200 OK', headers: { ETag: `"e${serial}"` } };
}

function read({ method, key, headers }: Asked): Answer {
  const found = store.get(key);
  if (found === undefined) return { status: '404 Not Found' };
  const common = { ETag: `"${found.etag}"`, 'x-amz-meta-mx8-mark': found.mark };
  if (method === 'HEAD') {
    return { status: '200 OK', headers: { ...common, 'Content-Length': found.bytes } };
  }
  const range = /bytes=(\d+)-(\d+)/.exec(headers.get('range') ?? '');
  const [start, end] = [Number(range?.[1] ?? 0), Number(range?.[2] ?? found.bytes - 1) + 1];
  const part = `bytes ${start}-${end - 1}/${found.bytes}`;
  const status = range === null ? '200 OK' : '206 Partial Content';
  const all = { ...common, ...(range === null ? {} : { 'Content-Range': part }) };
  return { status, headers: all, body: found.body.subarray(start, end) };
}

function listing(query: URLSearchParams): string {
  if (query.has('uploads')) return '<ListMultipartUploadsResult></ListMultipartUploadsResult>';
  const [prefix, delimiter] = [query.get('prefix') ?? '', query.get('delimiter')];
  const folders = new Set<string>();
  let text = '';
  for (const [key, { bytes, etag }] of [...store].sort(([one], [other]) =>
    one < other ? -1 : 1,
  )) {
    if (!key.startsWith(prefix)) continue;
    const slash = delimiter === null ? -1 : key.indexOf(delimiter, prefix.length);
    if (slash !== -1) folders.add(key.slice(0, slash + 1));
    else text += `<Contents><Key>${key}</Key><Size>${bytes}</Size><ETag>${etag}</ETag></Contents>`;
  }
  for (const folder of folders)
    text += `<CommonPrefixes><Prefix>${folder}</Prefix></CommonPrefixes>`;
  return `<ListBucketResult><IsTruncated>false</IsTruncated>${text}</ListBucketResult>`;
}

function parsed(head: string): Asked {
  const [first = '', ...lines] = head.split('\r\n');
  const [method = '', target = ''] = first.split(' ');
  const url = new URL(target, 'http://host');
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const key = decodeURIComponent(url.pathname.slice(BUCKET.length)).replace(/^\//, '');
  const bodyBytes = Number(headers.get('content-length') ?? 0);
  return { method, key, query: url.searchParams, headers, bodyBytes };
}

function send(socket: Socket, asked: Asked, { status, headers = {}, body }: Answer): void {
  const all = { 'Content-Length': body?.length ?? 0, ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.cork();
  socket.write(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n`);
  if (body !== undefined && asked.method !== 'HEAD') socket.write(body);
  socket.uncork();
}

function serve(socket: Socket): void {
  let head = Buffer.alloc(0);
  let asked: Asked | null = null;
  let left = 0;
  let kept: Buffer[] = [];
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    let rest = chunk;
    while (rest.length > 0) {
      if (asked === null) {
        head = Buffer.concat([head, rest]);
        const end = head.indexOf('\r\n\r\n');
        if (end === -1) return;
        asked = parsed(head.toString('latin1', 0, end));
        rest = head.subarray(end + 4);
        head = Buffer.alloc(0);
        left = asked.bodyBytes;
        if (asked.headers.has('expect')) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      }
      const taken = Math.min(left, rest.length);
      if (asked.bodyBytes <= KEPT_BYTES_MAX) kept.push(rest.subarray(0, taken));
      left -= taken;
      rest = rest.subarray(taken);
      if (left > 0) return;
      send(socket, asked, answerTo(asked, Buffer.concat(kept)));
      asked = null;
      kept = [];
    }
  });
}

if (process.send !== undefined) {
  const server = createServer({ noDelay: true }, serve);
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.(typeof address === 'object' && address !== null ? address.port : 0);
  });
  process.on('disconnect', () => process.exit(0));
}
