/** What a link's BASE points at. */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Mx8Error } from '../core/base/errors.ts';
import { looksLikeSuffix } from '../core/manifest/dataset-link.ts';
import { schemeOf } from '../core/manifest/location.ts';
import type { Places } from '../ports/place.ts';
import { systemCode, systemReason } from './system-error.ts';

export type Base =
  | { readonly type: 'folder'; readonly path: string }
  /** A manifest that somebody wrote; `isPacked` when it belongs to a packed data set. */
  /** Its path may be the location of an object. */
  | {
      readonly type: 'manifest';
      readonly path: string;
      readonly isPacked: boolean;
      /** Canonical bytes of somebody who was asked for them; absent where they are at the path. */
      readonly bytes?: AsyncIterable<Uint8Array>;
    }
  /** Objects of a store whose locations begin with this. */
  | { readonly type: 'prefix'; readonly prefix: string; readonly places: Places };

export const PACKED_MANIFEST: string = join('_mx8', 'manifest.tsv');

/**
 * BASE as the store keys it: a local one as an absolute path, so that the same relative link typed in
 * two folders does not name one snapshot.
 */
export function canonicalBase(base: string): string {
  const scheme = schemeOf(base);
  if (scheme === null) {
    const [, store] = /^([a-z][a-z0-9+.-]*):\/\/(?:\/|$)/.exec(base) ?? [];
    if (store === undefined) return resolve(base);
    const message = `${base} names no ${store === 'http' || store === 'https' ? 'server' : 'bucket'}: it takes ${store}://NAME/PREFIX.`;
    throw new Mx8Error('link_invalid', message, { base });
  }
  if (scheme !== 'file') return base;
  try {
    return fileURLToPath(base);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Mx8Error('link_invalid', `${base} is no path of this machine: ${reason}.`, { base });
  }
}

/** `input_missing` when nothing is there, `scheme_unsupported` for what is in no place that is known. */
export async function locateBase(
  base: string,
  places: Places | undefined,
  signal?: AbortSignal,
): Promise<Base> {
  const scheme = schemeOf(base);
  if (scheme !== null) {
    if (places !== undefined) return locateRemoteBase(base, places, signal);
    throw new Mx8Error(
      'scheme_unsupported',
      `${base} cannot be indexed here: only folders and .tsv manifests of this machine are, not ${scheme}://.`,
      { base, scheme },
    );
  }
  const stats = await stat(base).catch((error: unknown) => {
    throw inputMissing(base, error);
  });
  if (stats.isDirectory()) {
    const path = join(base, PACKED_MANIFEST);
    return (await isFile(path))
      ? { type: 'manifest', path, isPacked: true }
      : { type: 'folder', path: base };
  }
  if (stats.isFile() && base.endsWith('.tsv')) {
    return { type: 'manifest', path: base, isPacked: false };
  }
  throw new Mx8Error(
    'link_invalid',
    `${base} is neither a folder nor a .tsv manifest. Give the folder that holds the samples.`,
    { base },
  );
}

async function locateRemoteBase(
  base: string,
  places: Places,
  signal: AbortSignal | undefined,
): Promise<Base> {
  const bytes = places.manifestOf?.(base, signal) ?? null;
  if (bytes !== null) return { type: 'manifest', path: base, isPacked: false, bytes };
  const folder = (await pinnedBase(base, places, signal)).replace(/\/+$/, '');
  const place = places.of(base);
  if (isManifestName(folder)) {
    await place.stat(folder, signal).catch((error: unknown) => {
      throw manifestMissing(folder, error);
    });
    return { type: 'manifest', path: folder, isPacked: false };
  }
  const path = `${folder}/${PACKED_MANIFEST}`;
  try {
    await place.stat(path, signal);
    return { type: 'manifest', path, isPacked: true };
  } catch (error) {
    if (!(error instanceof Mx8Error) || error.code !== 'object_missing') throw error;
  }
  return { type: 'prefix', prefix: `${folder}/`, places };
}

/** A link to a web server may have a query behind the name. */
function isManifestName(base: string): boolean {
  return (isWeb(base) ? base.replace(/[?#].*$/s, '') : base).endsWith('.tsv');
}

function isWeb(base: string): boolean {
  const scheme = schemeOf(base);
  return scheme === 'http' || scheme === 'https';
}

function manifestMissing(path: string, error: unknown): unknown {
  if (!(error instanceof Mx8Error) || error.code !== 'object_missing') return error;
  const text = `Cannot open the data set: the manifest ${error.message}`;
  return new Mx8Error('input_missing', text, { ...error.details, location: path }, error);
}

/** The base as it is named for good: a branch by the commit that it is at now. */
export async function pinnedBase(
  base: string,
  places: Places | undefined,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (places === undefined || schemeOf(base) === null) return base;
  try {
    return (await places.of(base).pin?.(base, signal)) ?? base;
  } catch (error) {
    throw remoteMissing(base, error);
  }
}

/** What is not there as an object is not there as a data set. */
export function remoteMissing(base: string, error: unknown): unknown {
  if (!(error instanceof Mx8Error) || error.code !== 'object_missing') return error;
  const text = `Cannot open the data set ${base}: ${error.message}`;
  return new Mx8Error('input_missing', text, { ...error.details, location: base }, error);
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return false;
    throw inputMissing(path, error);
  }
}

/** For who meant to pin or to renew, and wrote it in another way. */
export function suffixHint(base: string): string {
  return looksLikeSuffix(base)
    ? ' To pin a snapshot write @sha256: and 64 hex digits, to renew it @refresh, at the very end.'
    : '';
}

function inputMissing(path: string, error: unknown): Mx8Error {
  return new Mx8Error(
    'input_missing',
    `Cannot open the data set ${path}: ${systemReason(error)}.${suffixHint(path)}`,
    { location: path, system_code: systemCode(error) },
    error,
  );
}
