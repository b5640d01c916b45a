import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { compareUtf8 } from '../../core/manifest/byte-order.ts';
import type { ListedObject, ListOptions } from '../../ports/place.ts';
import { listTogether } from './list-together.ts';
import type { Level } from './list-together.ts';

const PAGE = 1000;

/** A store with exactly these names, and how many listings of it were open at a time. */
class Names {
  readonly #names: readonly string[];
  readonly failing: string;
  open = 0;
  openMax = 0;
  pages = 0;

  constructor(names: readonly string[], failing = '') {
    this.#names = [...new Set(names)].sort(compareUtf8);
    this.failing = failing;
  }

  all(prefix: string, after = ''): readonly string[] {
    return this.#names.filter(
      (name) => name.startsWith(prefix) && (after === '' || compareUtf8(name, after) > 0),
    );
  }

  async *list(
    prefix: string,
    { after, signal }: ListOptions,
  ): AsyncGenerator<readonly ListedObject[], void> {
    const names = this.all(prefix, after);
    this.open += 1;
    this.openMax = Math.max(this.open, this.openMax);
    try {
      for (let at = 0; at < names.length; at += PAGE) {
        await new Promise((resolve) => setImmediate(resolve));
        signal?.throwIfAborted();
        if (prefix === this.failing && at > 0) throw new Error(`no page ${at} of ${prefix}`);
        this.pages += 1;
        yield names.slice(at, at + PAGE).map(objectOf);
      }
    } finally {
      this.open -= 1;
    }
  }

  async level(prefix: string): Promise<Level | null> {
    const names = this.all(prefix);
    const isDeep = (name: string): boolean => name.includes('/', prefix.length);
    const folders = names
      .filter(isDeep)
      .map((name) => name.slice(0, name.indexOf('/', prefix.length) + 1));
    const objects = names.filter((name) => !isDeep(name)).map(objectOf);
    const prefixes = [...new Set(folders)];
    return objects.length + prefixes.length > PAGE ? null : { objects, prefixes };
  }
}

function objectOf(location: string): ListedObject {
  return { location, bytes: 1, etag: '' };
}

async function listed(names: Names, prefix: string, signal?: AbortSignal): Promise<string[]> {
  const found: string[] = [];
  const pages = listTogether({
    prefix,
    options: { signal },
    list: (at, options) => names.list(at, options),
    level: (at) => names.level(at),
  });
  for await (const page of pages) found.push(...page.map(({ location }) => location));
  return found;
}

function numbered(folder: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `${folder}${String(at).padStart(6, '0')}`);
}

test('whatever the folders are, every object is listed once, in byte order', async () => {
  const folder = fc.tuple(
    fc.array(fc.constantFrom('a', 'b', 'b-c', 'é', 'z'), { maxLength: 3 }),
    fc.integer({ min: 0, max: 2_500 }),
  );
  const property = fc.asyncProperty(fc.array(folder, { maxLength: 8 }), async (folders) => {
    const names = new Names(
      folders.flatMap(([path, count]) => numbered(['p', ...path, ''].join('/'), count)),
    );
    assert.deepEqual(await listed(names, 'p/'), names.all('p/'));
    assert.equal(names.open, 0);
  });
  await fc.assert(property, { numRuns: 100 });
});

test('a few large folders are listed beside each other, also below one that is alone', async () => {
  const names = new Names(
    Array.from({ length: 20 }, (_, at) => numbered(`p/only/${at}/`, 3_000)).flat(),
  );
  assert.deepEqual(await listed(names, 'p/'), names.all('p/'));
  assert.equal(names.openMax, 8);
});

test('flat and finely divided prefixes are listed one page after the other', async () => {
  for (const made of [
    numbered('p/', 5_000),
    numbered('p/', 5_000).map((name) => `${name}/x`),
    numbered('p/', 700),
  ]) {
    const names = new Names(made);
    assert.deepEqual(await listed(names, 'p/'), names.all('p/'));
    assert.equal(names.openMax, 1);
    assert.equal(names.pages, Math.ceil(made.length / PAGE));
  }
});

test('a folder that cannot be listed fails the listing in its turn, and ends the others', async () => {
  const made = ['a', 'b', 'c', 'd'].flatMap((name) => numbered(`p/${name}/`, 20_000));
  const names = new Names(made, 'p/b/');
  await assert.rejects(listed(names, 'p/'), /no page 1000 of p\/b\//);
  assert.equal(names.open, 0);
});

test('who aborts, or takes no more, ends every listing', async () => {
  const made = ['a', 'b', 'c', 'd'].flatMap((name) => numbered(`p/${name}/`, 20_000));
  const names = new Names(made);
  const stop = new AbortController();
  const listing = listed(names, 'p/', stop.signal);
  await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error('stopped'));
  await assert.rejects(listing, /stopped/);
  assert.equal(names.open, 0);
  const pages = listTogether({
    prefix: 'p/',
    options: {},
    list: (at, options) => names.list(at, options),
    level: (at) => names.level(at),
  });
  let taken = 0;
  for await (const _ of pages) {
    taken += 1;
    if (taken === 5) break;
  }
  assert.equal(names.open, 0);
});
