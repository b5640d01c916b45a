/** Pins a folder or a file of samples: lists them, and stores the manifest. */
import { realpath } from 'node:fs/promises';

import { Mx8Error } from '../core/base/errors.ts';
import { SAMPLE_OF } from '../core/format/format-name.ts';
import type { FormatChoice, FormatName, ShardFormat } from '../core/format/format-name.ts';
import { encodeHeader, encodeRecords } from '../core/manifest/encode.ts';
import type { ManifestStore, StampWriter } from '../ports/manifest-store.ts';
import { LocalBytes } from '../storage/local-bytes.ts';
import { indexFolder, recordOf } from './index-folder.ts';
import { indexPrefix } from './index-prefix.ts';
import { indexShards } from './index-shards.ts';
import { UNPACK_BYTES_MAX_DEFAULT, UNPACK_RATIO_MAX_DEFAULT } from './limits.ts';
import type { Input } from './locate-input.ts';
import type { UnpackBudget } from './scan-shard.ts';
import { FormatCensus, planFolder, shardFile, shardFilesIn } from './shard-files.ts';
import type { ShardFile, ShardTally } from './shard-files.ts';
import { stampOf } from './stamp-files.ts';

export interface PutOptions {
  readonly base: string;
  readonly store: ManifestStore;
  readonly stamps: StampWriter;
  readonly tally: ShardTally;
  readonly format?: FormatChoice | null;
  readonly columns?: readonly string[] | null;
  readonly unpack?: UnpackBudget;
  readonly onSamples: (samples: number) => void;
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
  const { format = null, signal } = options;
  if (input.type === 'shard') {
    const path = await realpath(input.path);
    const { format: chosen, reason } = input.plan;
    if (chosen !== 'files') {
      return putShards({ format: chosen, reason }, () => [shardFile(path)], options);
    }
    return { ...(await options.store.put(oneFile(path, options))), formatReason: reason };
  }
  if (input.type === 'prefix') {
    if ((options.columns ?? null) !== null) throw columnsOf(options.base, 'files');
    const { store, tally, stamps, onSamples } = options;
    const listed = indexPrefix({ ...input, tally, stamps, onSamples, signal });
    return { ...(await store.put(listed)), formatReason: null };
  }
  const root = input.path;
  if (format === null) return putFolder(root, options, null);
  const plan = await planFolder(root, format, signal);
  const { format: chosen } = plan;
  if (chosen === 'files') return putFolder(root, options, plan.reason);
  return putShards(
    { ...plan, format: chosen },
    () => shardFilesIn(root, chosen, options.tally, signal),
    options,
  );
}

/** Every file whole. Where nobody said so, a person may wonder, and is told of the other way. */
async function putFolder(
  root: string,
  options: PutOptions,
  reason: string | null,
): Promise<PutSamples> {
  if ((options.columns ?? null) !== null) throw columnsOf(options.base, 'files');
  const census = new FormatCensus();
  const { store, tally, stamps, onSamples, signal } = options;
  const stored = await store.put(
    indexFolder({ root, tally, stamps, onSamples, signal, onFiles: (files) => census.add(files) }),
  );
  const { only } = census;
  if (reason !== null || only === null) return { ...stored, formatReason: reason };
  const way = `${only.reason}; with --format ${only.format} ${SAMPLE_OF[only.format]}`;
  return { ...stored, formatReason: way };
}

function columnsOf(base: string, format: FormatName): Mx8Error {
  return new Mx8Error(
    'flag_invalid',
    `Columns can be chosen of Parquet files, and ${base} is read as ${format}; leave --columns away.`,
    { flag: '--columns', base, format },
  );
}

async function* oneFile(path: string, { stamps }: PutOptions): AsyncGenerator<Uint8Array> {
  yield encodeHeader();
  yield encodeRecords([recordOf({ path, realPath: path }, 0)]);
  stamps.add(stampOf(path));
}

async function putShards(
  plan: { readonly format: ShardFormat; readonly reason: string },
  shards: () => AsyncIterable<ShardFile> | Iterable<ShardFile>,
  options: PutOptions,
): Promise<PutSamples> {
  const { store, base, tally, onSamples, signal } = options;
  const { format } = plan;
  const source = new LocalBytes();
  try {
    const budget = options.unpack ?? UNPACK_DEFAULTS;
    const { columns = null } = options;
    if (columns !== null && format !== 'parquet') throw columnsOf(base, format);
    const scan = { base, columns, format, source, budget, signal, onSamples };
    const stored = await store.put(indexShards(shards(), scan));
    const { otherFiles: left } = tally;
    const files = left === 1 ? 'one other file is' : `${left} other files are`;
    const reason = left === 0 ? plan.reason : `${plan.reason}; ${files} left out`;
    return { ...stored, formatReason: reason };
  } finally {
    await source.close();
  }
}
