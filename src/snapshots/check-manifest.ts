/** One pass over the bytes of a stored manifest: hash, canonical form, index. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

import { Mx8Error } from '../core/base/errors.ts';
import { manifestHash } from '../core/base/units.ts';
import type { ManifestHash } from '../core/base/units.ts';
import { CanonicalChecker } from '../core/manifest/canonical-checker.ts';
import type { LineSink } from '../core/manifest/canonical-checker.ts';
import type { ColumnsWriter } from './columns-writer.ts';
import { readChunks } from './file-bytes.ts';
import { IO_CHUNK_BYTES } from './limits.ts';
import type { ManifestIndex } from './manifest-index.ts';

/** Takes the bytes of a manifest in chunks, holds none of them, and answers with its index. */
export class ManifestCheck {
  readonly #checker: CanonicalChecker;
  readonly #hash = createHash('sha256');
  #invalid: Error | null = null;

  constructor(source: string, sink?: LineSink) {
    this.#checker = new CanonicalChecker(source, sink);
  }

  /** What the format says against the bytes so far; null while nothing. The hash goes on regardless. */
  get invalid(): Error | null {
    return this.#invalid;
  }

  push(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    if (this.#invalid !== null) return;
    try {
      this.#checker.push(chunk);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#invalid = error;
    }
  }

  /** With `expected`, other bytes are `manifest_corrupt`: the hash is asked before the format. */
  finish(path: string, expected?: ManifestHash): ManifestIndex {
    const hash = manifestHash(this.#hash.digest('hex'));
    if (expected !== undefined && hash !== expected) throw corruptManifest(path, expected, hash);
    if (this.#invalid !== null) throw this.#invalid;
    const { sampleCount, manifestBytes, marks } = this.#checker.finish();
    return { hash, sampleCount, manifestBytes, marks: Float64Array.from(marks) };
  }
}

/** The index of the manifest in `file`, whose bytes must hash to `expected`; `columns` get its lines. */
export async function checkManifestFile(
  file: FileHandle,
  path: string,
  expected: ManifestHash,
  columns: ColumnsWriter,
): Promise<ManifestIndex> {
  const check = new ManifestCheck(path, columns);
  for await (const chunk of readChunks(file, IO_CHUNK_BYTES)) {
    check.push(chunk);
    await columns.flush();
  }
  return check.finish(path, expected);
}

export function corruptManifest(path: string, expected: ManifestHash, actual: string): Mx8Error {
  return new Mx8Error(
    'manifest_corrupt',
    `The manifest ${path} must hash to ${expected}, but its bytes hash to ${actual}. It was damaged or changed.`,
    { path, manifest_hash: expected, actual_hash: actual },
  );
}
