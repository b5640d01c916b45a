/**
 * The messages of Arrow's IPC format, and the footer that lists them in a file: what one is, and what its numbers
 * say. It is looked at before anything is decoded by it, so that no number in it is believed unseen. Damage is a
 * `RangeError`.
 */
import { FlatTable } from './flat-table.ts';
import { ARROW_FIELDS_MAX, ARROW_FIELD_DEPTH_MAX } from './limits.ts';

/** Bytes [start, start + length) of a message's body. */
export interface ArrowRegion {
  readonly start: number;
  readonly length: number;
}

export interface ArrowContent {
  readonly rows: number;
  /** Values of the longest of its columns, and of the lists in them. */
  readonly valuesMax: number;
  readonly regions: readonly ArrowRegion[];
  /** Each region then begins with the length of what it is decompressed to, -1 where it is not compressed. */
  readonly isCompressed: boolean;
}

export type ArrowMessage =
  | { readonly type: 'schema'; readonly bodyBytes: number }
  | ({
      readonly type: 'batch';
      readonly bodyBytes: number;
    } & ArrowContent)
  | ({
      readonly type: 'dictionary';
      readonly bodyBytes: number;
      readonly id: number;
      /** Adds to what there is of its id, instead of standing for it. */
      readonly isDelta: boolean;
    } & ArrowContent)
  /** Tensors and what may come. */
  | { readonly type: 'other'; readonly bodyBytes: number };

const HEADER_SCHEMA = 1;
const HEADER_DICTIONARY = 2;
const HEADER_BATCH = 3;
/** Of 2016; what is older has another layout. */
const VERSION_4 = 3;

export function parseArrowMessage(metadata: Uint8Array): ArrowMessage {
  const message = FlatTable.root(metadata);
  const version = message.int16(0);
  if (version < VERSION_4) throw new RangeError(`it is of version ${version + 1} of the format`);
  const bodyBytes = message.int64(3);
  if (bodyBytes < 0) throw new RangeError(`its body has ${bodyBytes} bytes`);
  const header = message.table(2);
  if (header === null) return { type: 'other', bodyBytes };
  switch (message.uint8(1)) {
    case HEADER_SCHEMA:
      checkSchema(header);
      return { type: 'schema', bodyBytes };
    case HEADER_BATCH:
      return { type: 'batch', bodyBytes, ...contentOf(header, bodyBytes) };
    case HEADER_DICTIONARY: {
      const data = header.table(1);
      if (data === null) throw new RangeError('a dictionary without values');
      const [id, isDelta] = [header.int64(0), header.uint8(2) !== 0];
      return { type: 'dictionary', bodyBytes, id, isDelta, ...contentOf(data, bodyBytes) };
    }
    default:
      return { type: 'other', bodyBytes };
  }
}

function contentOf(batch: FlatTable, bodyBytes: number): ArrowContent {
  const rows = batch.int64(0);
  const nodes = batch.vector(1, 16);
  let valuesMax = rows;
  for (let index = 0; index < nodes.count; index += 1) {
    const values = batch.int64At(nodes.start + index * 16);
    if (values < 0) throw new RangeError(`a column of ${values} values`);
    valuesMax = Math.max(valuesMax, values);
  }
  const buffers = batch.vector(2, 16);
  const regions = Array.from({ length: buffers.count }, (_, index) => {
    const start = batch.int64At(buffers.start + index * 16);
    const length = batch.int64At(buffers.start + index * 16 + 8);
    if (start >= 0 && length >= 0 && start + length <= bodyBytes) return { start, length };
    throw new RangeError(`a buffer of ${length} bytes at ${start} of ${bodyBytes}`);
  });
  const views = batch.vector(4, 8);
  for (let index = 0; index < views.count; index += 1) {
    const used = batch.int64At(views.start + index * 8);
    if (used < 0 || used > buffers.count) throw new RangeError(`a column of ${used} buffers`);
  }
  return { rows, valuesMax, regions, isCompressed: batch.table(3) !== null };
}

function checkSchema(schema: FlatTable): void {
  if (schema.int16(0) !== 0) throw new RangeError('its numbers are big-endian, which is not read');
  schema.vector(2, 4);
  const tally = { fields: 0 };
  for (const field of schema.tables(1)) checkField(field, tally, 1);
}

function checkField(field: FlatTable, tally: { fields: number }, depth: number): void {
  tally.fields += 1;
  if (tally.fields > ARROW_FIELDS_MAX) {
    throw new RangeError(`more than ${ARROW_FIELDS_MAX} fields`);
  }
  if (depth > ARROW_FIELD_DEPTH_MAX) {
    throw new RangeError(`fields in fields, more than ${ARROW_FIELD_DEPTH_MAX} deep`);
  }
  field.vector(0, 1);
  for (const entry of field.tables(6)) {
    entry.vector(0, 1);
    entry.vector(1, 1);
  }
  // The decoder takes the values of dictionaries out before anybody can look at their offsets.
  if (field.table(4) !== null && field.vector(5, 4).count > 0) {
    throw new RangeError('a dictionary of lists or structs, which is not read');
  }
  // Of a union, whose type has a list of numbers.
  if (field.uint8(2) === 14) field.table(3)?.vector(1, 4);
  for (const child of field.tables(5)) checkField(child, tally, depth + 1);
}

/** Where a message is in a file. */
export interface ArrowBlock {
  readonly at: number;
}

export interface ArrowFooter {
  readonly dictionaries: readonly ArrowBlock[];
  readonly batches: readonly ArrowBlock[];
}

export function parseArrowFooter(bytes: Uint8Array): ArrowFooter {
  const footer = FlatTable.root(bytes);
  const blocksOf = (slot: number): readonly ArrowBlock[] => {
    const { count, start } = footer.vector(slot, 24);
    return Array.from({ length: count }, (_, index) => ({
      at: footer.int64At(start + index * 24),
    }));
  };
  return { dictionaries: blocksOf(2), batches: blocksOf(3) };
}
