/** The formats that shards of many samples come in, and which one a file's name speaks for. */

/** What samples are made of a data set's files. `files`: each is one sample. */
export const FORMAT_NAMES = [
  'files',
  'jsonl',
  'webdataset',
  'mds',
  'csv',
  'parquet',
  'arrow',
] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];
/** A format that has shards: files with many samples. */
export type ShardFormat = Exclude<FormatName, 'files'>;

/** What a user may say: `auto` goes by the names of the files. */
export type FormatChoice = 'auto' | FormatName;
export const FORMAT_CHOICES: readonly FormatChoice[] = ['auto', ...FORMAT_NAMES];

export const CODECS = ['gzip', 'zstd', 'brotli', 'snappy'] as const;
export type Codec = (typeof CODECS)[number];
/** Formats with columns, whose groups of rows give lines of JSON. */
export const TABLE_FORMATS = ['parquet', 'arrow'] as const;
export type TableFormat = (typeof TABLE_FORMATS)[number];
/** How the samples of a file are to be had of it. */
export type PartCodec = Codec | TableFormat;

/** Not of Snappy: files of that name are framed in three ways, and MosaicML's index says which are its own. */
const CODEC_EXTENSIONS: Readonly<Record<string, Codec>> = {
  gz: 'gzip',
  zst: 'zstd',
  zstd: 'zstd',
  br: 'brotli',
};

const FORMAT_EXTENSIONS: Readonly<Record<string, ShardFormat>> = {
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  tar: 'webdataset',
  tgz: 'webdataset',
  mds: 'mds',
  csv: 'csv',
  parquet: 'parquet',
  arrow: 'arrow',
  arrows: 'arrow',
  feather: 'arrow',
};

/** One sentence each, for people who wonder what a sample is. */
export const SAMPLE_OF: Readonly<Record<FormatName, string>> = {
  files: 'each file is one sample',
  jsonl: 'each line is one sample',
  webdataset: 'the members of a tar that share a key are one sample',
  mds: 'each sample of a MosaicML shard is one sample',
  csv: 'each record below the header line is one sample',
  parquet: 'each row is one sample',
  arrow: 'each row is one sample',
};

export interface NamedAs {
  /** Null where the name speaks for none. */
  readonly format: ShardFormat | null;
  /** How the file is compressed, by its name; null where it is not. */
  readonly codec: Codec | null;
  /** What `format` was told by, such as `.jsonl.gz`; '' without one. */
  readonly extension: string;
}

export function namedAs(path: string): NamedAs {
  const parts = path
    .slice(path.lastIndexOf('/') + 1)
    .toLowerCase()
    .split('.');
  const last = parts.length > 1 ? (parts.pop() ?? '') : '';
  if (last === 'tgz') return { format: 'webdataset', codec: 'gzip', extension: '.tgz' };
  const codec = lookUp(CODEC_EXTENSIONS, last);
  if (codec === null) {
    const format = lookUp(FORMAT_EXTENSIONS, last);
    return { format, codec, extension: format === null ? '' : `.${last}` };
  }
  const inner = parts.length > 1 ? (parts.pop() ?? '') : '';
  const format = inner === 'tgz' ? null : lookUp(FORMAT_EXTENSIONS, inner);
  return { format, codec, extension: format === null ? '' : `.${inner}.${last}` };
}

/** By the hint of a sample: what its shard was read as. */
export function formatOfHint(hint: string): FormatName {
  const kind = /^mx8:([a-z]+)(?:;|$)/.exec(hint)?.[1];
  return FORMAT_NAMES.find((name) => name === kind && name !== 'files') ?? 'files';
}

/** The format, where it has columns. */
export function tableFormatOf(format: FormatName | PartCodec): TableFormat | null {
  return TABLE_FORMATS.find((name) => name === format) ?? null;
}

export function isFormatChoice(text: string): text is FormatChoice {
  return FORMAT_CHOICES.some((choice) => choice === text);
}

function lookUp<T>(table: Readonly<Record<string, T>>, key: string): T | null {
  return Object.hasOwn(table, key) ? (table[key] ?? null) : null;
}
