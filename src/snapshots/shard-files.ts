/** Which files of a base hold samples in which format, and what is said of the choice. */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';

import { Mx8Error } from '../core/base/errors.ts';
import { FormatError } from '../core/format/format-error.ts';
import { namedAs } from '../core/format/format-name.ts';
import type { Codec, FormatChoice, FormatName, ShardFormat } from '../core/format/format-name.ts';
import { MDS_INDEX_BYTES_MAX } from '../core/format/limits.ts';
import { mdsShards } from '../core/format/mds-index.ts';
import type { MdsShard } from '../core/format/mds-index.ts';
import { RESERVED_NAMES } from './index-folder.ts';
import { SampleFile } from './sample-file.ts';
import { walkFolder } from './walk-folder.ts';
import type { FoundFile, WalkOptions, WalkTally } from './walk-folder.ts';

export interface ShardFile {
  readonly location: string;
  readonly codec: Codec | null;
  /** Of MDS: what `index.json` says of it. */
  readonly mds: MdsShard | null;
  /** Of CSV. */
  readonly delimiter: ',' | '\t';
}

export interface FormatPlan {
  readonly format: FormatName;
  /** Why, for people: `every file ends in .jsonl`. */
  readonly reason: string;
}

/** What was passed over. */
export interface ShardTally extends WalkTally {
  /** Files whose names speak for another format, or for none. */
  otherFiles: number;
}

const MDS_INDEX = 'index.json';
const AS_TOLD = 'as was asked for';

/** Looks at the names of files for one format that all of them are of. */
export class FormatCensus {
  #format: ShardFormat | null = null;
  #isMixed = false;
  readonly #extensions: Set<string> = new Set();

  add(files: readonly FoundFile[]): void {
    for (const { path } of files) {
      if (this.#isMixed) return;
      const { format, extension } = namedAs(path);
      this.#format ??= format;
      this.#isMixed = format === null || format !== this.#format;
      this.#extensions.add(extension);
    }
  }

  get only(): { readonly format: ShardFormat; readonly reason: string } | null {
    if (this.#isMixed || this.#format === null) return null;
    const reason = `every file ends in ${[...this.#extensions].sort().join(' or ')}`;
    return { format: this.#format, reason };
  }
}

/** What samples are made of below a folder, where a choice was made. */
export async function planFolder(
  root: string,
  choice: FormatChoice,
  signal: AbortSignal | undefined,
): Promise<FormatPlan> {
  if (choice !== 'auto') return { format: choice, reason: AS_TOLD };
  if (isMdsIndex(join(root, MDS_INDEX))) {
    return { format: 'mds', reason: `the folder has an ${MDS_INDEX} of MosaicML shards` };
  }
  const census = new FormatCensus();
  const tally = { skippedEntries: 0, specialFiles: 0, linkLoops: 0 };
  for await (const files of walkFolder(walkOf(root, signal), tally)) census.add(files);
  const { only } = census;
  if (only !== null) return only;
  return { format: 'files', reason: 'its files do not all have a name of one known format' };
}

/** What samples are made of in one file; null where its name does not say and nobody does. */
export function planFile(path: string, choice: FormatChoice | null): FormatPlan | null {
  if (choice !== null && choice !== 'auto') return { format: choice, reason: AS_TOLD };
  const { format, extension } = namedAs(path);
  return format === null ? null : { format, reason: `the file ends in ${extension}` };
}

/** The shards of a folder, in the order of the walk or of their index. Others are counted in `tally`. */
export async function* shardFilesIn(
  root: string,
  format: ShardFormat,
  tally: ShardTally,
  signal: AbortSignal | undefined,
): AsyncGenerator<ShardFile, void, undefined> {
  if (format === 'mds') {
    yield* mdsFiles(await realpath(root));
    return;
  }
  // Where no name speaks for the format, the user does for all of them.
  let takesAll = true;
  const silent = { skippedEntries: 0, specialFiles: 0, linkLoops: 0 };
  for await (const files of walkFolder(walkOf(root, signal), silent)) {
    takesAll &&= !files.some(({ path }) => namedAs(path).format === format);
    if (!takesAll) break;
  }
  for await (const files of walkFolder(walkOf(root, signal), tally)) {
    for (const { realPath } of files) {
      if (takesAll || namedAs(realPath).format === format) yield shardFile(realPath);
      else tally.otherFiles += 1;
    }
  }
}

export function shardFile(location: string): ShardFile {
  const { codec } = namedAs(location);
  const isTabs = /\.(?:tsv|tab)(?:\.[a-z]+)?$/i.test(location);
  return { location, codec, mds: null, delimiter: isTabs ? '\t' : ',' };
}

function* mdsFiles(root: string): Generator<ShardFile, void, undefined> {
  const path = join(root, MDS_INDEX);
  try {
    for (const mds of mdsShards(readText(path))) {
      yield { location: join(root, mds.path), codec: mds.codec, mds, delimiter: ',' };
    }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new Mx8Error(
      'shard_corrupt',
      `${path} is no index of MosaicML shards: ${error.message}.`,
      {
        location: path,
      },
    );
  }
}

function isMdsIndex(path: string): boolean {
  try {
    return mdsShards(readText(path)).length > 0;
  } catch (error) {
    if (error instanceof FormatError || error instanceof Mx8Error) return false;
    throw error;
  }
}

function readText(path: string): string {
  const file = SampleFile.open(path);
  try {
    if (file.size > MDS_INDEX_BYTES_MAX) {
      throw new FormatError(`it has ${file.size} bytes, more than ${MDS_INDEX_BYTES_MAX}`, 0);
    }
    const bytes = Buffer.alloc(file.size);
    let at = 0;
    for (let got = -1; got !== 0 && at < bytes.length; at += got)
      got = file.read(bytes.subarray(at));
    return bytes.toString('utf8', 0, at);
  } finally {
    file.close();
  }
}

function walkOf(root: string, signal: AbortSignal | undefined): WalkOptions {
  return { root, order: 'components', skippedNames: RESERVED_NAMES, signal };
}
