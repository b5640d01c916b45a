/** What samples are made of, and what decompressing may come to. */
import { FORMAT_CHOICES } from '../../core/format/format-name.ts';
import { ROWS_PER_SAMPLE_MAX } from '../../core/format/limits.ts';
import type { FormatChoice } from '../../core/format/format-name.ts';
import { flag, optionalFlag } from '../flag.ts';
import type { Flag } from '../flag.ts';
import { bytes, choice, count, list } from '../kinds.ts';

export const format: Flag<FormatChoice | null> = optionalFlag(
  choice(FORMAT_CHOICES),
  {
    name: 'format',
    variable: 'MX8_FORMAT',
    doc: 'What a sample is: a file, a line of JSON, the members of a WebDataset tar that share a key, a sample of a MosaicML shard, a record of a CSV file, a row of Parquet or Arrow; auto goes by the names of the files.',
  },
  'the format that the job names; else each file of a folder is a sample, and a file goes by its name',
);

export const columns: Flag<readonly string[] | null> = optionalFlag(
  list('names of columns', 'A,B'),
  {
    name: 'columns',
    variable: 'MX8_COLUMNS',
    doc: 'What a row of a Parquet or Arrow file is made of; the other columns are not read.',
  },
  'the columns that the job names; else all',
);

export const rowsPerSample: Flag<number | null> = optionalFlag(
  count('rows', { min: 1, max: ROWS_PER_SAMPLE_MAX }),
  {
    name: 'rows-per-sample',
    variable: 'MX8_ROWS_PER_SAMPLE',
    doc: 'How many rows of a Parquet or Arrow file are one sample, as columns: an Arrow IPC stream. They are of one row group, so the last of it may be fewer.',
  },
  'what the job names; else each row is a sample, as JSON',
);

export const unpackRatioMax: Flag<number> = flag(
  count('bytes', { min: 1, max: 1_000_000 }),
  {
    name: 'unpack-ratio-max',
    variable: 'MX8_UNPACK_RATIO_MAX',
    doc: 'Bytes that may come out of each byte of a compressed file while it is indexed; a file that gives more is refused as a decompression bomb.',
  },
  500,
);

export const unpackBytesMax: Flag<number> = flag(
  bytes({ min: 1 }),
  {
    name: 'unpack-bytes-max',
    variable: 'MX8_UNPACK_BYTES_MAX',
    doc: 'Bytes that may come out of one compressed file while it is indexed.',
  },
  1024 ** 4,
  '1TiB',
);

/** What commands that pin a data set take. */
/** For commands to which a row is always a sample. */
export const ROW_FORMAT_FLAGS: {
  readonly format: typeof format;
  readonly columns: typeof columns;
  readonly unpackRatioMax: typeof unpackRatioMax;
  readonly unpackBytesMax: typeof unpackBytesMax;
} = { format, columns, unpackRatioMax, unpackBytesMax };

export const FORMAT_FLAGS: typeof ROW_FORMAT_FLAGS & {
  readonly rowsPerSample: typeof rowsPerSample;
} = { ...ROW_FORMAT_FLAGS, rowsPerSample };
