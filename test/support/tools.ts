/** Programs that tests drive and npm does not bring. `npm test` gets them first (scripts/*-tools.sh). */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { ROOT } from './tidy/sources.ts';

export interface Tool {
  readonly path: string;
  /** Why a test that needs it cannot run; false where it can. */
  readonly missing: string | false;
}

export function findTool(...names: readonly string[]): Tool {
  return findToolOf('web-tools.sh', names);
}

/** `script` of the folder `scripts` is what gets it. */
export function findToolOf(script: string, names: readonly string[]): Tool {
  const folders = [join(ROOT, 'build/tools'), ...(process.env['PATH'] ?? '').split(delimiter)];
  const found = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  const path = found.find((candidate) => existsSync(candidate)) ?? names[0] ?? '';
  const why = `${names[0] ?? ''} is not there; get it with: bash scripts/${script}`;
  return { path, missing: existsSync(path) ? false : why };
}
