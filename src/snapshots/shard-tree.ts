/** Where shards are looked for: a folder of this machine, or a prefix of a store. */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';

import { Mx8Error } from '../core/base/errors.ts';
import { FormatError } from '../core/format/format-error.ts';
import { MDS_INDEX_BYTES_MAX } from '../core/format/limits.ts';
import { schemeOf } from '../core/manifest/location.ts';
import type { Places } from '../ports/place.ts';
import { RESERVED_NAMES } from './index-folder.ts';
import { walkObjects } from './index-prefix.ts';
import { readInto } from './object-bytes.ts';
import { SampleFile } from './sample-file.ts';
import { walkFolder } from './walk-folder.ts';
import type { WalkTally } from './walk-folder.ts';

/** A file below the root. */
export interface TreeFile {
  readonly location: string;
  /** What its name is told by: without the query of a URL. */
  readonly name: string;
}

export interface ShardTree {
  /** Every file, in the order that its samples get their ids in. What is passed over is counted. */
  files(tally: WalkTally): AsyncIterable<readonly TreeFile[]>;
  /** Where a file of this name below the root is. */
  locationOf(name: string): Promise<string>;
  /** The text of a small file below the root. Rejects with an `Mx8Error` where it cannot be had. */
  textOf(name: string): Promise<string>;
}

export class FolderTree implements ShardTree {
  readonly #root: string;
  readonly #signal: AbortSignal | undefined;

  constructor(root: string, signal: AbortSignal | undefined) {
    this.#root = root;
    this.#signal = signal;
  }

  async *files(tally: WalkTally): AsyncGenerator<readonly TreeFile[]> {
    const walk = { root: this.#root, order: 'components', signal: this.#signal } as const;
    for await (const files of walkFolder({ ...walk, skippedNames: RESERVED_NAMES }, tally)) {
      yield files.map(({ realPath }) => ({ location: realPath, name: realPath }));
    }
  }

  async locationOf(name: string): Promise<string> {
    return join(await realpath(this.#root), name);
  }

  async textOf(name: string): Promise<string> {
    const file = SampleFile.open(join(this.#root, name));
    try {
      const bytes = roomFor(file.size);
      let at = 0;
      for (let got = -1; got !== 0 && at < bytes.length; at += got) {
        got = file.read(bytes.subarray(at));
      }
      return bytes.toString('utf8', 0, at);
    } finally {
      file.close();
    }
  }
}

export class PrefixTree implements ShardTree {
  readonly #prefix: string;
  readonly #places: Places;
  readonly #signal: AbortSignal | undefined;

  /** `prefix` ends in a slash. */
  constructor(prefix: string, places: Places, signal: AbortSignal | undefined) {
    this.#prefix = prefix;
    this.#places = places;
    this.#signal = signal;
  }

  async *files(tally: WalkTally): AsyncGenerator<readonly TreeFile[]> {
    const [prefix, places, signal] = [this.#prefix, this.#places, this.#signal];
    const walk = { prefix, places, tally, signal, skippedNames: RESERVED_NAMES };
    for await (const objects of walkObjects(walk)) {
      yield objects.map(({ location }) => ({ location, name: location }));
    }
  }

  async locationOf(name: string): Promise<string> {
    // A key is written as it is; the names in a URL of the web are encoded.
    const isWeb = isWebLocation(this.#prefix);
    const names = name.split('/').map((part) => (isWeb ? encodeURIComponent(part) : part));
    return `${this.#prefix}${names.join('/')}`;
  }

  async textOf(name: string): Promise<string> {
    const location = await this.locationOf(name);
    const place = this.#places.of(location);
    const object = await place.stat(location, this.#signal);
    const bytes = roomFor(object.bytes);
    if (bytes.length > 0) await readInto(place, location, object, 0, bytes, this.#signal);
    return bytes.toString('utf8');
  }
}

/** What is in no place, and what nobody may look at, is not there for who only wonders. */
export function isAbsence(error: unknown): boolean {
  const codes = ['object_missing', 'object_denied', 'sample_missing', 'sample_unreadable'];
  return error instanceof Mx8Error && codes.includes(error.code);
}

/** The path of a location: what the name of its file is in. */
export function nameIn(location: string): string {
  const end = isWebLocation(location) ? location.search(/[?#]/) : -1;
  return end === -1 ? location : location.slice(0, end);
}

function isWebLocation(location: string): boolean {
  const scheme = schemeOf(location);
  return scheme === 'https' || scheme === 'http';
}

function roomFor(bytes: number): Buffer {
  if (bytes <= MDS_INDEX_BYTES_MAX) return Buffer.alloc(bytes);
  throw new FormatError(`it has ${bytes} bytes, more than ${MDS_INDEX_BYTES_MAX}`, 0);
}
