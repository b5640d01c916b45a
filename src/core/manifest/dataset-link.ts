/**
 * Dataset links: `BASE` (the snapshot that the store has for it, else a new one), `BASE@refresh` (a new
 * snapshot, which becomes current), `BASE@sha256:<64 hex>` (exactly that snapshot). The split is at the
 * last `@`; any other suffix belongs to BASE.
 */
import { Mx8Error } from '../base/errors.ts';
import { isManifestHash, manifestHash } from '../base/units.ts';
import type { ManifestHash } from '../base/units.ts';

export type DatasetLink =
  | { readonly type: 'plain'; readonly base: string }
  | { readonly type: 'refresh'; readonly base: string }
  | { readonly type: 'pinned'; readonly base: string; readonly hash: ManifestHash };

const REFRESH = 'refresh';
const SHA256 = 'sha256:';

export function parseLink(text: string): DatasetLink {
  const link = text.trim();
  const at = link.lastIndexOf('@');
  const suffix = at === -1 ? '' : link.slice(at + 1);
  if (suffix === REFRESH) return { type: 'refresh', base: checkedBase(link.slice(0, at), text) };
  if (suffix.startsWith(SHA256)) {
    const hash = suffix.slice(SHA256.length).toLowerCase();
    if (isManifestHash(hash)) {
      return {
        type: 'pinned',
        base: checkedBase(link.slice(0, at), text),
        hash: manifestHash(hash),
      };
    }
  }
  return { type: 'plain', base: checkedBase(link, text) };
}

/** The link that names exactly this snapshot of BASE, as people write it into a paper or a job. */
export function pinnedLink(base: string, hash: ManifestHash): string {
  return `${base}@${SHA256}${hash}`;
}

/** True for a BASE that looks as if it was meant to end in a pin or in `@refresh`. */
export function looksLikeSuffix(base: string): boolean {
  return /@(?:sha256|refresh)[^/]*$/i.test(base);
}

/**
 * Names what a BASE stands for in a store: `sha256_` and the hash of BASE, trimmed and without trailing
 * slashes. The hash function comes from outside, as this room has none.
 */
export function intentKey(base: string, sha256Hex: (text: string) => string): string {
  return `sha256_${sha256Hex(base.trim().replace(/\/+$/, ''))}`;
}

function checkedBase(base: string, text: string): string {
  const trimmed = base.trim();
  if (trimmed !== '' && !/[\t\n\0]/.test(trimmed)) return trimmed;
  throw new Mx8Error(
    'link_invalid',
    `The link ${JSON.stringify(text)} names no data set: before any @ it needs a folder, a .tsv manifest or a URL.`,
    { link: text },
  );
}
