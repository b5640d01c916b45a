/** What a link's BASE is to be read as: a base as ever, or a file of samples. */
import { stat } from 'node:fs/promises';

import { Mx8Error } from '../core/base/errors.ts';
import type { FormatChoice } from '../core/format/format-name.ts';
import { percentEncoded } from '../core/format/percent.ts';
import { schemeOf } from '../core/manifest/location.ts';
import type { Places } from '../ports/place.ts';
import { locateBase, pinnedBase } from './locate-base.ts';
import type { Base } from './locate-base.ts';
import { planFile } from './shard-files.ts';
import type { FormatPlan } from './shard-files.ts';

export type Input =
  Base | { readonly type: 'shard'; readonly path: string; readonly plan: FormatPlan };

/** `choice` is null where nobody said what samples are made of. */
export async function locateInput(
  base: string,
  choice: FormatChoice | null,
  places: Places | undefined,
  signal?: AbortSignal,
): Promise<Input> {
  // Whoever resolves such links says what their samples are, too.
  const isAsked = (places?.manifestOf?.(base, signal) ?? null) !== null;
  if (isAsked && (choice === null || choice === 'auto')) return locateBase(base, places, signal);
  if (isAsked) {
    throw new Mx8Error(
      'link_invalid',
      `${base} is resolved by a program that says what its samples are; leave --format ${choice} away.`,
      { base },
    );
  }
  return locatePinned(await pinnedBase(base, places, signal), choice, places, signal);
}

async function locatePinned(
  base: string,
  choice: FormatChoice | null,
  places: Places | undefined,
  signal?: AbortSignal,
): Promise<Input> {
  const plan = await shardPlan(base, choice, places, signal);
  if (plan !== null) return { type: 'shard', path: base, plan };
  const found = await locateBase(base, places, signal);
  if (found.type === 'manifest' && choice !== null && choice !== 'auto') {
    throw new Mx8Error(
      'link_invalid',
      `${base} has a manifest, which says what its samples are; leave --format ${choice} away.`,
      { base, format: choice },
    );
  }
  return found;
}

/** Null for what is no file, and for a manifest. */
async function shardPlan(
  base: string,
  choice: FormatChoice | null,
  places: Places | undefined,
  signal: AbortSignal | undefined,
): Promise<FormatPlan | null> {
  const isManifest = base.endsWith('.tsv') && (choice === null || choice === 'auto');
  const plan = isManifest ? null : planFile(base, choice);
  if (plan === null) return null;
  return (await isOneFile(base, places, signal)) ? plan : null;
}

async function isOneFile(
  base: string,
  places: Places | undefined,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (schemeOf(base) === null) {
    const stats = await stat(base).catch(() => null);
    return stats?.isFile() === true;
  }
  // What ends in a slash is a prefix, even where consoles made an object of that name.
  if (places === undefined || base.endsWith('/')) return false;
  try {
    await places.of(base).stat(base, signal);
    return true;
  } catch (error) {
    if (error instanceof Mx8Error && error.code === 'object_missing') return false;
    throw error;
  }
}

/**
 * What the store keeps the current snapshot of a base under. Read in another way it is another data set, whose
 * snapshot a plain link must not be given.
 */
export function intentOf(
  base: string,
  { format = null, columns = null, rowsPerSample = null }: Reading,
): string {
  if (format === null && columns === null && rowsPerSample === null) return base;
  const rows = rowsPerSample === null ? '' : `;rows=${rowsPerSample}`;
  const list = columns === null ? '' : `;columns=${columns.map(percentEncoded).join(',')}`;
  return `${base.replace(/\/+$/, '')}#mx8-format=${format ?? 'auto'}${rows}${list}`;
}

/** How a base is to be read. */
export interface Reading {
  readonly format?: FormatChoice | null;
  readonly columns?: readonly string[] | null;
  readonly rowsPerSample?: number | null;
}
