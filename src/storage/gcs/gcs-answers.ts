/** What Google's storage says: pages of listings, what an object is, and errors. */
import type { ObjectStat } from '../../ports/place.ts';
import type { KeyPage, ListedKey } from '../http/listing.ts';

/** The fields that are asked for. An object's generation names its bytes. */
export const OBJECT_FIELDS = 'name,size,generation';

/** A sentence when it is none. */
export function parseObjectPage(body: string): KeyPage | string {
  const page = parsed(body);
  if (page === null) return 'it is no listing of objects';
  const items = field(page, 'items') ?? [];
  if (!Array.isArray(items)) return 'it is no listing of objects';
  const objects: ListedKey[] = [];
  for (const item of items as readonly unknown[]) {
    const key = field(item, 'name');
    const stat = statOf(item);
    if (typeof key !== 'string' || stat === null) {
      return `it has an entry without a usable name or size: ${JSON.stringify(item).slice(0, 120)}`;
    }
    objects.push({ key, ...stat });
  }
  const next = field(page, 'nextPageToken');
  return { objects, next: typeof next === 'string' && next !== '' ? next : null };
}

/** Of a page that stops at slashes. */
export function parsePrefixes(body: string): readonly string[] {
  const prefixes = field(parsed(body), 'prefixes') ?? [];
  if (!Array.isArray(prefixes)) return [];
  return prefixes.filter((prefix): prefix is string => typeof prefix === 'string');
}

/** Null when it is no object. */
export function parseObject(body: string): ObjectStat | null {
  return statOf(parsed(body));
}

/** What was noted at an object, by its name; '' where there is no such note. */
export function parseNote(body: string, name: string): string {
  const note = field(field(parsed(body), 'metadata'), name);
  return typeof note === 'string' ? note : '';
}

/** How far a copy has come: the object, or what to go on with. Null when it says neither. */
export function parseRewrite(
  body: string,
): { readonly done: ObjectStat } | { readonly token: string } | null {
  const answer = parsed(body);
  if (field(answer, 'done') === true) {
    const done = statOf(field(answer, 'resource'));
    return done === null ? null : { done };
  }
  const token = field(answer, 'rewriteToken');
  return typeof token === 'string' && token !== '' ? { token } : null;
}

export interface GcsError {
  readonly reason: string;
  readonly message: string;
}

/** Errors about bytes are plain text, others are JSON. */
export function parseGcsError(body: string): GcsError {
  const error = field(parsed(body), 'error');
  const message = field(error, 'message');
  const [first] = (field(error, 'errors') ?? []) as readonly unknown[];
  const reason = field(first, 'reason');
  return {
    reason: typeof reason === 'string' ? reason : '',
    message: typeof message === 'string' ? message.slice(0, 300) : plainText(body),
  };
}

function statOf(item: unknown): ObjectStat | null {
  const [size, generation] = [field(item, 'size'), field(item, 'generation')];
  if (typeof size !== 'string' || !/^\d{1,15}$/.test(size)) return null;
  return { bytes: Number(size), etag: typeof generation === 'string' ? generation : '' };
}

function plainText(body: string): string {
  const text = body.trim();
  return text.startsWith('{') || text.startsWith('<') ? '' : text.slice(0, 200);
}

function parsed(body: string): object | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}
