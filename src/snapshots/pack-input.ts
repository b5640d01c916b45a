/** What is packed: the files of a folder, or the objects below a prefix of a store. */
import { Mx8Error } from '../core/base/errors.ts';
import type { ListedObject, Places } from '../ports/place.ts';
import { walkObjects } from './index-prefix.ts';
import { OBJECT_CHUNK_BYTES, PACK_AHEAD_BYTES_MAX } from './limits.ts';
import { readInto } from './object-bytes.ts';
import { SampleFile } from './sample-file.ts';
import { walkFolder } from './walk-folder.ts';

/** Something that is packed, found by its name. */
export interface PackEntry {
  /** Path below the root, with `/`. */
  readonly path: string;
}

/** A sample to be copied whole, from its start. */
export interface PackSource {
  /** What errors name it by. */
  readonly path: string;
  readonly size: number;
  /** As much as there is, into `buffer`; 0 at the end. */
  read(buffer: Uint8Array): number | Promise<number>;
  close(): void;
}

export interface OpenedEntry extends PackEntry {
  readonly source: PackSource;
}

export interface PackInput {
  /** As errors name it. */
  readonly root: string;
  /** In byte order of the path below the root. */
  walk(signal: AbortSignal | undefined): AsyncIterable<readonly PackEntry[]>;
  /** The same, each opened; to be closed by who takes it. */
  open(signal: AbortSignal | undefined): AsyncIterable<readonly OpenedEntry[]>;
}

export class FolderInput implements PackInput {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  walk(signal: AbortSignal | undefined): ReturnType<typeof walkFolder> {
    return walkFolder(
      { root: this.root, order: 'bytes', skippedNames: new Set<string>(), signal },
      { skippedEntries: 0, specialFiles: 0, linkLoops: 0 },
    );
  }

  async *open(signal: AbortSignal | undefined): AsyncGenerator<readonly OpenedEntry[]> {
    for await (const files of this.walk(signal)) {
      for (const { path, realPath } of files) {
        signal?.throwIfAborted();
        yield [{ path, source: SampleFile.open(realPath) }];
      }
    }
  }
}

export class PrefixInput implements PackInput {
  readonly root: string;
  readonly #places: Places;

  /** The prefix ends in a slash. */
  constructor(prefix: string, places: Places) {
    this.root = prefix.slice(0, -1);
    this.#places = places;
  }

  async *walk(signal: AbortSignal | undefined): AsyncGenerator<readonly PackEntry[]> {
    for await (const objects of this.#objects(signal)) {
      yield objects.map(({ location }) => ({ path: location.slice(this.root.length + 1) }));
    }
  }

  /** As many at a time as fit the memory for reading ahead. */
  async *open(signal: AbortSignal | undefined): AsyncGenerator<readonly OpenedEntry[]> {
    for await (const objects of this.#objects(signal)) {
      for (let start = 0; start < objects.length;) {
        let bytes = 0;
        let end = start;
        do {
          bytes += objects[end]?.bytes ?? 0;
          end += 1;
        } while (
          end < objects.length &&
          bytes + (objects[end]?.bytes ?? 0) <= PACK_AHEAD_BYTES_MAX
        );
        yield await Promise.all(
          objects.slice(start, end).map((object) => this.#open(object, signal)),
        );
        start = end;
      }
    }
  }

  #objects(signal: AbortSignal | undefined): AsyncIterable<readonly ListedObject[]> {
    return walkObjects({
      prefix: `${this.root}/`,
      places: this.#places,
      skippedNames: new Set<string>(),
      tally: { skippedEntries: 0, specialFiles: 0, linkLoops: 0 },
      signal,
    });
  }

  async #open(object: ListedObject, signal: AbortSignal | undefined): Promise<OpenedEntry> {
    const source = new ObjectSource(this.#places, object, signal);
    await source.readAhead();
    return { path: object.location.slice(this.root.length + 1), source };
  }
}

/** Read in ranges; the first is there before anybody asks. */
class ObjectSource implements PackSource {
  readonly path: string;
  readonly size: number;
  readonly #places: Places;
  readonly #object: ListedObject;
  readonly #signal: AbortSignal | undefined;
  #chunk: Uint8Array = new Uint8Array(0);
  /** Where in the chunk, and in the object, the next byte is. */
  #within: number = 0;
  #at: number = 0;

  constructor(places: Places, object: ListedObject, signal: AbortSignal | undefined) {
    this.path = object.location;
    this.size = object.bytes;
    this.#places = places;
    this.#object = object;
    this.#signal = signal;
  }

  async readAhead(): Promise<void> {
    const { location } = this.#object;
    const bytes = Math.min(OBJECT_CHUNK_BYTES, this.size - this.#at);
    this.#chunk = new Uint8Array(bytes);
    this.#within = 0;
    if (bytes === 0) return;
    const place = this.#places.of(location);
    await readInto(place, location, this.#object, this.#at, this.#chunk, this.#signal).catch(
      (error: unknown) => {
        throw asSample(error);
      },
    );
  }

  async read(buffer: Uint8Array): Promise<number> {
    if (this.#at === this.size) return 0;
    if (this.#within === this.#chunk.length) await this.readAhead();
    const count = Math.min(buffer.length, this.#chunk.length - this.#within);
    buffer.set(this.#chunk.subarray(this.#within, this.#within + count));
    this.#within += count;
    this.#at += count;
    return count;
  }

  close(): void {
    this.#chunk = new Uint8Array(0);
  }
}

/** The listing named it as a sample, so that is what is wrong. */
function asSample(error: unknown): unknown {
  if (!(error instanceof Mx8Error)) return error;
  const { code, message, details } = error;
  if (code === 'object_missing') return new Mx8Error('sample_missing', message, details, error);
  if (code === 'object_changed') return new Mx8Error('sample_changed', message, details, error);
  return error;
}
