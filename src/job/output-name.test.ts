import assert from 'node:assert/strict';
import { posix } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { Mx8Error } from '../core/base/errors.ts';
import { checkName, defaultName } from './output-name.ts';

function record(location: string, sampleId = 12, byteOffset: number | null = null) {
  const byteLength = byteOffset === null ? null : 5;
  return { sampleId, location, byteOffset, byteLength, decodeHint: '' };
}

test('a default name is the file’s with the sample id before the extension', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['/data/cat.jpg', 'cat-000000000012.jpg'],
    ['/data/archive.tar.gz', 'archive.tar-000000000012.gz'],
    ['/data/README', 'README-000000000012'],
    ['/data/.profile', '.profile-000000000012'],
    ['https://host/a/b.png?size=2#top', 'b-000000000012.png'],
    ['/data/odd?name.txt', 'odd?name-000000000012.txt'],
    ['/data/back\\slash.txt', 'back_slash-000000000012.txt'],
    [`/data/${'ä'.repeat(200)}.txt`, `${'ä'.repeat(90)}-000000000012.txt`],
  ];
  for (const [location, name] of cases) assert.equal(defaultName(record(location)), name);
  assert.equal(defaultName(record('/data/shard-00000.tar', 3, 512)), 'sample-000000000003.bin');
});

test('names that could leave the folder or hide in it are refused with the reason', () => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    ['', /it is empty/],
    ['/etc/passwd', /absolute path/],
    ['../up', /component "\.\."/],
    ['a/../../up', /component "\.\."/],
    ['a/./b', /component "\."/],
    ['a//b', /empty component/],
    ['a/', /empty component/],
    ['a\\b', /backslash/],
    ['a\tb', /control character/],
    ['a\nb', /control character/],
    ['a\0b', /control character/],
    ['\ud800', /not valid Unicode/],
    ['x'.repeat(256), /longer than 255 bytes/],
    ['_mx8/manifest.tsv', /"_mx8" is kept/],
    ['shards/a', /"shards" is kept/],
    [7, /not a text/],
  ];
  for (const [name, message] of cases) {
    assert.throws(
      () => checkName(name, 5),
      (error) => {
        assert(error instanceof Mx8Error && error.code === 'row_invalid');
        assert.match(error.message, message);
        assert.equal(error.details['sample_id'], 5);
        return true;
      },
    );
  }
});

test('every default name is one that may be used, and every name that may be used stays inside', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(), (text, id) => {
      const location = `/data/${text.toWellFormed().replaceAll(/[\t\r\n]/g, '')}x`;
      checkName(defaultName(record(location, id)), id);
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '.', '/', '\\', '_mx8') }), (name) => {
      try {
        checkName(name, 0);
      } catch {
        return;
      }
      assert(posix.resolve('/out', name).startsWith('/out/'));
    }),
  );
});
