/** The corpus: every text document that the installation put below `node_modules`. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface Document {
  /** Absolute. */
  readonly path: string;
  readonly bytes: number;
}

/** A larger file is data or a bundle rather than something a person wrote to be read. */
const DOCUMENT_BYTES_MAX = 1024 * 1024;

const TEXT_NAME =
  /\.(md|markdown|mdx|txt|rst|html|css|js|cjs|mjs|jsx|ts|cts|mts|tsx|json|ya?ml|proto|toml|sh)$|^(readme|licen[cs]e|notice|copying|authors|changelog|history|security|contributing)\b[^/]*$/i;

/** The packages that bring a Node binary also bring the headers of V8: those are no documents here. */
const SKIPPED_FOLDERS = /^(\.bin|\.cache|node-linux-.*)$/;

/** The documents below `folder`, in byte order of their path, so that every run numbers them alike. */
export function listDocuments(folder: string): readonly Document[] {
  const found: Document[] = [];
  const pending = [folder];
  for (let current = pending.pop(); current !== undefined; current = pending.pop()) {
    for (const entry of readdirSync(current, { withFileTypes: true })) {
      const path = join(current, entry.name);
      if (entry.isDirectory() && !SKIPPED_FOLDERS.test(entry.name)) pending.push(path);
      if (!entry.isFile() || !TEXT_NAME.test(entry.name)) continue;
      const bytes = statSync(path).size;
      if (bytes > 0 && bytes <= DOCUMENT_BYTES_MAX) found.push({ path, bytes });
    }
  }
  return found.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
}

/** A dev manifest: one line per document, `sample_id<TAB>location`. */
export function devManifest(documents: readonly Document[]): string {
  return documents.map((document, id) => `${id}\t${document.path}\n`).join('');
}
