/** Pins a folder or a file of samples: lists them, and stores the manifest. */
import { realpath } from 'node:fs/promises';

import { Mx8Error } from '../core/base/errors.ts';
import { SAMPLE_OF, tableFormatOf } from '../core/format/format-name.ts';
import type { FormatChoice, FormatName, ShardFormat } from '../core/format/format-name.ts';
import { encodeHeader, encodeRecords } from '../core/manifest/encode.ts';
import { isUrl } from '../core/manifest/location.ts';
import { etagTag } from '../core/transfer/etag-tag.ts';
import type { ManifestStore, StampWriter } from '../ports/manifest-store.ts';
import type { ListedObject, Places } from '../ports/place.ts';
import { LocalBytes } from '../storage/local-bytes.ts';
import { PlaceBytes } from '../storage/place-bytes.ts';
import { indexFolder, recordOf } from './index-folder.ts';
import { indexPrefix } from './index-prefix.ts';
import { indexShards } from './index-shards.ts';
import { UNPACK_BYTES_MAX_DEFAULT, UNPACK_RATIO_MAX_DEFAULT } from './limits.ts';
import type { Input } from './locate-input.ts';
import type { UnpackBudget } from './scan-shard.ts';
import { FormatCensus, planTree, shardFile, shardFilesIn } from './shard-files.ts';
import type { ShardFile, ShardTally } from './shard-files.ts';
import { FolderTree, PrefixTree } from './shard-tree.ts';
import { stampOf } from './stamp-files.ts';
import type { SnapshotFollower } from './snapshot-follower.ts';
import type { FoundFile } from './walk-folder.ts';

export interface PutOptions {
  readonly base: string;
  readonly store: ManifestStore;
  readonly stamps: StampWriter;
  /** Where objects are; absent: only files are read. */
  readonly places?: Places | undefined;
  readonly tally: ShardTally;
  readonly format?: FormatChoice | null;
  readonly columns?: readonly string[] | null;
  readonly rowsPerSample?: number | null;
  readonly unpack?: UnpackBudget;
  readonly onSamples: (samples: number) => void;
  /** Whoever reads the samples while they are put; they count as listed when `onSamples` says so. */
  readonly follower?: Pick<SnapshotFollower, 'begun'>;
  readonly signal?: AbortSignal | undefined;
}

export const UNPACK_DEFAULTS: UnpackBudget = {
  ratioMax: UNPACK_RATIO_MAX_DEFAULT,
  bytesMax: UNPACK_BYTES_MAX_DEFAULT,
};

type Stored = Awaited<ReturnType<ManifestStore['put']>>;

export interface PutSamples extends Stored {
  readonly formatReason: string | null;
}

export async function putSamples(
  input: Exclude<Input, { type: 'manifest' }>,
  options: PutOptions,
): Promise<PutSamples> {
  if (input.type === 'shard') return putShard(input, options);
  const { format = null, signal } = options;
  const tree =
    input.type === 'prefix'
      ? new PrefixTree(input.prefix, input.places, signal)
      : new FolderTree(input.path, signal);
  const plan = format === null ? null : await planTree(tree, format);
  if (plan !== null && plan.format !== 'files') {
    const { format: chosen, reason } = plan;
    const shards = (): AsyncIterable<ShardFile> => shardFilesIn(tree, chosen, options.tally);
    return putShards({ format: chosen, reason }, shards, options);
  }
  checkTable(options, 'files');
  const reason = plan?.reason ?? null;
  return input.type === 'prefix'
    ? putPrefix(input, options, reason)
    : putFolder(input.path, options, reason);
}

function put(
  canonical: AsyncIterable<Uint8Array>,
  { store, stamps, follower }: PutOptions,
): Promise<Stored> {
  if (follower === undefined) return store.put(canonical);
  return store.put(canonical, (spool) => follower.begun(spool, stamps));
}

async function putShard(
  { path, plan }: Extract<Input, { type: 'shard' }>,
  options: PutOptions,
): Promise<PutSamples> {
  const { format, reason } = plan;
  const location = isUrl(path) ? path : await realpath(path);
  if (format !== 'files') {
    return putShards({ format, reason }, () => [shardFile(location)], options);
  }
  checkTable(options, 'files');
  return { ...(await put(oneFile(location, options), options)), formatReason: reason };
}

async function putPrefix(
  { prefix, places }: Extract<Input, { type: 'prefix' }>,
  options: PutOptions,
  reason: string | null,
): Promise<PutSamples> {
  const census = new FormatCensus();
  const { tally, stamps, onSamples, signal } = options;
  const onObjects = (objects: readonly ListedObject[]): void =>
    census.add(objects.map(({ location }) => ({ name: location })));
  const listed = indexPrefix({ prefix, places, tally, stamps, onSamples, onObjects, signal });
  return { ...(await put(listed, options)), formatReason: reason ?? otherWay(census) };
}

/** Every file whole. Where nobody said so, a person may wonder, and is told of the other way. */
async function putFolder(
  root: string,
  options: PutOptions,
  reason: string | null,
): Promise<PutSamples> {
  const census = new FormatCensus();
  const { tally, stamps, onSamples, signal } = options;
  const onFiles = (files: readonly FoundFile[]): void =>
    census.add(files.map(({ path }) => ({ name: path })));
  const indexed = indexFolder({ root, tally, stamps, onSamples, signal, onFiles });
  const stored = await put(indexed, options);
  return { ...stored, formatReason: reason ?? otherWay(census) };
}

function otherWay({ only }: FormatCensus): string | null {
  if (only === null) return null;
  return `${only.reason}; with --format ${only.format} ${SAMPLE_OF[only.format]}`;
}

/** What is for tables only. */
export function checkTable(
  { base, columns, rowsPerSample }: Pick<PutOptions, 'base' | 'columns' | 'rowsPerSample'>,
  format: FormatName,
): void {
  if (tableFormatOf(format) !== null) return;
  if ((columns ?? null) !== null) {
    const message = `Columns can be chosen of Parquet and Arrow files, and ${base} is read as ${format}; leave --columns away.`;
    throw new Mx8Error('flag_invalid', message, { flag: '--columns', base, format });
  }
  if ((rowsPerSample ?? null) !== null) {
    const message = `Rows of Parquet and Arrow files can be samples together, and ${base} is read as ${format}; leave --rows-per-sample away.`;
    throw new Mx8Error('flag_invalid', message, { flag: '--rows-per-sample', base, format });
  }
}

/** A whole file, or object, as a data set. */
async function* oneFile(
  location: string,
  { stamps, places, signal }: PutOptions,
): AsyncGenerator<Uint8Array> {
  yield encodeHeader();
  yield encodeRecords([recordOf({ path: location, realPath: location }, 0)]);
  if (places === undefined || !isUrl(location)) {
    stamps.add(stampOf(location));
    return;
  }
  const { bytes, etag } = await places.of(location).stat(location, signal);
  stamps.add({ bytes, mtimeMs: etagTag(etag) });
}

async function putShards(
  plan: { readonly format: ShardFormat; readonly reason: string },
  shards: () => AsyncIterable<ShardFile> | Iterable<ShardFile>,
  options: PutOptions,
): Promise<PutSamples> {
  const { base, tally, onSamples, signal, places, stamps } = options;
  const { format } = plan;
  const remote = places !== undefined && isUrl(base) ? new PlaceBytes(() => places) : null;
  const source = remote ?? new LocalBytes();
  try {
    const budget = options.unpack ?? UNPACK_DEFAULTS;
    const { columns = null, rowsPerSample = null } = options;
    checkTable(options, format);
    const scan = { base, columns, rowsPerSample, format, source, budget, signal, onSamples };
    const onShardSamples = async (location: string, samples: number): Promise<void> => {
      if (remote === null) return;
      const stamp = await remote.stampOf(location, signal);
      for (let index = 0; index < samples; index += 1) stamps.add(stamp);
    };
    const stored = await put(indexShards(shards(), { ...scan, onShardSamples }), options);
    const { otherFiles: left } = tally;
    const files = left === 1 ? 'one other file is' : `${left} other files are`;
    const reason = left === 0 ? plan.reason : `${plan.reason}; ${files} left out`;
    return { ...stored, formatReason: reason };
  } finally {
    await source.close();
  }
}
