/** Every generated document with the text it should have. */
import { format } from 'prettier';

import { COMMANDS } from '../../src/cli/registry.ts';
import { cliDocs } from './cli-docs.ts';
import { envReference } from './env-reference.ts';
import { errorDocs } from './error-docs.ts';

/** `read` gives the document as it is now, '' where there is none. */
export async function generatedDocs(
  read: (path: string) => string,
): Promise<ReadonlyMap<string, string>> {
  const commands = await Promise.all(COMMANDS.map((entry) => entry.load()));
  return new Map([
    ['docs/cli.md', await asMarkdown(cliDocs(commands))],
    ['docs/env_reference.md', await asMarkdown(envReference(commands))],
    ['docs/errors.md', await asMarkdown(errorDocs(read('docs/errors.md')))],
  ]);
}

function asMarkdown(text: string): Promise<string> {
  return format(text, { parser: 'markdown', printWidth: 100 });
}
