/**
 * Protocol scenarios as transcripts: `test/scenarios/*.txt`. After a deliberate change run
 * `node test/scenarios.test.ts --rewrite` and read the difference.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { rerun } from './support/scenario.ts';

const folder = new URL('./scenarios/', import.meta.url);
const rewrite = process.argv.includes('--rewrite');

for (const name of readdirSync(folder).sort()) {
  if (!name.endsWith('.txt')) continue;
  test(`scenario ${name}`, () => {
    const url = new URL(name, folder);
    const text = readFileSync(url, 'utf8');
    const actual = rerun(text);
    if (rewrite) writeFileSync(url, actual);
    else assert.equal(actual, text);
  });
}
