import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LocalDisks } from './local-disks.ts';

test('files count as here once their folders are known to be, and each folder is asked for once', () => {
  const asked: string[] = [];
  const answers: ((isHere: boolean) => void)[] = [];
  const disks = new LocalDisks((folder, answer) => {
    asked.push(folder);
    answers.push(answer);
  });
  const files = ['/here/a', '/here/b', '/far/c'];
  assert.equal(disks.hold(files), false);
  assert.equal(disks.hold(files), false);
  assert.deepEqual(asked, ['/here/', '/far/']);
  for (const [index, answer] of answers.entries()) answer(index === 0);
  assert.equal(disks.hold(files), false);
  assert.equal(disks.hold(files.slice(0, 2)), true);
  assert.deepEqual(asked, ['/here/', '/far/']);
  // Folders of names as long as each other, in turn, and one within another.
  assert.equal(disks.hold(['/here/a', '/hero/a', '/here/b', '/here/in/c']), false);
  assert.deepEqual(asked, ['/here/', '/far/', '/hero/', '/here/in/']);
});

test('of folders in any order each file counts as where it is', () => {
  const disks = new LocalDisks((folder, answer) => answer(folder.startsWith('/here/')));
  const here = ['/here/a/1', '/here/b/1', '/here/a/2', '/here/b/2', '/here/a/in/3', '/here/a/3'];
  const far = ['/far/a/1', '/far/a/here/1', 'here/a/1', '/1', '1'];
  disks.hold([...here, ...here.toReversed(), '/far/a/here/1']);
  for (const first of here) {
    for (const second of here) {
      assert.equal(disks.hold([first, second]), true);
      for (const other of far) {
        assert.equal(disks.hold([first, other]), false, `${first}, ${other}`);
        assert.equal(disks.hold([other, second]), false, `${other}, ${second}`);
      }
    }
  }
});

test('beyond the folders that are remembered files count as far away, and nobody is asked', () => {
  let asked = 0;
  const disks = new LocalDisks((_folder, answer) => {
    asked += 1;
    answer(true);
  });
  const files = Array.from({ length: 5000 }, (_, index) => `/d${index}/x`);
  disks.hold(files);
  assert.equal(asked, 4096);
  assert.equal(disks.hold(files.slice(0, 4096)), true);
  assert.equal(disks.hold(files.slice(4096)), false);
});
