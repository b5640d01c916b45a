/** Which files of a base hold samples in which format, and what is said of the choice. */
import { Mx8Error } from '../core/base/errors.ts';
import { FormatError } from '../core/format/format-error.ts';
import { namedAs } from '../core/format/format-name.ts';
import type { Codec, FormatChoice, FormatName, ShardFormat } from '../core/format/format-name.ts';
import { mdsShards } from '../core/format/mds-index.ts';
import type { MdsShard } from '../core/format/mds-index.ts';
import { isAbsence, nameIn } from './shard-tree.ts';
import type { ShardTree, TreeFile } from './shard-tree.ts';
import { emptyTally } from './walk-folder.ts';
import type { WalkTally } from './walk-folder.ts';

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

  add(files: readonly Pick<TreeFile, 'name'>[]): void {
    for (const { name } of files) {
      if (this.#isMixed) return;
      const { format, extension } = namedAs(name);
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

/** What samples are made of below a folder or prefix, where a choice was made. */
export async function planTree(tree: ShardTree, choice: FormatChoice): Promise<FormatPlan> {
  if (choice !== 'auto') return { format: choice, reason: AS_TOLD };
  if (await hasMdsIndex(tree)) {
    return { format: 'mds', reason: `the folder has an ${MDS_INDEX} of MosaicML shards` };
  }
  const census = new FormatCensus();
  for await (const files of tree.files(emptyTally())) census.add(files);
  const { only } = census;
  if (only !== null) return only;
  return { format: 'files', reason: 'its files do not all have a name of one known format' };
}

/** What samples are made of in one file; null where its name does not say and nobody does. */
export function planFile(path: string, choice: FormatChoice | null): FormatPlan | null {
  if (choice !== null && choice !== 'auto') return { format: choice, reason: AS_TOLD };
  const { format, extension } = namedAs(nameIn(path));
  return format === null ? null : { format, reason: `the file ends in ${extension}` };
}

/** The shards of a tree, in its order or that of their index. Others are counted in `tally`. */
export async function* shardFilesIn(
  tree: ShardTree,
  format: ShardFormat,
  tally: ShardTally,
): AsyncGenerator<ShardFile, void, undefined> {
  if (format === 'mds') {
    yield* mdsFiles(tree);
    return;
  }
  // Where no name speaks for the format, the user does for all of them.
  let takesAll = true;
  for await (const files of tree.files(emptyTally())) {
    takesAll &&= !files.some(({ name }) => namedAs(name).format === format);
    if (!takesAll) break;
  }
  for await (const files of tree.files(tally)) {
    for (const { location, name } of files) {
      if (takesAll || namedAs(name).format === format) yield shardFile(location);
      else tally.otherFiles += 1;
    }
  }
}

export function shardFile(location: string): ShardFile {
  const name = nameIn(location);
  const { codec } = namedAs(name);
  const isTabs = /\.(?:tsv|tab)(?:\.[a-z]+)?$/i.test(name);
  return { location, codec, mds: null, delimiter: isTabs ? '\t' : ',' };
}

async function* mdsFiles(tree: ShardTree): AsyncGenerator<ShardFile, void, undefined> {
  try {
    for (const mds of mdsShards(await tree.textOf(MDS_INDEX))) {
      const location = await tree.locationOf(mds.path);
      yield { location, codec: mds.codec, mds, delimiter: ',' };
    }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const location = await tree.locationOf(MDS_INDEX);
    const what = `${location} is no index of MosaicML shards: ${error.message}.`;
    throw new Mx8Error('shard_corrupt', what, { location });
  }
}

async function hasMdsIndex(tree: ShardTree): Promise<boolean> {
  try {
    return mdsShards(await tree.textOf(MDS_INDEX)).length > 0;
  } catch (error) {
    if (error instanceof FormatError || isAbsence(error)) return false;
    throw error;
  }
}
