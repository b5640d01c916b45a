import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';

import { networkFileSystem } from './network-file-system.ts';

test('a shared file system is known by its number, signed or not', () => {
  assert.equal(
    networkFileSystem('/mnt', () => 0x6969),
    'NFS',
  );
  assert.equal(
    networkFileSystem('/mnt', () => 0xff534d42 | 0),
    'CIFS',
  );
});

test('the folder for temporary files is local', () => {
  assert.equal(networkFileSystem(tmpdir()), null);
});
