/** What S3 says: errors and pages of listings, in the few elements of XML that matter here. */
import { normalEtag } from '../../core/transfer/response-head.ts';
import type { KeyPage, ListedKey } from '../http/listing.ts';

export interface S3Error {
  readonly code: string;
  readonly message: string;
  /** Of an error about the region: the right one. '' where it does not say. */
  readonly region: string;
}

/** Empty texts where the body is no error of S3. */
export function parseS3Error(body: string): S3Error {
  return {
    code: element(body, 'Code') ?? '',
    message: (element(body, 'Message') ?? '').slice(0, 300),
    region: element(body, 'Region') ?? '',
  };
}

/**
 * A sentence when it is none. Keys come as they are: services do not agree on how `encoding-type=url` writes a
 * plus and a space.
 */
export function parseListPage(body: string): KeyPage | string {
  if (!body.includes('<ListBucketResult')) return 'it is no listing of objects';
  const objects: ListedKey[] = [];
  for (const entry of entriesOf(body, 'Contents')) {
    const key = element(entry, 'Key');
    const size = element(entry, 'Size');
    if (key === null || size === null || !/^\d{1,15}$/.test(size)) {
      return `it has an entry without a usable key or size: ${JSON.stringify(entry.slice(0, 120))}`;
    }
    objects.push({ key, bytes: Number(size), etag: normalEtag(element(entry, 'ETag') ?? '') });
  }
  if (element(body, 'IsTruncated') !== 'true') return { objects, next: null };
  const nextToken = element(body, 'NextContinuationToken');
  if (nextToken === null || nextToken === '') return 'it goes on but does not say where';
  return { objects, next: nextToken };
}

/** Of a page that stops at slashes. */
export function parseCommonPrefixes(body: string): readonly string[] {
  const prefixes: string[] = [];
  for (const match of body.matchAll(/<CommonPrefixes>([^]*?)<\/CommonPrefixes>/g)) {
    const prefix = element(match[1] ?? '', 'Prefix');
    if (prefix !== null) prefixes.push(prefix);
  }
  return prefixes;
}

/** A listing of ten million objects is ten thousand pages: no expressions are run over them. */
function* entriesOf(body: string, tag: string): Generator<string> {
  const [opening, closing] = [`<${tag}>`, `</${tag}>`];
  for (let at = 0; ;) {
    const start = body.indexOf(opening, at);
    const end = start === -1 ? -1 : body.indexOf(closing, start);
    if (end === -1) return;
    yield body.slice(start + opening.length, end);
    at = end;
  }
}

export interface UnfinishedUpload {
  readonly key: string;
  readonly uploadId: string;
}

/** Of a page of `?uploads`. Entries that cannot be read are left out: nothing depends on them. */
export function parseUploads(body: string): readonly UnfinishedUpload[] {
  const uploads: UnfinishedUpload[] = [];
  for (const entry of entriesOf(body, 'Upload')) {
    const key = element(entry, 'Key');
    const uploadId = element(entry, 'UploadId');
    if (key !== null && uploadId !== null) uploads.push({ key, uploadId });
  }
  return uploads;
}

/** The text of the first element of that name that holds only text. */
export function element(xml: string, name: string): string | null {
  const [opening, closing] = [`<${name}>`, `</${name}>`];
  for (let at = xml.indexOf(opening); at !== -1; at = xml.indexOf(opening, at + 1)) {
    const start = at + opening.length;
    const end = xml.indexOf('<', start);
    if (end !== -1 && xml.startsWith(closing, end)) return unescaped(xml.slice(start, end));
  }
  return null;
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
};

function unescaped(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(#x?[0-9a-fA-F]+|\w+);/g, (whole, name: string) => {
    if (!name.startsWith('#')) return ENTITIES[name] ?? whole;
    const code = name[1] === 'x' ? parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

export function escapedXml(text: string): string {
  return text.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
