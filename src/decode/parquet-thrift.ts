/**
 * Whether a Thrift struct, of which Parquet's footers and page headers are, can be read by hyparquet: that takes numbers
 * of any length, for which it needs the square of their bytes, and makes room for as many items as a list says.
 */
import { parquetHeader } from 'hyparquet/src/column.js';
import type { PageHeader } from 'hyparquet';

import { ByteReader } from './parquet-levels.ts';

const STOP = 0;
const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const I16 = 4;
const I32 = 5;
const I64 = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

/** Numbers have at most 64 bits, seven of which are in a byte. */
const NUMBER_BYTES_MAX = 10;
/** Those of Parquet are eight deep; what a later version adds is not ten times that. */
const DEPTH_MAX = 80;

/** Of the struct that `bytes` begin with. What is damaged is a `RangeError`. */
export function checkThrift(bytes: Uint8Array): void {
  checkStruct(new ByteReader(bytes), 0);
}

/** Of the page that begins where the reader is, which is moved behind it. */
export function readHeader(reader: ByteReader): PageHeader {
  const offset = reader.at;
  checkStruct(reader, 0);
  return parquetHeader({ view: reader.view, offset });
}

function checkStruct(reader: ByteReader, depth: number): void {
  if (depth > DEPTH_MAX) throw new RangeError(`structs more than ${DEPTH_MAX} deep`);
  for (;;) {
    const byte = reader.uint8();
    const type = byte & 0x0f;
    if (type === STOP) return;
    if (byte < 0x10) skipNumber(reader);
    if (type !== TRUE && type !== FALSE) checkValue(reader, type, depth);
  }
}

function checkValue(reader: ByteReader, type: number, depth: number): void {
  switch (type) {
    // In a list: in a struct they are in the byte of their type.
    case TRUE:
    case FALSE:
    case BYTE:
      reader.skip(1);
      return;
    case I16:
    case I32:
    case I64:
      skipNumber(reader);
      return;
    case DOUBLE:
      reader.skip(8);
      return;
    case BINARY:
      reader.skip(reader.varint());
      return;
    case LIST:
      checkList(reader, depth + 1);
      return;
    case STRUCT:
      checkStruct(reader, depth + 1);
      return;
    default:
      throw new RangeError(`a value of Thrift type ${type}`);
  }
}

function checkList(reader: ByteReader, depth: number): void {
  if (depth > DEPTH_MAX) throw new RangeError(`lists more than ${DEPTH_MAX} deep`);
  const byte = reader.uint8();
  const short = byte >> 4;
  const items = short === 15 ? reader.varint() : short;
  // None takes less than a byte.
  if (items > reader.left) throw new RangeError(`a list of ${items} in ${reader.left} bytes`);
  for (let item = 0; item < items; item += 1) checkValue(reader, byte & 0x0f, depth);
}

function skipNumber(reader: ByteReader): void {
  for (let bytes = 1; reader.uint8() >= 0x80; bytes += 1) {
    if (bytes === NUMBER_BYTES_MAX) throw new RangeError('a number without an end');
  }
}
