/** `index.json` of a MosaicML data set: its shards and what their columns are. */
import { FormatError } from './format-error.ts';
import type { Codec } from './format-name.ts';
import { percentDecoded, percentEncoded } from './percent.ts';

export interface MdsColumn {
  readonly name: string;
  readonly encoding: string;
  /** Null: each sample says how long its value is. */
  readonly bytes: number | null;
}

export interface MdsShard {
  /** Below the folder of the index, with `/`. */
  readonly path: string;
  readonly codec: Codec | null;
  /** Of the shard, decompressed. */
  readonly rawBytes: number;
  readonly samples: number;
  readonly hint: string;
}

export const MDS_KIND = 'mx8:mds';

type Fields = Readonly<Record<string, unknown>>;

export function mdsShards(indexJson: string): readonly MdsShard[] {
  let index: unknown;
  try {
    index = JSON.parse(indexJson);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FormatError(`index.json is not JSON: ${reason}`, 0);
  }
  const shards = isFields(index) ? index['shards'] : undefined;
  if (!Array.isArray(shards)) throw new FormatError('index.json has no list of shards', 0);
  return shards.map((shard: unknown, at) => mdsShard(shard, at));
}

function mdsShard(shard: unknown, at: number): MdsShard {
  const bad = (what: string): FormatError => new FormatError(`shard ${at}: ${what}`, 0);
  if (!isFields(shard)) throw bad('it is no object');
  const { format, compression, samples, raw_data: raw, zip_data: zip } = shard;
  if (format !== 'mds') throw bad(`its format is ${JSON.stringify(format)}, not "mds"`);
  const codec = codecOf(compression);
  if (codec === undefined) {
    const known = Object.keys(COMPRESSIONS).join(', ');
    const what = `it is compressed with ${JSON.stringify(compression)}; ${known} can be read`;
    throw bad(`${what}, so write it anew with one of these`);
  }
  const file = codec === null ? raw : zip;
  const path = isFields(file) ? file['basename'] : undefined;
  const rawBytes = isFields(raw) ? raw['bytes'] : undefined;
  if (typeof path !== 'string' || !isBelow(path)) throw bad('its file has no name below the index');
  if (!isCount(rawBytes) || !isCount(samples)) throw bad('it has no bytes or samples');
  return { path, codec, rawBytes, samples, hint: mdsHint(columnsOf(shard, bad)) };
}

function columnsOf(shard: Fields, bad: (what: string) => FormatError): readonly MdsColumn[] {
  const { column_names: names, column_encodings: encodings, column_sizes: sizes } = shard;
  if (!Array.isArray(names) || !Array.isArray(encodings) || !Array.isArray(sizes)) {
    throw bad('it does not say what its columns are');
  }
  return names.map((name: unknown, column) => {
    const encoding: unknown = encodings[column];
    const bytes: unknown = sizes[column];
    const isKnown = typeof name === 'string' && typeof encoding === 'string';
    if (isKnown && (bytes === null || isCount(bytes))) return { name, encoding, bytes };
    throw bad(`column ${column} has no name, encoding or size`);
  });
}

function mdsHint(columns: readonly MdsColumn[]): string {
  const list = columns.map(
    ({ name, encoding, bytes }) =>
      `${percentEncoded(name)}:${percentEncoded(encoding)}${bytes === null ? '' : `:${bytes}`}`,
  );
  return `${MDS_KIND};columns=${list.join(',')}`;
}

/** From the `columns` of a hint. */
export function mdsColumns(text: string): readonly MdsColumn[] {
  return text.split(',').map((column) => {
    const [name = '', encoding = '', bytes] = column.split(':');
    return {
      name: percentDecoded(name),
      encoding: percentDecoded(encoding),
      bytes: bytes === undefined ? null : Number(bytes),
    };
  });
}

/** In MosaicML's words. bz2 is missing: `docs/formats.md` says why. */
const COMPRESSIONS: Readonly<Record<string, Codec>> = {
  zstd: 'zstd',
  gz: 'gzip',
  br: 'brotli',
  snappy: 'snappy',
};

/** Undefined for a compression that cannot be read here. `zstd:7` names a level too. */
function codecOf(compression: unknown): Codec | null | undefined {
  if (compression === null || compression === undefined || compression === '') return null;
  const name = typeof compression === 'string' ? (compression.split(':')[0] ?? '') : '';
  return Object.hasOwn(COMPRESSIONS, name) ? COMPRESSIONS[name] : undefined;
}

/** A name that leads out of the folder is none. */
function isBelow(path: string): boolean {
  return path !== '' && !path.startsWith('/') && !path.split('/').includes('..');
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
