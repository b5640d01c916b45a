/**
 * Folders that look like classes, in data that have no labels: the manifest of a bare folder says nothing of
 * classes, and who reads -1 for all of them may not know why.
 */
import { realpathSync } from 'node:fs';

import { parseLink } from '../core/manifest/dataset-link.ts';
import { isUrl } from '../core/manifest/location.ts';
import type { SampleRecord } from '../core/manifest/record.ts';

export interface ClassFolder {
  readonly base: string;
  /** The first below the base on the way to a sample. */
  readonly name: string;
}

/** The folder that `mx8 pack` would take for the class of a file of the link; null where there is none. */
export function classFolderOf(
  link: string,
  { location, byteOffset, decodeHint }: SampleRecord,
): ClassFolder | null {
  if (byteOffset !== null || decodeHint !== '') return null;
  const { base } = parseLink(link);
  const root = rootOf(base);
  if (root === null || !location.startsWith(root)) return null;
  const [name, ...below] = location.slice(root.length).split('/');
  return name === undefined || below.length === 0 ? null : { base, name };
}

/** As the manifest has it, with a slash behind; null where it is not there, or not any more. */
function rootOf(base: string): string | null {
  const given = base.replace(/\/+$/, '');
  if (isUrl(base)) return `${given}/`;
  try {
    return `${realpathSync(given === '' ? '/' : given).replace(/\/$/, '')}/`;
  } catch {
    return null;
  }
}
