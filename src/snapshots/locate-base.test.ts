import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mx8Error } from '../core/base/errors.ts';
import type { Place, Places } from '../ports/place.ts';
import { type Base, locateBase } from './locate-base.ts';

/** Places that have these objects and no others. */
function having(...locations: readonly string[]): Places {
  const stat: Place['stat'] = async (location) => {
    if (locations.includes(location)) return { bytes: 1, etag: '' };
    const message = `${location} is not there: the store answered status 404.`;
    throw new Mx8Error('object_missing', message, { location });
  };
  // Nothing else of a place is asked for.
  return { of: () => ({ stat }) as Place } as Pick<Places, 'of'> as Places;
}

const located = (base: string, ...there: readonly string[]): Promise<Base> =>
  locateBase(base, having(...there));

test('a manifest on a web server that is not there is named, with a query and without one', async () => {
  for (const link of ['https://host/a/m.tsv', 'https://host/a/m.tsv?sig=x', 's3://bucket/m.tsv']) {
    await assert.rejects(located(link), {
      code: 'input_missing',
      message: `Cannot open the data set: the manifest ${link} is not there: the store answered status 404.`,
    });
    const found = await located(link, link);
    assert.deepEqual(found, { type: 'manifest', path: link, isPacked: false });
  }
});

test('what is no manifest is packed where it has one below it, and else a prefix', async () => {
  const packed = 'https://host/photos/_mx8/manifest.tsv';
  const found = await located('https://host/photos', packed);
  assert.deepEqual(found, { type: 'manifest', path: packed, isPacked: true });
  for (const link of ['https://host/photos', 's3://bucket/photos']) {
    assert.equal((await located(link)).type, 'prefix');
  }
});
