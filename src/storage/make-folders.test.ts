import assert from 'node:assert/strict';
import { statSync, symlinkSync, writeFileSync } from 'node:fs';
import test from 'node:test';

import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import { makeFolders, makeFoldersSync } from './make-folders.ts';

const WAYS = [
  makeFolders,
  (path: string): Promise<string | undefined> => {
    makeFoldersSync(path);
    return Promise.resolve(undefined);
  },
];

test('the folder is there with those above it, whoever made them, and it is said which was made first', async () => {
  for (const make of WAYS) {
    await using folder = await temporaryFolder();
    const path = folder.join('a', 'b', 'c');
    const tops = await Promise.all([make(path), make(path), make(folder.join('a', 'b'))]);
    assert(statSync(path).isDirectory());
    if (make === makeFolders)
      assert.equal(tops.filter((top) => top === folder.join('a')).length, 1);
    assert.equal(await make(path), undefined);
    await make(folder.join('a', 'b', 'd', 'e'));
    assert(statSync(folder.join('a', 'b', 'd', 'e')).isDirectory());
  }
});

test('where the system makes no folders it ends with a sentence', async () => {
  for (const make of WAYS) {
    for (const path of ['/proc/mx8', '/proc/mx8/a/b']) {
      await assert.rejects(async () => make(path), {
        code: 'ENOTSUP',
        message: 'the system makes no folders in /proc',
      });
    }
  }
});

test('what is in the way is said as the system says it', async () => {
  for (const make of WAYS) {
    await using folder = await temporaryFolder();
    writeFileSync(folder.join('file'), '');
    symlinkSync(folder.join('nowhere'), folder.join('link'));
    await assert.rejects(async () => make(folder.join('file')), { code: 'EEXIST' });
    await assert.rejects(async () => make(folder.join('file', 'a', 'b')), { code: 'ENOTDIR' });
    await assert.rejects(async () => make(folder.join('link', 'a')), /link/);
  }
});
