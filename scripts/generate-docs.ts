/** Writes the documents that are made from tables in the code: `npm run docs`. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { generatedDocs } from './docs/generated-docs.ts';

const root = join(import.meta.dirname, '..');

const docs = await generatedDocs((path) =>
  existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '',
);
for (const [path, text] of docs) {
  writeFileSync(join(root, path), text);
  process.stdout.write(`${path}\n`);
}
