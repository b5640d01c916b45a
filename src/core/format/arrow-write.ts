/**
 * Rows of columns as an Arrow IPC stream: the schema, one record batch, and the mark that ends it. How long it
 * becomes is known before a byte is written, so that it is written where it is wanted. Its length is a multiple
 * of 8, and the same rows give the same bytes.
 */
import { countBits, widthOf } from './column-data.ts';
import type { ColumnData } from './column-data.ts';

/** The mark before a message, and its length. */
const PREFIX_BYTES = 8;
/** What ends a stream: the mark, and a length of 0. */
const END_BYTES = 8;
/** What describes a batch, but for its nodes and buffers, of 16 bytes each. */
const HEADER_BYTES = 88;
const EMPTY: Uint8Array = new Uint8Array(0);

/** What goes into the body. */
type Piece =
  | { readonly type: 'bytes'; readonly bytes: Uint8Array; readonly length: number }
  /** Bits from any one on. */
  | {
      readonly type: 'bits';
      readonly bits: Uint8Array;
      readonly from: number;
      readonly count: number;
      readonly length: number;
    }
  /** Positions, which are to begin at 0. */
  | { readonly type: 'offsets'; readonly offsets: Int32Array; readonly length: number };

export interface StreamPlan {
  /** Length of the stream. */
  readonly bytes: number;
  /** Fills `into`, which is as long as that. */
  readonly write: (into: Uint8Array) => void;
}

/** Rows [from, to) of columns of the same length. `schema` is its message, as `decode/arrow-schema.ts` makes it. */
export function planStream(
  schema: Uint8Array,
  columns: readonly ColumnData[],
  from: number,
  to: number,
): StreamPlan {
  const plan = new Body();
  for (const column of columns) plan.add(column, from, to);
  const headerBytes = HEADER_BYTES + plan.nodes.length * 8 + plan.pieces.length * 16;
  const bodyAt = schema.length + PREFIX_BYTES + headerBytes;
  const bytes = bodyAt + plan.bytes + END_BYTES;
  const write = (into: Uint8Array): void => {
    into.set(schema);
    writeHeader(into.subarray(schema.length, bodyAt), plan, to - from);
    let at = bodyAt;
    for (const piece of plan.pieces) {
      const end = at + padded(piece.length);
      into.fill(0, at + piece.length, end);
      writePiece(piece, into.subarray(at, at + piece.length));
      at = end;
    }
    into.fill(0xff, at, at + 4).fill(0, at + 4);
  };
  return { bytes, write };
}

class Body {
  /** Values and nulls of each column and child, in order. */
  readonly nodes: number[] = [];
  readonly pieces: Piece[] = [];
  bytes: number = 0;

  add(column: ColumnData, from: number, to: number): void {
    const { type, validity, values, offsets, children } = column;
    const count = to - from;
    if (type.kind === 'null') {
      this.nodes.push(count, count);
      return;
    }
    const nulls = validity === null ? 0 : count - countBits(validity, from, to);
    this.nodes.push(count, nulls);
    if (validity === null || nulls === 0) this.#bytes(EMPTY);
    else this.#bits(validity, from, count);
    if (offsets !== null) {
      const part = offsets.subarray(from, to + 1);
      this.#push({ type: 'offsets', offsets: part, length: part.length * 4 });
    }
    const each = type.kind === 'fixed_list' ? type.size : 1;
    const start = offsets === null ? from * each : (offsets[from] ?? 0);
    const end = offsets === null ? to * each : (offsets[to] ?? 0);
    if (type.kind === 'bool') {
      this.#bits(values ?? EMPTY, from, count);
    } else if (values !== null) {
      const width = offsets === null ? widthOf(type) : 1;
      this.#bytes(values.subarray(start * width, end * width));
    }
    for (const child of children) this.add(child, start, end);
  }

  #bytes(bytes: Uint8Array): void {
    this.#push({ type: 'bytes', bytes, length: bytes.length });
  }

  #bits(bits: Uint8Array, from: number, count: number): void {
    this.#push({ type: 'bits', bits, from, count, length: (count + 7) >> 3 });
  }

  #push(piece: Piece): void {
    this.pieces.push(piece);
    this.bytes += padded(piece.length);
  }
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

function writePiece(piece: Piece, into: Uint8Array): void {
  switch (piece.type) {
    case 'bytes':
      into.set(piece.bytes);
      return;
    case 'bits':
      copyBits(piece.bits, piece.from, piece.count, into);
      return;
    case 'offsets':
      copyOffsets(piece.offsets, into);
      return;
    default:
      piece satisfies never;
  }
}

/** Those behind the last are 0. */
function copyBits(bits: Uint8Array, from: number, count: number, into: Uint8Array): void {
  const shift = from & 7;
  const start = from >> 3;
  for (let index = 0; index < into.length; index += 1) {
    const low = (bits[start + index] ?? 0) >> shift;
    into[index] = low | ((bits[start + index + 1] ?? 0) << (8 - shift));
  }
  const rest = count & 7;
  if (rest > 0) into[into.length - 1] = (into[into.length - 1] ?? 0) & ((1 << rest) - 1);
}

function copyOffsets(offsets: Int32Array, into: Uint8Array): void {
  const first = offsets[0] ?? 0;
  if (first === 0) {
    into.set(new Uint8Array(offsets.buffer, offsets.byteOffset, offsets.byteLength));
  } else if (into.byteOffset % 4 === 0) {
    const target = new Int32Array(into.buffer, into.byteOffset, offsets.length);
    for (let index = 0; index < offsets.length; index += 1) {
      target[index] = (offsets[index] ?? 0) - first;
    }
  } else {
    const moved = offsets.map((offset) => offset - first);
    into.set(new Uint8Array(moved.buffer));
  }
}

/**
 * The tables of a FlatBuffer in the order of the file: of the message its version, type, header and length of
 * body, of the batch its rows, nodes and buffers. Numbers lie at multiples of their size.
 */
function writeHeader(into: Uint8Array, { nodes, pieces, bytes }: Body, rows: number): void {
  into.fill(0);
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  view.setInt32(0, -1, true);
  view.setInt32(4, into.length - PREFIX_BYTES, true);
  const at = (position: number): number => PREFIX_BYTES + position;
  view.setUint32(at(0), 16, true);
  // Which fields the message has, and where in it: a table of 24 bytes at 16.
  for (const [index, entry] of [12, 24, 4, 6, 8, 16].entries()) {
    view.setUint16(at(4 + index * 2), entry, true);
  }
  view.setInt32(at(16), 12, true);
  view.setInt16(at(20), VERSION_5, true);
  view.setUint8(at(22), TYPE_BATCH);
  view.setUint32(at(24), 56 - 24, true);
  view.setBigInt64(at(32), BigInt(bytes), true);
  // The same of the batch: a table of 20 bytes at 56.
  for (const [index, entry] of [10, 20, 8, 4, 16].entries()) {
    view.setUint16(at(40 + index * 2), entry, true);
  }
  view.setInt32(at(56), 56 - 40, true);
  view.setUint32(at(60), 76 - 60, true);
  view.setBigInt64(at(64), BigInt(rows), true);
  const buffersAt = 80 + nodes.length * 8 + 4;
  view.setUint32(at(72), buffersAt - 72, true);
  view.setUint32(at(76), nodes.length / 2, true);
  for (const [index, value] of nodes.entries()) {
    view.setBigInt64(at(80 + index * 8), BigInt(value), true);
  }
  view.setUint32(at(buffersAt), pieces.length, true);
  let start = 0;
  for (const [index, { length }] of pieces.entries()) {
    view.setBigInt64(at(buffersAt + 4 + index * 16), BigInt(start), true);
    view.setBigInt64(at(buffersAt + 4 + index * 16 + 8), BigInt(length), true);
    start += padded(length);
  }
}

const VERSION_5 = 4;
const TYPE_BATCH = 3;
