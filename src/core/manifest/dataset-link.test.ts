import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';

import { Mx8Error } from '../base/errors.ts';
import { intentKey, parseLink, pinnedLink } from './dataset-link.ts';

const HASH = 'ab'.repeat(32);
const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');

test('a link splits at its last @, and only known suffixes count', () => {
  assert.deepEqual(parseLink(' /data/a '), { type: 'plain', base: '/data/a' });
  assert.deepEqual(parseLink('/data/a@refresh'), { type: 'refresh', base: '/data/a' });
  assert.deepEqual(parseLink(`s3://b/a@b@sha256:${HASH}`), {
    type: 'pinned',
    base: 's3://b/a@b',
    hash: HASH,
  });
  assert.deepEqual(parseLink('/data/a@v2'), { type: 'plain', base: '/data/a@v2' });
  assert.deepEqual(parseLink('/data@refresh/a'), { type: 'plain', base: '/data@refresh/a' });
  assert.deepEqual(parseLink('/a@sha256:12'), { type: 'plain', base: '/a@sha256:12' });
});

test('a pinned link parses to what it was made of', () => {
  const pinned = parseLink(`/d@sha256:${HASH.toUpperCase()}`);
  assert.ok(pinned.type === 'pinned');
  assert.equal(pinnedLink(pinned.base, pinned.hash), `/d@sha256:${HASH}`);
});

test('a link without a base is refused', () => {
  for (const link of ['', '  ', '@refresh', ` @sha256:${HASH}`, 'a\nb']) {
    assert.throws(
      () => parseLink(link),
      (error) => error instanceof Mx8Error && error.code === 'link_invalid',
    );
  }
});

test('the intent key is the hash of the base without blanks and trailing slashes', () => {
  const key = `sha256_${createHash('sha256').update('/data/train').digest('hex')}`;
  assert.equal(intentKey('/data/train', sha256Hex), key);
  assert.equal(intentKey(' /data/train// ', sha256Hex), key);
  assert.notEqual(intentKey('/data/train/x', sha256Hex), key);
});
