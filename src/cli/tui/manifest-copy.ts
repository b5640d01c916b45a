/**
 * A manifest in a file that the operator names. A canonical one is read in place; any other form that is
 * accepted is written out canonically into a temporary folder first. Either way it is read once, for its
 * hash and for where its rows are, and never held.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Mx8Error } from '../../core/base/errors.ts';
import type { ManifestReader } from '../../ports/manifest-store.ts';
import { ManifestCheck } from '../../snapshots/check-manifest.ts';
import { readChunks } from '../../snapshots/file-bytes.ts';
import { FsManifestReader } from '../../snapshots/fs-manifest-reader.ts';
import { IO_CHUNK_BYTES } from '../../snapshots/limits.ts';
import { canonicalised } from '../../snapshots/read-manifest-file.ts';
import { systemCode, systemReason } from '../../snapshots/system-error.ts';
import type { ManifestFile } from '../../tui/manifest-source.ts';
import { openManifestStore } from '../manifest-store.ts';
import type { StoreSurroundings } from '../manifest-store.ts';

export class ManifestCopy implements ManifestFile, AsyncDisposable {
  readonly path: string;
  readonly #ports: StoreSurroundings;
  #reader: ManifestReader | null = null;
  #folder: string | null = null;

  constructor(path: string, ports: StoreSurroundings) {
    this.path = path;
    this.#ports = ports;
  }

  async open(onProgress: (fraction: number) => void, signal: AbortSignal): Promise<ManifestReader> {
    const reader =
      (await this.#openCanonical(onProgress, signal)) ?? (await this.#openConverted(signal));
    this.#reader = reader;
    return reader;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader?.close();
    if (this.#folder !== null) await rm(this.#folder, { recursive: true, force: true });
  }

  /** Null where the file is no canonical manifest. */
  async #openCanonical(
    onProgress: (fraction: number) => void,
    signal: AbortSignal,
  ): Promise<ManifestReader | null> {
    const file = await this.#openFile();
    try {
      const check = new ManifestCheck(this.path);
      const { size } = await file.stat();
      let done = 0;
      for await (const chunk of readChunks(file, IO_CHUNK_BYTES, signal)) {
        check.push(chunk);
        done += chunk.length;
        if (check.invalid !== null) break;
        onProgress(done / Math.max(1, size));
      }
      if (check.invalid === null) {
        const index = check.finish(this.path);
        const beside = { columns: null, stamps: null, onRead: undefined };
        return new FsManifestReader({ path: this.path, file, index, ...beside });
      }
    } catch (error) {
      await file.close();
      if (error instanceof Mx8Error && error.code === 'manifest_invalid') return null;
      throw this.#unreadable(error);
    }
    await file.close();
    return null;
  }

  async #openConverted(signal: AbortSignal): Promise<ManifestReader> {
    this.#folder ??= await mkdtemp(join(tmpdir(), 'mx8-tui-'));
    const store = openManifestStore({ manifestStoreRoot: this.#folder }, this.#ports);
    const { hash } = await store.put(
      canonicalised(this.path, true, () => undefined, undefined, signal),
    );
    return store.open(hash);
  }

  async #openFile(): Promise<FileHandle> {
    try {
      return await open(this.path, 'r');
    } catch (error) {
      throw this.#unreadable(error);
    }
  }

  #unreadable(error: unknown): unknown {
    if (systemCode(error) === '') return error;
    return new Mx8Error(
      'manifest_missing',
      `Cannot read the manifest ${this.path} of --manifest-path: ${systemReason(error)}.`,
      { path: this.path, system_code: systemCode(error) },
      error,
    );
  }
}
