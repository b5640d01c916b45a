/** What a sample is called in a packed data set, and what is said of it there. */
import { uncodedHint } from '../core/format/coded-part.ts';
import { formatOfHint } from '../core/format/format-name.ts';
import type { ShardFormat } from '../core/format/format-name.ts';
import { JSONL_HINT } from '../core/format/jsonl-scanner.ts';
import type { PackItem } from './pack-list.ts';

/** Of samples that are no files; rows of tables are lines of JSON. */
const EXTENSIONS: Readonly<Record<ShardFormat, string>> = {
  jsonl: 'json',
  webdataset: 'tar',
  mds: 'mds',
  csv: 'csv',
  parquet: 'json',
  arrow: 'json',
};

/** The first component of a path below the input; null for a file directly in it. */
export function classOf(path: string): string | null {
  const slash = path.indexOf('/');
  return slash === -1 ? null : path.slice(0, slash);
}

/** What follows the last dot of the file's name if that is 1 to 8 characters, else `bin`. */
export function extensionOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const dot = name.lastIndexOf('.');
  const extension = dot === -1 ? '' : name.slice(dot + 1);
  const characters = Array.from(extension).length;
  return characters >= 1 && characters <= 8 ? extension : 'bin';
}

/** `00000000000000000007.jpg`: the sample id with 20 digits, and the source's extension. */
export function entryName(sampleId: number, { path, hint }: PackItem): string {
  const format = formatOfHint(hint);
  const extension = format === 'files' ? extensionOf(path) : EXTENSIONS[format];
  return `${String(sampleId).padStart(20, '0')}.${extension}`;
}

/** How a sample that was a part of a file is to be read once its bytes are all of an entry. */
export function packedHint(hint: string, keepsLabels: boolean): string {
  const format = formatOfHint(hint);
  if (format === 'parquet' || format === 'arrow') return JSONL_HINT;
  const plain = uncodedHint(hint);
  return keepsLabels ? plain : plain.replace(/;label_id=\d+/, '');
}

export function shardName(index: number): string {
  return `shard-${String(index).padStart(5, '0')}.tar`;
}
