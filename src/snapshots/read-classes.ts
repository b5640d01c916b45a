/** The names of the classes that the label ids of a packed data set stand for. */
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { Mx8Error } from '../core/base/errors.ts';
import { decodeLabels } from '../core/manifest/labels.ts';
import { isUrl } from '../core/manifest/location.ts';
import type { ManifestReader } from '../ports/manifest-store.ts';
import type { Places } from '../ports/place.ts';
import { objectBytes } from './object-bytes.ts';
import { systemCode, systemReason } from './system-error.ts';

/** By label id; empty when the manifest is not of a data set that was packed with labels. */
export async function readClasses(
  reader: ManifestReader,
  places?: Places,
): Promise<readonly string[]> {
  if (reader.sampleCount === 0) return [];
  for await (const [first] of reader.records(0, 1)) return classesOf(first?.location ?? '', places);
  return [];
}

/** The same, for who knows where the first sample of the data set lies. */
export async function classesOf(
  firstLocation: string,
  places: Places | undefined,
): Promise<readonly string[]> {
  const shards = dirname(firstLocation);
  if (basename(shards) !== 'shards') return [];
  if (isUrl(shards)) return readRemoteLabels(`${dirname(shards)}/_mx8/labels.tsv`, places);
  return readLabels(join(dirname(shards), '_mx8', 'labels.tsv'));
}

async function readRemoteLabels(
  location: string,
  places: Places | undefined,
): Promise<readonly string[]> {
  if (places === undefined) return [];
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of objectBytes(places.of(location), location, undefined)) {
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Mx8Error && error.code === 'object_missing') return [];
    throw error;
  }
  return decodeLabels(Buffer.concat(chunks).toString('utf8'), location);
}

async function readLabels(path: string): Promise<readonly string[]> {
  try {
    return decodeLabels(await readFile(path, 'utf8'), path);
  } catch (error) {
    if (error instanceof Mx8Error) throw error;
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return [];
    throw new Mx8Error(
      'sample_unreadable',
      `Cannot read the labels ${path}: ${systemReason(error)}.`,
      { location: path },
      error,
    );
  }
}
