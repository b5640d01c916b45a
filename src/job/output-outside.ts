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
import { isRemote } from '../storage/places.ts';
import { contains, realPathOf } from '../storage/real-path.ts';

/** `link` is the input, `out` the output folder. Inputs that are no folder of this machine pass. */
export async function checkOutputOutside(link: string, out: string): Promise<void> {
  const { base } = parseLink(link);
  const prefix = base.replace(/\/+$/, '');
  if (isRemote(out) || isRemote(base)) {
    if (isRemote(out) && `${out.replace(/\/+$/, '')}/`.startsWith(`${prefix}/`)) {
      throw inside(out, out === prefix, prefix);
    }
    return;
  }
  const input = await inputFolder(base);
  if (input === null) return;
  const target = await realPathOf(resolve(out)).catch((error: unknown) => {
    throw outputError(error, 'look at', out);
  });
  if (!contains(input, target)) return;
  throw inside(target, target === input, input);
}

function inside(out: string, isInput: boolean, input: string): Mx8Error {
  const where = isInput ? 'is the input folder itself' : `lies in the input folder ${input}`;
  return new Mx8Error(
    'flag_invalid',
    `output folder ${out} ${where}: the next snapshot of the input would take the output for samples; choose a folder beside it with --out`,
    { flag: '--out', path: out },
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
