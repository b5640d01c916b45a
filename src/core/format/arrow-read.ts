/**
 * Reads an Arrow IPC stream of one record batch, as `arrow-write.ts` makes it: columns that are views of its bytes.
 * What is not there, or has another layout, is a `RangeError`.
 */
import { FlatTable } from './flat-table.ts';
import { fieldsOf, widthOf } from './column-data.ts';
import type { ColumnData, ColumnField, ColumnType, TimeUnit } from './column-data.ts';

export interface StreamColumns {
  readonly rows: number;
  readonly fields: readonly ColumnField[];
  readonly columns: readonly ColumnData[];
}

const UNITS: readonly TimeUnit[] = ['s', 'ms', 'us', 'ns'];
const FLOAT_BITS = [16, 32, 64] as const;

/** The numbers of types in Arrow's description of schemas. */
const TYPE = {
  null: 1,
  int: 2,
  float: 3,
  binary: 4,
  utf8: 5,
  bool: 6,
  date: 8,
  time: 9,
  timestamp: 10,
  list: 12,
  struct: 13,
  bytes: 15,
  fixedList: 16,
  map: 17,
  duration: 18,
} as const;

export function readStream(bytes: Uint8Array): StreamColumns {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const schemaBytes = view.getInt32(4, true);
  const schema = headerOf(bytes.subarray(8, 8 + schemaBytes));
  const fields = Array.from(schema.tables(1), readField);
  const batchAt = 8 + schemaBytes;
  const batchBytes = view.getInt32(batchAt + 4, true);
  const batch = headerOf(bytes.subarray(batchAt + 8, batchAt + 8 + batchBytes));
  const body = bytes.subarray(batchAt + 8 + batchBytes);
  const reader = new BatchReader(batch, aligned(body));
  const columns = fields.map(({ type }) => reader.column(type));
  return { rows: batch.int64(0), fields, columns };
}

/** Numbers are read where they lie, at multiples of their size. */
function aligned(body: Uint8Array): Uint8Array {
  return body.byteOffset % 8 === 0 ? body : new Uint8Array(body);
}

function headerOf(metadata: Uint8Array): FlatTable {
  const header = FlatTable.root(metadata).table(2);
  if (header === null) throw new RangeError('a message without a header');
  return header;
}

function readField(field: FlatTable): ColumnField {
  const children = Array.from(field.tables(5), readField);
  const type = readType(field.uint8(2), field.table(3), children);
  return { name: field.text(0), type, isNullable: field.uint8(1) !== 0 };
}

function readType(
  number: number,
  of: FlatTable | null,
  children: readonly ColumnField[],
): ColumnType {
  const unit = (): TimeUnit => UNITS[of?.int16(0) ?? 0] ?? 's';
  switch (number) {
    case TYPE.null:
      return { kind: 'null' };
    case TYPE.bool:
      return { kind: 'bool' };
    case TYPE.utf8:
      return { kind: 'utf8' };
    case TYPE.binary:
      return { kind: 'binary' };
    case TYPE.int:
      return { kind: 'int', bits: intBits(of?.int32(0) ?? 0), isSigned: of?.uint8(1) === 1 };
    case TYPE.float:
      return { kind: 'float', bits: FLOAT_BITS[of?.int16(0) ?? 0] ?? 64 };
    case TYPE.bytes:
      return { kind: 'bytes', width: of?.int32(0) ?? 0 };
    case TYPE.date:
      return { kind: 'date', unit: (of?.int16(0, 1) ?? 1) === 0 ? 'day' : 'ms' };
    case TYPE.time:
      return { kind: 'time', unit: UNITS[of?.int16(0, 1) ?? 1] ?? 'ms' };
    case TYPE.timestamp:
      return { kind: 'timestamp', unit: unit(), zone: of?.has(1) === true ? of.text(1) : null };
    case TYPE.duration:
      return { kind: 'duration', unit: UNITS[of?.int16(0, 1) ?? 1] ?? 'ms' };
    case TYPE.list:
      return { kind: 'list', item: first(children) };
    case TYPE.fixedList:
      return { kind: 'fixed_list', item: first(children), size: of?.int32(0) ?? 0 };
    case TYPE.map:
      return { kind: 'map', item: first(children) };
    case TYPE.struct:
      return { kind: 'struct', fields: children };
    default:
      throw new RangeError(`a column of Arrow's type ${number}`);
  }
}

function intBits(bits: number): 8 | 16 | 32 | 64 {
  if (bits === 8 || bits === 16 || bits === 32 || bits === 64) return bits;
  throw new RangeError(`whole numbers of ${bits} bits`);
}

function first(children: readonly ColumnField[]): ColumnField {
  const [item] = children;
  if (item !== undefined) return item;
  throw new RangeError('a list without items');
}

/** Takes nodes and buffers in order, as they are written. */
class BatchReader {
  readonly #batch: FlatTable;
  readonly #body: Uint8Array;
  readonly #nodesAt: number;
  readonly #nodes: number;
  readonly #buffersAt: number;
  readonly #buffers: number;
  #node: number = 0;
  #buffer: number = 0;

  constructor(batch: FlatTable, body: Uint8Array) {
    this.#batch = batch;
    this.#body = body;
    const nodes = batch.vector(1, 16);
    const buffers = batch.vector(2, 16);
    this.#nodesAt = nodes.start;
    this.#nodes = nodes.count;
    this.#buffersAt = buffers.start;
    this.#buffers = buffers.count;
  }

  column(type: ColumnType): ColumnData {
    const { length, nullCount } = this.#nextNode();
    if (type.kind === 'null') {
      return { type, length, nullCount, validity: null, values: null, offsets: null, children: [] };
    }
    const valid = this.#nextBuffer();
    const validity = valid.length === 0 ? null : valid;
    const hasOffsets = ['utf8', 'binary', 'list', 'map'].includes(type.kind);
    const offsets = hasOffsets ? this.#offsets(length) : null;
    const hasValues = type.kind === 'bool' || type.kind === 'utf8' || type.kind === 'binary';
    const values = hasValues || widthOf(type) > 0 ? this.#nextBuffer() : null;
    const children = fieldsOf(type).map((field) => this.column(field.type));
    return { type, length, nullCount, validity, values, offsets, children };
  }

  #offsets(length: number): Int32Array {
    const { buffer, byteOffset, byteLength } = this.#nextBuffer();
    if (byteLength >= (length + 1) * 4) return new Int32Array(buffer, byteOffset, length + 1);
    throw new RangeError(`${byteLength} bytes of offsets for ${length} values`);
  }

  #nextNode(): { readonly length: number; readonly nullCount: number } {
    if (this.#node >= this.#nodes) throw new RangeError('more columns than there are');
    const at = this.#nodesAt + this.#node * 16;
    this.#node += 1;
    return { length: this.#batch.int64At(at), nullCount: this.#batch.int64At(at + 8) };
  }

  #nextBuffer(): Uint8Array {
    if (this.#buffer >= this.#buffers) throw new RangeError('more buffers than there are');
    const at = this.#buffersAt + this.#buffer * 16;
    this.#buffer += 1;
    const start = this.#batch.int64At(at);
    const end = start + this.#batch.int64At(at + 8);
    if (start >= 0 && end >= start && end <= this.#body.length)
      return this.#body.subarray(start, end);
    throw new RangeError(`a buffer that ends at ${end} of ${this.#body.length}`);
  }
}
