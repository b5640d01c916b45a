import assert from 'node:assert/strict';
import { test } from 'node:test';

import { packageReadme } from '../scripts/package-readme.ts';
import { readText } from './support/tidy/sources.ts';

const readme = packageReadme(readText('README.md'));

test('the README of the package begins with what its reader can type', () => {
  const [first = ''] = /(?<=```sh\n).*?(?=```)/s.exec(readme) ?? [];
  assert.match(first, /^npm install mx8 .*\nnpx mx8 demo2 .*\nnpx mx8 run embed\.job\.ts /);
  assert.match(readme, /\n## A job\n/);
});

test('it names nothing that only a checkout has', () => {
  for (const word of ['npm ci', 'npm start', 'npm test', 'npm pack', 'examples/']) {
    assert(!readme.includes(word), word);
  }
});

test('a README that changed its beginning is not passed on by mistake', () => {
  assert.throws(() => packageReadme('# mx8\n'), /README\.md has nothing like/);
});
