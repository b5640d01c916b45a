/**
 * Refuses an output folder inside the input folder: the next snapshot of the input would take the output
 * of this job for samples.
 */
import { realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Mx8Error } from '../core/base/errors.ts';
import { parseLink } from '../core/manifest/dataset-link.ts';
import { schemeOf } from '../core/manifest/location.ts';
import { outputError } from '../storage/output-error.ts';
import { contains, realPathOf } from '../storage/real-path.ts';

/** `link` is the input, `out` the output folder. Inputs that are no folder of this machine pass. */
export async function checkOutputOutside(link: string, out: string): Promise<void> {
  const input = await inputFolder(parseLink(link).base);
  if (input === null) return;
  const target = await realPathOf(resolve(out)).catch((error: unknown) => {
    throw outputError(error, 'look at', out);
  });
  if (!contains(input, target)) return;
  const where =
    target === input ? 'is the input folder itself' : `lies in the input folder ${input}`;
  throw new Mx8Error(
    'flag_invalid',
    `output folder ${target} ${where}: the next snapshot of the input would take the output for samples; choose a folder beside it with --out`,
    { flag: '--out', path: target },
  );
}

/** What is not there, or may not be looked at, is told by whoever opens the input. */
async function inputFolder(base: string): Promise<string | null> {
  const scheme = schemeOf(base);
  if (scheme !== null && scheme !== 'file') return null;
  try {
    const path = await realpath(scheme === null ? base : fileURLToPath(base));
    return (await stat(path)).isDirectory() ? path : null;
  } catch {
    return null;
  }
}
