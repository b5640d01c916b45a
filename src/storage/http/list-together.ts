/**
 * A long listing in several at a time: where few folders have many objects each, the folders are listed beside each
 * other, and given out in order. A page is asked for with what the page before it ended with, so a single
 * listing is never faster than one answer after the other. Flat and finely divided prefixes, and what fits a page, are
 * listed as they are: a request for each folder would be more of them.
 */
import { compareUtf8 } from '../../core/manifest/byte-order.ts';
import type { ListedObject, ListOptions } from '../../ports/place.ts';
import { ReadAhead } from './read-ahead.ts';

/** What is directly below a prefix, in byte order: objects, and prefixes of what is deeper. */
export interface Level {
  readonly objects: readonly ListedObject[];
  /** Each ends in a slash. */
  readonly prefixes: readonly string[];
}

export interface ListTogether {
  readonly prefix: string;
  readonly options: ListOptions;
  /** One after the other. */
  readonly list: (
    prefix: string,
    options: ListOptions,
  ) => AsyncGenerator<readonly ListedObject[], void>;
  /** One level of a prefix; null where it goes on behind a page. */
  readonly level: (prefix: string, signal: AbortSignal | undefined) => Promise<Level | null>;
}

/** Of what a store answered; a sentence where it is no level of the prefix. */
export function levelOf(
  keyPrefix: string,
  root: string,
  objects: readonly (Omit<ListedObject, 'location'> & { readonly key: string })[],
  prefixes: readonly string[],
): Level | string {
  const stray = [...prefixes, ...objects.map(({ key }) => key)].find(
    (key) => !key.startsWith(keyPrefix),
  );
  if (stray !== undefined) return `it lists ${JSON.stringify(stray)}`;
  if (prefixes.some((key) => !key.endsWith('/') || key.length <= keyPrefix.length)) {
    return 'it names a folder that is none';
  }
  return {
    objects: objects.map(({ key, bytes, etag }) => ({ location: `${root}${key}`, bytes, etag })),
    prefixes: [...new Set(prefixes)].map((key) => `${root}${key}`),
  };
}

/** A page of fewer objects is the last one of its listing. */
const PAGE_FULL = 1000;
/** Objects in a folder, by the first page, for which a listing of its own is worth it. */
const OBJECTS_EACH_MIN = 64;
/** A listing at a time is more than a store is asked for by itself; 32 connections are what there is. */
const LISTINGS_AT_ONCE = 8;
/** Folders in folders that have nothing beside them, until there are several. */
const DEPTH_MAX = 8;

export async function* listTogether(
  listing: ListTogether,
): AsyncGenerator<readonly ListedObject[], void> {
  const { prefix, options, list } = listing;
  const plain = list(prefix, options);
  try {
    const first = await plain.next();
    if (first.done === true) return;
    const parts = await partsOf(listing, first.value);
    yield first.value;
    const last = first.value.at(-1)?.location ?? '';
    if (parts === null) yield* plain;
    else {
      await plain.return();
      yield* inOrder(listing, parts, last);
    }
  } finally {
    await plain.return();
  }
}

type Part =
  | { readonly type: 'object'; readonly at: string; readonly object: ListedObject }
  | { readonly type: 'prefix'; readonly at: string };

/** Null where one listing after the other is better. */
async function partsOf(
  { prefix, options, level }: ListTogether,
  first: readonly ListedObject[],
): Promise<readonly Part[] | null> {
  if (first.length < PAGE_FULL) return null;
  let at = prefix;
  for (let depth = 0; depth < DEPTH_MAX; depth += 1) {
    const seen = new Set(first.map(({ location }) => childOf(location, at)));
    const [only] = seen;
    if (first.length / seen.size < OBJECTS_EACH_MIN) return null;
    const found = await level(at, options.signal);
    if (found === null) return null;
    const { objects, prefixes } = found;
    if (prefixes.length > 1) return sorted(objects, prefixes);
    if (objects.length > 0 || only === undefined || prefixes[0] !== only) return null;
    at = only;
  }
  return null;
}

/** The name below `prefix`, with the slash after it where it is a folder. */
function childOf(location: string, prefix: string): string {
  const slash = location.indexOf('/', prefix.length);
  return slash === -1 ? location : location.slice(0, slash + 1);
}

function sorted(objects: readonly ListedObject[], prefixes: readonly string[]): readonly Part[] {
  const parts: Part[] = [
    ...objects.map((object) => ({ type: 'object', at: object.location, object }) as const),
    ...prefixes.map((at) => ({ type: 'prefix', at }) as const),
  ];
  return parts.sort((one, other) => compareUtf8(one.at, other.at));
}

/** What comes after `last`. */
async function* inOrder(
  { options, list }: ListTogether,
  parts: readonly Part[],
  last: string,
): AsyncGenerator<readonly ListedObject[], void> {
  const stop = new AbortController();
  const signal =
    options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const left = parts.filter(({ type, at }) => {
    const isBehind = compareUtf8(at, last) > 0;
    return isBehind || (type === 'prefix' && last.startsWith(at));
  });
  const open: ReadAhead<readonly ListedObject[]>[] = [];
  let next = 0;
  const begin = (): void => {
    while (open.length < LISTINGS_AT_ONCE && next < left.length) {
      const part = left[next];
      next += 1;
      if (part === undefined) return;
      const after = part.type === 'prefix' && last.startsWith(part.at) ? { after: last } : {};
      open.push(
        new ReadAhead(
          part.type === 'object' ? one(part.object) : list(part.at, { ...after, signal }),
        ),
      );
    }
  };
  try {
    for (begin(); open.length > 0; begin()) {
      const head = open[0];
      if (head === undefined) return;
      for (let page = await head.take(); page !== null; page = await head.take()) yield page;
      open.shift();
    }
  } finally {
    stop.abort();
    await Promise.all(open.map((ahead) => ahead.close()));
  }
}

async function* one(object: ListedObject): AsyncGenerator<readonly ListedObject[], void> {
  yield [object];
}
