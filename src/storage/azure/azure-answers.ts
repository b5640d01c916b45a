/** What Azure says: pages of listings and errors. */
import { normalEtag } from '../../core/transfer/response-head.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { KeyPage, ListedKey } from '../http/listing.ts';
import { element } from '../s3/s3-answers.ts';

const NAME = /<Name(?: Encoded="(true|false)")?>([^<]*)<\/Name>/;

/** A sentence when it is none. */
export function parseBlobPage(body: string): KeyPage | string {
  if (!body.includes('<EnumerationResults')) return 'it is no listing of blobs';
  const objects: ListedKey[] = [];
  for (const match of body.matchAll(/<Blob>([^]*?)<\/Blob>/g)) {
    const entry = match[1] ?? '';
    // Accounts with a hierarchical namespace list their folders too.
    if (element(entry, 'ResourceType') === 'directory') continue;
    if (element(entry, 'hdi_isfolder') === 'true') continue;
    const key = nameOf(entry);
    const size = element(entry, 'Content-Length');
    if (key === null || size === null || !/^\d{1,15}$/.test(size)) {
      return `it has an entry without a usable name or size: ${JSON.stringify(entry.slice(0, 120))}`;
    }
    objects.push({ key, bytes: Number(size), etag: normalEtag(element(entry, 'Etag') ?? '') });
  }
  const next = element(body, 'NextMarker') ?? '';
  return { objects, next: next === '' ? null : next };
}

/** Of a page that stops at slashes. */
export function parseBlobPrefixes(body: string): readonly string[] {
  const prefixes: string[] = [];
  for (const match of body.matchAll(/<BlobPrefix>([^]*?)<\/BlobPrefix>/g)) {
    const name = nameOf(match[1] ?? '');
    if (name !== null) prefixes.push(name);
  }
  return prefixes;
}

/** Names that XML cannot hold are encoded like those in URLs. */
function nameOf(entry: string): string | null {
  const isEncoded = NAME.exec(entry)?.[1] === 'true';
  const plain = element(entry.replace(NAME, '<Name>$2</Name>'), 'Name');
  if (plain === null || !isEncoded) return plain;
  try {
    return decodeURIComponent(plain);
  } catch {
    return null;
  }
}

export interface AzureError {
  readonly code: string;
  readonly message: string;
}

/** Empty texts where it is no error of Azure. */
export function parseAzureError({ headers }: ResponseHead, body: string): AzureError {
  const message = element(body, 'Message') ?? '';
  return {
    code: headers.get('x-ms-error-code') ?? element(body, 'Code') ?? '',
    // The lines after it are for Azure's support.
    message: (message.split('\n')[0] ?? '').trim().slice(0, 300),
  };
}
