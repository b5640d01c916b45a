/** Outputs in the making as files of a folder of their own. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  DraftFiles,
  DraftMark,
  GrowingFile,
  OutputDraft,
  StagedFile,
} from '../ports/output-store.ts';
import { forEachBounded, removeTree, syncFile, syncFolder, unlinkIfThere } from './local-output.ts';
import { writing } from './output-error.ts';
import { OutputFile } from './output-file.ts';

export class LocalDraft implements OutputDraft {
  readonly #path: string;
  /** Below the lease's folder. */
  readonly #folder: string;
  readonly #grown: { readonly name: string; readonly file: OutputFile }[] = [];
  readonly #wholes: string[] = [];
  #fileCount = 0;

  constructor(path: string, folder: string) {
    this.#path = path;
    this.#folder = folder;
  }

  async grow(): Promise<GrowingFile> {
    const name = this.#nextName();
    const file = await OutputFile.create(join(this.#path, name));
    this.#grown.push({ name, file });
    return file;
  }

  async add(data: Uint8Array): Promise<void> {
    const name = this.#nextName();
    this.#wholes.push(name);
    const path = join(this.#path, name);
    await writing('write', path, () => writeFile(path, data, { flag: 'wx' }));
  }

  mark(): DraftMark {
    return {
      grownBytes: this.#grown.map(({ file }) => file.sizeBytes),
      wholes: this.#wholes.length,
    };
  }

  async undo({ grownBytes, wholes }: DraftMark): Promise<void> {
    // Files that were begun after the mark come to nothing: empty files are not published.
    for (const [index, { file }] of this.#grown.entries()) {
      await file.cutBack(grownBytes[index] ?? 0);
    }
    for (const name of this.#wholes.splice(wholes)) await unlinkIfThere(join(this.#path, name));
  }

  async finish(): Promise<DraftFiles> {
    const grown: (StagedFile | null)[] = [];
    for (const { name, file } of this.#grown) {
      await file.finish();
      if (file.sizeBytes === 0) await unlinkIfThere(file.path);
      grown.push(file.sizeBytes === 0 ? null : this.#staged(name));
    }
    await forEachBounded(this.#wholes, (name) => {
      const path = join(this.#path, name);
      return writing('sync', path, () => syncFile(path));
    });
    await writing('sync', this.#path, () => syncFolder(this.#path));
    return { grown, wholes: this.#wholes.map((name) => this.#staged(name)) };
  }

  async remove(): Promise<void> {
    for (const { file } of this.#grown) await file.close();
    await removeTree(this.#path);
  }

  #staged(name: string): StagedFile {
    return { staged: `${this.#folder}/${name}`, span: null };
  }

  #nextName(): string {
    this.#fileCount += 1;
    return String(this.#fileCount);
  }
}
