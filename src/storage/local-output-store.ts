/** Outputs in a folder of a file system. */
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, realpath, rename } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { Mx8Error } from '../core/base/errors.ts';
import type {
  OutputDraft,
  OutputStore,
  PlaceResult,
  PublishedPiece,
  StagedFile,
  WholeFileWriter,
} from '../ports/output-store.ts';
import { LocalDraft } from './local-draft.ts';
import {
  forEachBounded,
  isThere,
  makeFolder,
  moveOnce,
  readIfThere,
  removeTree,
  sameFile,
  syncFolder,
  unlinkIfThere,
  writeWholeOnce,
} from './local-output.ts';
import { errnoOf, outputError, writing } from './output-error.ts';
import { OutputFile } from './output-file.ts';

/** Begins the names of folders in which a file is written before it takes its place. */
const SCRATCH_PREFIX = 'claim-';
const META_FOLDER = '_mx8';
const READ_BYTES = 1 << 20;

export class LocalOutputStore implements OutputStore {
  readonly location: string;

  /** `location` is absolute. */
  constructor(location: string) {
    this.location = location;
  }

  root(): Promise<string> {
    return realpath(this.location);
  }

  nameFault(): string | null {
    return null;
  }

  async example(): Promise<string | null> {
    try {
      const names = (await readdir(this.location)).sort();
      const first = names.find((name) => name !== META_FOLDER);
      if (first !== undefined || names.length === 0) return first ?? null;
      // An `_mx8` with nothing in it is what a claim that was cut short leaves behind.
      const inside = (await readdir(this.#at(META_FOLDER))).sort();
      const whole = inside.find((name) => !name.startsWith(SCRATCH_PREFIX));
      return whole === undefined ? null : `${META_FOLDER}/${whole}`;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null;
      throw outputError(error, 'read', this.location);
    }
  }

  read(name: string): Promise<Uint8Array | null> {
    return writing('read', this.#at(name), () => readIfThere(this.#at(name)));
  }

  async chunks(name: string): Promise<AsyncIterable<Uint8Array> | null> {
    if (!(await this.has(name))) return null;
    const chunks: AsyncIterable<Buffer> = createReadStream(this.#at(name), {
      highWaterMark: READ_BYTES,
    });
    return chunks;
  }

  has(name: string): Promise<boolean> {
    return isThere(this.#at(name));
  }

  /** By way of a folder of its own, as several processes may come to the same end at once. */
  async create(name: string, bytes: Uint8Array | string): Promise<boolean> {
    const path = this.#at(name);
    await makeFolder(dirname(path));
    const scratch = await writing('write', path, () =>
      mkdtemp(join(dirname(path), SCRATCH_PREFIX)),
    );
    try {
      return await writeWholeOnce(path, join(scratch, 'whole'), bytes);
    } finally {
      await removeTree(scratch);
    }
  }

  async draft(leaseFolder: string, folder: string): Promise<OutputDraft> {
    const path = this.#at(`${leaseFolder}/${folder}`);
    await makeFolder(path);
    return new LocalDraft(path, folder);
  }

  async settleDrafts(leaseFolder: string): Promise<void> {
    await this.#sync(this.#at(leaseFolder));
  }

  async place(leaseFolder: string, { staged }: StagedFile, final: string): Promise<PlaceResult> {
    if (!(await this.#hasParent(final))) return 'blocked';
    const path = this.#at(final);
    const from = this.#at(`${leaseFolder}/${staged}`);
    return writing('publish', path, () => moveOnce(from, path));
  }

  async settle(finals: readonly string[]): Promise<void> {
    const folders = new Set(finals.map((final) => dirname(this.#at(final))));
    await forEachBounded([...folders], (folder) => this.#sync(folder));
  }

  async hasLeft(leaseFolder: string, { staged }: StagedFile, final: string): Promise<boolean> {
    const path = this.#at(`${leaseFolder}/${staged}`);
    return !(await isThere(path)) || (await sameFile(path, this.#at(final)));
  }

  async markPublished({ from, to, text, renames }: PublishedPiece): Promise<void> {
    const [staged, published] = [this.#at(from), this.#at(to)];
    if (!renames) {
      await this.create(to, text);
      await unlinkIfThere(staged);
      return;
    }
    await writing('publish', published, async () => {
      try {
        await rename(staged, published);
      } catch (error) {
        // Another publisher was first, or the whole output has been finished and cleared.
        if (errnoOf(error) !== 'ENOENT') throw error;
      }
    });
  }

  async *namesBelow(folder: string): AsyncGenerator<string> {
    const top = this.#at(folder);
    try {
      const entries = await readdir(top, { recursive: true, withFileTypes: true });
      for (const entry of entries) {
        if (entry.isFile()) yield relative(top, join(entry.parentPath, entry.name));
      }
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw outputError(error, 'read', top);
    }
  }

  async whole(name: string, nonce: string): Promise<WholeFileWriter> {
    const path = this.#at(name);
    // In the staging folder, so that what a crash leaves behind goes with it.
    const staging = this.#at(`${META_FOLDER}/staging`);
    await makeFolder(staging);
    const file = await OutputFile.create(
      join(staging, `${name.replaceAll('/', '-')}.${nonce}.tmp`),
    );
    return {
      get sizeBytes() {
        return file.sizeBytes;
      },
      append: (bytes) => file.append(bytes),
      keep: async () => {
        await file.finish();
        await writing('publish', path, async () => {
          await rename(file.path, path);
          await syncFolder(dirname(path));
        });
      },
      discard: async () => {
        await file.close();
        await unlinkIfThere(file.path);
      },
    };
  }

  clear(folder: string): Promise<void> {
    return removeTree(this.#at(folder));
  }

  abandonUnfinished(): Promise<number> {
    return Promise.resolve(0);
  }

  async #hasParent(final: string): Promise<boolean> {
    const parent = dirname(final);
    if (parent === '.') return true;
    try {
      await makeFolder(this.#at(parent));
      return true;
    } catch (error) {
      const errno = error instanceof Mx8Error ? error.details['errno'] : '';
      if (errno !== 'EEXIST' && errno !== 'ENOTDIR') throw error;
      return false;
    }
  }

  async #sync(folder: string): Promise<void> {
    await writing('sync', folder, () => syncFolder(folder));
  }

  #at(name: string): string {
    return join(this.location, name);
  }
}
