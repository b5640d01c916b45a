/** What is packed, as it is found: files of a folder, objects below a prefix, or samples in shards of a format. */
import { realpath } from 'node:fs/promises';
import { statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

import { Mx8Error } from '../core/base/errors.ts';
import { USTAR_ENTRY_BYTES_MAX } from '../core/base/ustar.ts';
import { codedPartOf } from '../core/format/coded-part.ts';
import type { FormatChoice, ShardFormat } from '../core/format/format-name.ts';
import { isUrl, schemeOf } from '../core/manifest/location.ts';
import { etagTag } from '../core/transfer/etag-tag.ts';
import type { Places } from '../ports/place.ts';
import { LocalBytes } from '../storage/local-bytes.ts';
import { outputLocation } from '../storage/output-stores.ts';
import { PlaceBytes } from '../storage/place-bytes.ts';
import { contains, realPathOf } from '../storage/real-path.ts';
import { walkObjects } from './index-prefix.ts';
import { scanShards } from './index-shards.ts';
import { canonicalBase } from './locate-base.ts';
import { locateInput } from './locate-input.ts';
import type { Input } from './locate-input.ts';
import type { PackItem } from './pack-list.ts';
import { checkTable } from './put-samples.ts';
import type { UnpackBudget } from './scan-shard.ts';
import { planTree, shardFile, shardFilesIn } from './shard-files.ts';
import type { ShardFile } from './shard-files.ts';
import { FolderTree, PrefixTree } from './shard-tree.ts';
import { systemCode, systemReason } from './system-error.ts';
import { emptyTally, leftOutOf, walkFolder } from './walk-folder.ts';
import type { LeftOut, WalkTally } from './walk-folder.ts';

export interface PackInputOptions {
  readonly input: string;
  readonly output: string;
  readonly format: FormatChoice | null;
  readonly columns: readonly string[] | null;
  readonly unpack: UnpackBudget;
  readonly places: Places | undefined;
  readonly signal: AbortSignal | undefined;
  /** Hears, once the input is listed, of what in it is no file. */
  readonly onLeftOut?: ((what: LeftOut) => void) | undefined;
}

export interface PackInput {
  /** As errors name it. */
  readonly root: string;
  /** Every sample, in the order of their ids, with whether they are whole files. */
  list(): AsyncIterable<readonly PackItem[]>;
}

type Samples = Exclude<Input, { type: 'manifest' }>;

/** Finds the input, and that it can be packed into that output; lists nothing yet. */
export async function openInput(options: PackInputOptions): Promise<PackInput> {
  const root = canonicalBase(options.input);
  const found = await locateInput(root, options.format, options.places, options.signal);
  if (found.type === 'manifest') {
    const what = found.isPacked ? 'a packed data set already' : 'a manifest';
    const text = `${root} is ${what}; pack takes a folder of files, or of files with many samples.`;
    throw new Mx8Error('link_invalid', text, { location: root });
  }
  await refuseItself(found, root, options);
  return { root, list: () => listedAndTold(found, root, options) };
}

async function refuseItself(
  found: Samples,
  root: string,
  { output }: PackInputOptions,
): Promise<void> {
  if (found.type === 'shard') return;
  const to = outputLocation(output);
  if (found.type === 'prefix') {
    if (`${to}/`.startsWith(found.prefix)) throw packsItself(to, root);
    return;
  }
  if (schemeOf(to) !== null) return;
  const [source = '', target = ''] = await Promise.all([root, to].map(realPathOf)).catch(
    (error: unknown) => {
      const text = `Cannot write the packed data set ${output}: ${systemReason(error)}.`;
      const details = { path: output, system_code: systemCode(error) };
      throw new Mx8Error('output_write_failed', text, details, error);
    },
  );
  if (contains(source, target)) throw packsItself(target, root);
}

function packsItself(target: string, input: string): Mx8Error {
  return new Mx8Error(
    'flag_invalid',
    `The output ${target} lies in the input ${input}, so the data set would pack itself. Choose a folder beside it.`,
    { flag: '--out' },
  );
}

async function* listedAndTold(
  found: Samples,
  root: string,
  options: PackInputOptions,
): AsyncGenerator<readonly PackItem[]> {
  const tally = emptyTally();
  yield* listed(found, root, options, tally);
  const left = leftOutOf(tally);
  if (left !== null) options.onLeftOut?.(left);
}

async function* listed(
  found: Samples,
  root: string,
  options: PackInputOptions,
  tally: WalkTally,
): AsyncGenerator<readonly PackItem[]> {
  const { signal, format } = options;
  if (found.type === 'shard') {
    const location = isUrl(root) ? found.path : await realpath(found.path);
    if (found.plan.format === 'files') yield* oneFile(location, options);
    else yield* shardItems(root, found.plan.format, () => [shardFile(location)], options);
    return;
  }
  const tree =
    found.type === 'prefix'
      ? new PrefixTree(found.prefix, found.places, signal)
      : new FolderTree(found.path, signal);
  const plan = format === null ? null : await planTree(tree, format);
  if (plan !== null && plan.format !== 'files') {
    const chosen = plan.format;
    const shards = (): AsyncIterable<ShardFile> =>
      shardFilesIn(tree, chosen, Object.assign(tally, { otherFiles: 0 }));
    yield* shardItems(root, chosen, shards, options);
    return;
  }
  checkTable({ base: root, columns: options.columns }, 'files');
  if (found.type === 'prefix') yield* objectItems(found.prefix, found.places, signal);
  else yield* fileItems(found.path, signal, tally);
}

/** In byte order of their paths, as the wire contract says, and not component by component. */
async function* fileItems(
  root: string,
  signal: AbortSignal | undefined,
  tally: WalkTally,
): AsyncGenerator<readonly PackItem[]> {
  const walk = { root, order: 'bytes', skippedNames: new Set<string>(), signal } as const;
  for await (const files of walkFolder(walk, tally)) {
    yield files.map(({ path, realPath }) => fileItem(path, realPath));
    await setImmediate();
  }
}

function fileItem(path: string, location: string): PackItem {
  let stats: ReturnType<typeof statSync>;
  try {
    stats = statSync(location);
  } catch (error) {
    const isGone = systemCode(error) === 'ENOENT';
    throw new Mx8Error(
      isGone ? 'sample_missing' : 'sample_unreadable',
      `Cannot look at ${location}: ${systemReason(error)}. Every file of the input is packed.`,
      { location, system_code: systemCode(error) },
      error,
    );
  }
  return whole({ path, location, bytes: stats.size, tag: stats.mtimeMs });
}

async function* objectItems(
  prefix: string,
  places: Places,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly PackItem[]> {
  const skippedNames = new Set<string>();
  const walk = { prefix, places, skippedNames, tally: emptyTally(), signal };
  for await (const objects of walkObjects(walk)) {
    yield objects.map(({ location, bytes, etag }) =>
      whole({ path: location.slice(prefix.length), location, bytes, tag: etagTag(etag) }),
    );
  }
}

async function* oneFile(
  location: string,
  { places, signal }: PackInputOptions,
): AsyncGenerator<readonly PackItem[]> {
  const path = location.slice(location.lastIndexOf('/') + 1);
  if (places === undefined || !isUrl(location)) {
    yield [fileItem(path, location)];
    return;
  }
  const { bytes, etag } = await places.of(location).stat(location, signal);
  yield [whole({ path, location, bytes, tag: etagTag(etag) })];
}

async function* shardItems(
  base: string,
  format: ShardFormat,
  shards: () => AsyncIterable<ShardFile> | Iterable<ShardFile>,
  { places, columns, unpack, signal }: PackInputOptions,
): AsyncGenerator<readonly PackItem[]> {
  checkTable({ base, columns }, format);
  const remote = places !== undefined && isUrl(base) ? new PlaceBytes(() => places) : null;
  const source = remote ?? new LocalBytes();
  try {
    const rowsPerSample = null;
    const scan = { base, columns, rowsPerSample, format, source, budget: unpack, signal };
    for await (const records of scanShards(shards(), scan)) {
      const [first] = records;
      if (first === undefined) continue;
      const tag = (await remote?.stampOf(first.location, signal))?.mtimeMs ?? 0;
      yield records.map(({ location, byteOffset, byteLength, decodeHint }) => {
        const bytes = codedPartOf(decodeHint)?.bytes ?? byteLength ?? 0;
        const place = { byteOffset: byteOffset ?? 0, byteLength: byteLength ?? 0 };
        return checked({ path: '', location, bytes, tag, ...place, hint: decodeHint });
      });
    }
  } finally {
    await source.close();
  }
}

function whole(file: Pick<PackItem, 'path' | 'location' | 'bytes' | 'tag'>): PackItem {
  return checked({ ...file, byteOffset: -1, byteLength: -1, hint: '' });
}

function checked(item: PackItem): PackItem {
  const { location, bytes } = item;
  if (bytes === 0) {
    const text = `The file ${location} is empty; a sample has bytes.`;
    throw new Mx8Error('file_empty', text, { location });
  }
  if (bytes <= USTAR_ENTRY_BYTES_MAX) return item;
  throw new Mx8Error(
    'row_invalid',
    `The file ${location} has a sample of ${bytes} bytes; a packed data set holds samples of up to ${USTAR_ENTRY_BYTES_MAX}.`,
    { location, size_bytes: bytes },
  );
}
