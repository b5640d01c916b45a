/**
 * Outputs below a prefix of a store of objects, made by conditions alone: an object is created or it was there.
 * There are no renames, so a staged object gets its final name by a copy, which the store makes itself where it
 * is large. Each output carries a mark that says what it was made of; that tells a repeated publication from
 * another output of the same name.
 */
import { Mx8Error } from '../core/base/errors.ts';
import type {
  OutputDraft,
  OutputStore,
  PlaceResult,
  PublishedPiece,
  StagedFile,
  WholeFileWriter,
} from '../ports/output-store.ts';
import type { ObjectPlace } from '../ports/place.ts';
import { forEachBounded } from './local-output.ts';
import { ObjectDraft } from './object-draft.ts';
import { ObjectWriter, PART_BYTES } from './object-writer.ts';
import { outputTo } from './output-error.ts';

const READ_BYTES: number = 8 * 1024 ** 2;
/** An output is copied anew so often where the store lost the copy half-way. */
const COPY_TRIES = 3;

export class ObjectOutputStore implements OutputStore {
  readonly location: string;
  readonly #place: ObjectPlace;

  /** `location` has no slash at the end. */
  constructor(place: ObjectPlace, location: string) {
    this.#place = place;
    this.location = location;
  }

  root(): Promise<string> {
    return Promise.resolve(this.location);
  }

  nameFault(name: string): string | null {
    return this.#place.nameFault(this.#at(name));
  }

  async example(): Promise<string | null> {
    return outputTo(this.location, async () => {
      for await (const page of this.#place.list(this.#at(''))) {
        const first = page[0];
        if (first !== undefined) return first.location.slice(this.location.length + 1);
      }
      return null;
    });
  }

  async read(name: string): Promise<Uint8Array | null> {
    const parts: Uint8Array[] = [];
    const chunks = await this.chunks(name);
    if (chunks === null) return null;
    try {
      for await (const chunk of chunks) parts.push(chunk);
    } catch (error) {
      // Another publisher may have removed it since it was looked at.
      if (isMissing(error)) return null;
      throw error;
    }
    return Buffer.concat(parts);
  }

  async chunks(name: string): Promise<AsyncIterable<Uint8Array> | null> {
    const location = this.#at(name);
    try {
      const { bytes } = await outputTo(location, () => this.#place.stat(location));
      return this.#spanChunks(location, 0, bytes);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async has(name: string): Promise<boolean> {
    const location = this.#at(name);
    return (await outputTo(location, () => this.#place.markOf(location))) !== null;
  }

  async create(name: string, bytes: Uint8Array | string): Promise<boolean> {
    const location = this.#at(name);
    return outputTo(location, () =>
      created(() => this.#place.write(location, Buffer.from(bytes), { type: 'create' })),
    );
  }

  draft(leaseFolder: string, folder: string): Promise<OutputDraft> {
    const prefix = this.#at(`${leaseFolder}/${folder}/`);
    return Promise.resolve(new ObjectDraft(this.#place, prefix, folder));
  }

  settleDrafts(): Promise<void> {
    // An object that was taken is durable, and so is its name.
    return Promise.resolve();
  }

  async place(leaseFolder: string, file: StagedFile, final: string): Promise<PlaceResult> {
    const to = this.#at(final);
    for (let tries = 1; ; tries += 1) {
      try {
        if (await this.#copy(leaseFolder, file, to)) return 'in_place';
        return (await this.#isMadeOf(leaseFolder, file, to)) ? 'in_place' : 'taken';
      } catch (error) {
        // Whatever went wrong with ours, another publisher may have done it.
        if (await this.#isMadeOf(leaseFolder, file, to)) return 'in_place';
        if (isMissing(error) && !(await this.has(`${leaseFolder}/${file.staged}`))) {
          return 'missing';
        }
        const isLost = error instanceof Mx8Error && error.code === 'output_write_failed';
        if (!isLost || tries === COPY_TRIES || !isUnclear(error)) throw error;
      }
    }
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }

  async hasLeft(leaseFolder: string, file: StagedFile, final: string): Promise<boolean> {
    if (await this.#isMadeOf(leaseFolder, file, this.#at(final))) return true;
    return !(await this.has(`${leaseFolder}/${file.staged}`));
  }

  async markPublished({ leaseFolder, from, to, text, files }: PublishedPiece): Promise<void> {
    await this.create(to, text);
    const staged = new Set(files.map((file) => `${leaseFolder}/${file.staged}`));
    await forEachBounded([from, ...staged], async (name) => {
      const location = this.#at(name);
      await outputTo(location, () => this.#place.remove(location));
    });
  }

  async *namesBelow(folder: string): AsyncGenerator<string> {
    const prefix = this.#at(`${folder}/`);
    for await (const page of this.#place.list(prefix)) {
      for (const { location } of page) yield location.slice(prefix.length);
    }
  }

  whole(name: string): Promise<WholeFileWriter> {
    const location = this.#at(name);
    const writer = new ObjectWriter(this.#place, location);
    let isKept = false;
    return Promise.resolve({
      get sizeBytes() {
        return writer.sizeBytes;
      },
      append: (bytes) => outputTo(location, () => writer.append(bytes)),
      keep: async () => {
        await outputTo(location, () => writer.finish({ type: 'any' }, true));
        isKept = true;
      },
      discard: async () => {
        if (!isKept) await outputTo(location, () => writer.abort());
      },
    });
  }

  async clear(folder: string): Promise<void> {
    const prefix = this.#at(`${folder}/`);
    await outputTo(prefix, async () => {
      for await (const page of this.#place.list(prefix)) {
        await forEachBounded(page, ({ location }) => this.#place.remove(location));
      }
    });
  }

  abandonUnfinished(): Promise<number> {
    const prefix = this.#at('');
    return outputTo(prefix, () => this.#place.abandonUploads(prefix));
  }

  /** False: there is an object of that name. */
  async #copy(leaseFolder: string, file: StagedFile, to: string): Promise<boolean> {
    const { from, start, end } = await this.#spanOf(leaseFolder, file);
    const mark = markOf(leaseFolder, file);
    return outputTo(to, async () => {
      if (end - start <= PART_BYTES) {
        const parts: Uint8Array[] = [];
        for await (const chunk of this.#spanChunks(from, start, end)) parts.push(chunk);
        const bytes = Buffer.concat(parts);
        return created(() => this.#place.write(to, bytes, { type: 'create' }, mark));
      }
      return created(() => this.#place.copy({ location: from, start, end }, to, mark));
    });
  }

  async #spanOf(
    leaseFolder: string,
    { staged, span }: StagedFile,
  ): Promise<{ readonly from: string; readonly start: number; readonly end: number }> {
    const from = this.#at(`${leaseFolder}/${staged}`);
    if (span !== null) return { from, start: span.offset, end: span.offset + span.length };
    const { bytes } = await outputTo(from, () => this.#place.stat(from));
    return { from, start: 0, end: bytes };
  }

  async *#spanChunks(from: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end; at += READ_BYTES) {
      const into = new Uint8Array(Math.min(READ_BYTES, end - at));
      const targets = [{ bytes: into.length, into }];
      const range = { start: at, end: at + into.length, targets, pinnedTag: 0, pinnedBytes: -1 };
      await outputTo(from, () => this.#place.readRange(from, range));
      yield into;
    }
  }

  async #isMadeOf(leaseFolder: string, file: StagedFile, to: string): Promise<boolean> {
    const mark = await outputTo(to, () => this.#place.markOf(to));
    return mark === markOf(leaseFolder, file);
  }

  #at(name: string): string {
    return `${this.location}/${name}`;
  }
}

/** What an output was made of, as no other is. */
function markOf(leaseFolder: string, { staged, span }: StagedFile): string {
  return `${leaseFolder}/${staged}@${span?.offset ?? 0}`;
}

async function created(create: () => Promise<unknown>): Promise<boolean> {
  try {
    await create();
    return true;
  } catch (error) {
    if (error instanceof Mx8Error && error.code === 'object_exists') return false;
    throw error;
  }
}

function causeOf(error: unknown): unknown {
  return error instanceof Mx8Error && error.code === 'output_write_failed' ? error.cause : error;
}

function isMissing(error: unknown): boolean {
  const cause = causeOf(error);
  return cause instanceof Mx8Error && cause.code === 'object_missing';
}

/** A copy whose end nobody knows: it is not there, and nothing says that it cannot be. */
function isUnclear(error: unknown): boolean {
  const cause = causeOf(error);
  if (!(cause instanceof Mx8Error)) return false;
  return cause.code === 'object_missing' || cause.code === 'object_answer_invalid';
}
