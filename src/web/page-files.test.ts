import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pageFiles } from './page-files.ts';

test('every module that the code of the page imports is served', () => {
  const files = pageFiles();
  let imports = 0;
  for (const [path, { body }] of files) {
    if (!path.endsWith('.js')) continue;
    for (const [, name = ''] of String(body).matchAll(/ from '(\.[^']+)'/g)) {
      imports += 1;
      const { pathname } = new URL(name, `http://page${path}`);
      assert.ok(files.has(pathname), `${path} imports ${pathname}`);
    }
  }
  assert.ok(imports > 5, String(imports));
});
