/** The canonical manifest of shards: one line for each sample in them. */
import { Mx8Error } from '../core/base/errors.ts';
import { encodeHeader, encodeRecords } from '../core/manifest/encode.ts';
import { isLocation } from '../core/manifest/location.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import { scanShard } from './scan-shard.ts';
import type { ScanOptions } from './scan-shard.ts';
import type { ShardFile } from './shard-files.ts';

export interface IndexShardsOptions extends ScanOptions {
  /** Called now and then with the number of samples so far. */
  readonly onSamples: (samples: number) => void;
  /** Waited for after each few samples of a shard. */
  readonly onShardSamples: (location: string, samples: number) => Promise<void>;
}

/** The manifest, as it is written down. */
export async function* indexShards(
  shards: AsyncIterable<ShardFile> | Iterable<ShardFile>,
  options: IndexShardsOptions,
): AsyncGenerator<Uint8Array> {
  yield encodeHeader();
  for await (const records of scanShards(shards, options)) {
    const [first] = records;
    if (first === undefined) continue;
    yield encodeRecords(records);
    await options.onShardSamples(first.location, records.length);
    options.onSamples(first.sampleId + records.length);
  }
}

/** The samples of every shard, some at a time, never of two shards at once. `input_empty` without any. */
export async function* scanShards(
  shards: AsyncIterable<ShardFile> | Iterable<ShardFile>,
  options: ScanOptions,
): AsyncGenerator<readonly SampleRecord[]> {
  const { base, format } = options;
  let next = 0;
  let files = 0;
  for await (const shard of shards) {
    checkName(shard.location);
    files += 1;
    for await (const samples of scanShard(shard, options)) {
      const first = next;
      next += samples.length;
      yield samples.map((sample, at) => ({ ...sample, sampleId: first + at }));
    }
  }
  if (next > 0) return;
  const what = files === 0 ? 'no file' : `no sample in its ${files} files`;
  throw new Mx8Error('input_empty', `${base}, read as ${format}, holds ${what}.`, {
    location: base,
    format,
  });
}

function checkName(location: string): void {
  if (isLocation(location)) return;
  throw new Mx8Error(
    'sample_unreadable',
    `The path ${JSON.stringify(location)} has a tab or a line break in it, which a manifest cannot hold. Rename it.`,
    { location },
  );
}
