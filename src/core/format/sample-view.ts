/**
 * What is in the bytes of one sample, by the format that its hint names: parts with names, or a row of values.
 * Nothing is copied. A sample that is not what its hint says is `sample_corrupt` and named.
 */
import { Mx8Error } from '../base/errors.ts';
import { parseHint } from '../manifest/decode-hint.ts';
import type { SampleRecord } from '../manifest/record.ts';
import { uncodedHint } from './coded-part.ts';
import { ColumnTable } from './column-table.ts';
import { csvFields, utf8 } from './csv-fields.ts';
import { CSV_KIND } from './csv-scanner.ts';
import { FormatError } from './format-error.ts';
import { MDS_KIND, mdsColumns } from './mds-index.ts';
import type { MdsColumn } from './mds-index.ts';
import { mdsParts, mdsValue, parseJson } from './mds-row.ts';
import { tarParts } from './tar-parts.ts';
import { WEBDATASET_HINT } from './webdataset-scanner.ts';

/** Goes through samples; it remembers how the last one was to be read, as nearly all of a batch are alike. */
export class SampleViewer {
  #last: Shape | null = null;

  /**
   * Its bytes by name: the members of a WebDataset sample by their extension (`jpg`, `json`), the columns of
   * an MDS sample. A sample of one piece has one part, of the name ''.
   */
  parts(record: SampleRecord, bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
    const { kind, columns } = this.#shapeOf(record);
    return told(record, () => {
      if (kind === WEBDATASET_HINT) return tarParts(bytes);
      if (kind === MDS_KIND) return mdsParts(columns, bytes);
      return new Map([['', bytes]]);
    });
  }

  /**
   * Its values: what a JSON line says, the fields of a CSV record or the columns of an MDS sample as an object
   * by their names. Of any other sample the bytes are taken for JSON.
   */
  row(record: SampleRecord, bytes: Uint8Array): unknown {
    const { kind, columns, isTabs, isRange } = this.#shapeOf(record);
    return told(record, () => {
      if (isRange) throw new FormatError('it is a range of rows; take its columns', 0);
      if (kind === MDS_KIND) return mdsRow(columns, bytes);
      if (kind === CSV_KIND) return csvRow(columns, bytes, isTabs);
      if (kind === WEBDATASET_HINT) {
        throw new FormatError('a WebDataset sample has no row; take its parts', 0);
      }
      return parseJson(utf8(bytes));
    });
  }

  /** Its rows as columns, where it is some rows of a table; views of `bytes`. */
  columns(record: SampleRecord, bytes: Uint8Array): ColumnTable {
    const { isRange } = this.#shapeOf(record);
    return told(record, () => {
      if (isRange) return ColumnTable.read(bytes);
      throw new FormatError(
        'it has no columns: the rows of Parquet and Arrow files have them, with rowsPerSample',
        0,
      );
    });
  }

  #shapeOf({ decodeHint }: SampleRecord): Shape {
    const hint = uncodedHint(decodeHint);
    if (this.#last?.hint !== hint) this.#last = shapeOf(hint);
    return this.#last;
  }
}

function csvRow(
  columns: readonly MdsColumn[],
  bytes: Uint8Array,
  isTabs: boolean,
): Record<string, string> {
  const fields = csvFields(bytes, isTabs ? '\t' : ',');
  if (fields.length === columns.length) {
    return Object.fromEntries(columns.map(({ name }, index) => [name, fields[index] ?? '']));
  }
  const what = `it has ${fields.length} fields, and the header line ${columns.length}`;
  throw new FormatError(what, 0);
}

function mdsRow(columns: readonly MdsColumn[], bytes: Uint8Array): Record<string, unknown> {
  const parts = mdsParts(columns, bytes);
  return Object.fromEntries(
    columns.map((column) => [
      column.name,
      mdsValue(column, parts.get(column.name) ?? new Uint8Array(0)),
    ]),
  );
}

interface Shape {
  readonly hint: string;
  readonly kind: string;
  readonly columns: readonly MdsColumn[];
  readonly isTabs: boolean;
  /** Whether it is some rows as columns. */
  readonly isRange: boolean;
}

function shapeOf(hint: string): Shape {
  const parsed = hint.startsWith('mx8:') ? parseHint(hint) : null;
  return {
    hint,
    kind: parsed?.kind ?? '',
    columns: mdsColumns(parsed?.fields.get('columns') ?? ''),
    isTabs: parsed?.fields.get('delimiter') === 'tab',
    isRange: parsed?.fields.has('rows') === true,
  };
}

function told<T>(record: SampleRecord, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw corruptSample(record, error.message);
    if (!(error instanceof FormatError)) throw error;
    throw corruptSample(record, error.message, error.at);
  }
}

/** `at` counts from the start of the sample. */
export function corruptSample(record: SampleRecord, what: string, at: number = 0): Mx8Error {
  const { sampleId, location, byteOffset, decodeHint } = record;
  const isCoded = uncodedHint(decodeHint) !== decodeHint;
  const start = byteOffset ?? 0;
  const where = isCoded ? '' : ` at byte ${start + at}`;
  return new Mx8Error('sample_corrupt', `Sample ${sampleId} in ${location}${where}: ${what}.`, {
    sample_id: sampleId,
    location,
    byte_offset: isCoded ? start : start + at,
  });
}
