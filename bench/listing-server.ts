/**
 * A store in S3's manner that has nothing but long listings, in a process of its own: as many keys of 30 characters
 * or so as its argument says, in order, a thousand to a page; and some in folders, where every answer takes as long as that of a
 * store that is not on this machine. Every page is made from a template, so that what a client costs is
 * measured and not what a server does. Each key has bytes, too.
 */
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';

export const PAGE_KEYS = 1000;
export const OBJECT_BYTES = 123_456;
export const FOLDERS = 16;
export const FOLDER_OBJECTS = 12_500;
export const ANSWER_MS = 50;

/** Below `train/`. */
const OBJECTS = Number(process.argv[2] ?? 0);

/** Of the folders together, or of one of them. */
function folderPage(query: URLSearchParams): string {
  const prefix = query.get('prefix') ?? '';
  const folders = Array.from(
    { length: FOLDERS },
    (_, at) => `deep/${String(at).padStart(2, '0')}/`,
  );
  if (query.get('delimiter') === '/') {
    const inside = folders.map((at) => `<CommonPrefixes><Prefix>${at}</Prefix></CommonPrefixes>`);
    return `<ListBucketResult>${inside.join('')}<IsTruncated>false</IsTruncated></ListBucketResult>`;
  }
  const listed = folders.filter((folder) => folder.startsWith(prefix));
  const count = listed.length * FOLDER_OBJECTS;
  const after = /(\d\d)\/(\d{5})$/.exec(query.get('start-after') ?? '');
  const start = query.get('continuation-token') ?? (after === null ? 0 : Number(after[2]) + 1);
  const end = Math.min(count, Number(start) + PAGE_KEYS);
  const parts: string[] = [];
  for (let index = Number(start); index < end; index += 1) {
    const name = String(index % FOLDER_OBJECTS).padStart(5, '0');
    const key = `${listed[Math.floor(index / FOLDER_OBJECTS)] ?? ''}${name}`;
    parts.push(
      `<Contents><Key>${key}</Key><ETag>&quot;${name}&quot;</ETag><Size>1</Size></Contents>`,
    );
  }
  const next = end < count ? `<NextContinuationToken>${end}</NextContinuationToken>` : '';
  return `<ListBucketResult>${parts.join('')}<IsTruncated>${end < count}</IsTruncated>${next}</ListBucketResult>`;
}

function pageOf(prefix: string, objects: number, start: number): string {
  const end = Math.min(objects, start + PAGE_KEYS);
  const parts = [
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
    `<Name>bench</Name><Prefix>${prefix}</Prefix><KeyCount>${end - start}</KeyCount><MaxKeys>${PAGE_KEYS}</MaxKeys>`,
  ];
  for (let index = start; index < end; index += 1) {
    const number = String(index).padStart(8, '0');
    parts.push(
      `<Contents><Key>${prefix}image-${number}.jpg</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;0123456789abcdef01234567${number}&quot;</ETag><Size>${OBJECT_BYTES}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
    );
  }
  const isLast = end === objects;
  parts.push(`<IsTruncated>${!isLast}</IsTruncated>`);
  if (!isLast) parts.push(`<NextContinuationToken>${end}</NextContinuationToken>`);
  return `${parts.join('')}</ListBucketResult>`;
}

const bytes = Buffer.alloc(OBJECT_BYTES, 'x');

/** Any object that is listed, or a part of it. */
function sendObject(name: string, range: string, response: ServerResponse): void {
  const number = /image-(\d{8})\.jpg$/.exec(name)?.[1];
  if (number === undefined) {
    response.writeHead(404).end();
    return;
  }
  const [, start = '0', end = String(OBJECT_BYTES - 1)] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
  response.writeHead(206, {
    etag: `"0123456789abcdef01234567${number}"`,
    'content-length': Number(end) - Number(start) + 1,
    'content-range': `bytes ${start}-${end}/${OBJECT_BYTES}`,
  });
  response.end(bytes.subarray(Number(start), Number(end) + 1));
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (request.method === 'GET' && url.pathname.length > '/bench/'.length) {
    sendObject(url.pathname, request.headers.range ?? '', response);
    return;
  }
  if (!url.searchParams.has('list-type') || url.pathname.length < 2) {
    response.writeHead(404).end();
    return;
  }
  if (url.searchParams.get('prefix')?.startsWith('deep/') === true) {
    setTimeout(() => response.end(folderPage(url.searchParams)), ANSWER_MS);
    return;
  }
  const prefix = url.searchParams.get('prefix') ?? '';
  // Somebody asks for objects that are not there: a manifest of the folder, say.
  if (prefix !== 'train/') {
    response.end(
      '<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>',
    );
    return;
  }
  const start = Number(url.searchParams.get('continuation-token') ?? 0);
  response.end(pageOf(prefix, OBJECTS, start));
});

if (process.send !== undefined) {
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.(typeof address === 'object' && address !== null ? address.port : 0);
  });
  process.on('disconnect', () => process.exit(0));
}
