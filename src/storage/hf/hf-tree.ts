/** Pages of the listing of a repository (`/api/datasets/…/tree/…`), and where the next one is. */
import type { ObjectStat } from '../../ports/place.ts';

export interface TreeFile extends ObjectStat {
  readonly type: 'file';
  readonly path: string;
}

export type TreeEntry = TreeFile | { readonly type: 'folder'; readonly path: string };

/** A sentence when it is none. What is named is what `ETag` and `X-Linked-Etag` are of that file. */
export function parseTreePage(body: string): readonly TreeEntry[] | string {
  const entries = parsed(body);
  if (!Array.isArray(entries)) return 'it is no list of files';
  const found: TreeEntry[] = [];
  for (const entry of entries as readonly unknown[]) {
    const isFolder = field(entry, 'type') === 'directory';
    const [path, bytes, oid] = [field(entry, 'path'), field(entry, 'size'), field(entry, 'oid')];
    const large = field(field(entry, 'lfs'), 'oid');
    if (isFolder && typeof path === 'string') {
      found.push({ type: 'folder', path });
      continue;
    }
    const isFile =
      !isFolder &&
      typeof path === 'string' &&
      typeof bytes === 'number' &&
      Number.isSafeInteger(bytes) &&
      bytes >= 0;
    if (!isFile) {
      return `it has an entry without a usable path or size: ${JSON.stringify(entry).slice(0, 120)}`;
    }
    const etag = typeof large === 'string' ? large : oid;
    found.push({ type: 'file', path, bytes, etag: typeof etag === 'string' ? etag : '' });
  }
  return found;
}

/** The commit that a revision names now. Null when it says none. */
export function parseCommit(body: string): string | null {
  const sha = field(parsed(body), 'sha');
  return typeof sha === 'string' && /^[0-9a-f]{40}$/.test(sha) ? sha : null;
}

/** The address with `rel="next"` in a `Link` header. */
export function nextLink(header: string | undefined): string | null {
  return /<([^>]*)>\s*;[^,]*\brel="?next"?/.exec(header ?? '')?.[1] ?? null;
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return null;
  }
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}
