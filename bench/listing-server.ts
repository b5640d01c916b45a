/**
 * A store in S3's manner that has nothing but a long listing, in a process of its own: OBJECTS keys of 30
 * characters or so, in order, a thousand to a page. Every page is made from a template, so that what a client costs is
 * measured and not what a server does.
 */
import { createServer } from 'node:http';

export const OBJECTS = 10_000_000;
const PAGE_KEYS = 1000;

function pageOf(start: number): string {
  const end = Math.min(OBJECTS, start + PAGE_KEYS);
  const parts = [
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
    `<Name>bench</Name><Prefix>train/</Prefix><KeyCount>${end - start}</KeyCount><MaxKeys>${PAGE_KEYS}</MaxKeys>`,
  ];
  for (let index = start; index < end; index += 1) {
    const number = String(index).padStart(8, '0');
    parts.push(
      `<Contents><Key>train/image-${number}.jpg</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;0123456789abcdef01234567${number}&quot;</ETag><Size>123456</Size><StorageClass>STANDARD</StorageClass></Contents>`,
    );
  }
  const isLast = end === OBJECTS;
  parts.push(`<IsTruncated>${!isLast}</IsTruncated>`);
  if (!isLast) parts.push(`<NextContinuationToken>${end}</NextContinuationToken>`);
  return `${parts.join('')}</ListBucketResult>`;
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (!url.searchParams.has('list-type') || url.pathname.length < 2) {
    response.writeHead(404).end();
    return;
  }
  const isWhole = url.searchParams.get('prefix') === 'train/';
  // Somebody asks for objects that are not there: a manifest of the folder, say.
  if (!isWhole) {
    response.end(
      '<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>',
    );
    return;
  }
  response.end(pageOf(Number(url.searchParams.get('continuation-token') ?? 0)));
});

if (process.send !== undefined) {
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.(typeof address === 'object' && address !== null ? address.port : 0);
  });
  process.on('disconnect', () => process.exit(0));
}
