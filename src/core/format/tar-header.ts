/**
 * Headers of tars that anybody wrote: old ones without a mark, USTAR, PAX and GNU. Unlike `core/base/ustar`,
 * which reads what MX8 wrote. Nothing is ever extracted by what a header says.
 */
import { USTAR_BLOCK_BYTES } from '../base/ustar.ts';
import { FormatError } from './format-error.ts';

export interface TarHeader {
  readonly name: string;
  readonly size: number;
  /**
   * `file`; a `pax` or GNU `long_name` header that is about the next member, or one that says nothing of use
   * (`ignored`); or something `other`, that has no part in samples: folders and links.
   */
  readonly kind: 'file' | 'pax' | 'long_name' | 'ignored' | 'other';
}

const NAME = [0, 100] as const;
const SIZE = [124, 12] as const;
const CHECKSUM = [148, 8] as const;
const TYPE = 156;
const MAGIC = [257, 5] as const;
const PREFIX = [345, 155] as const;
const SPACE = 0x20;

const KINDS: Readonly<Record<string, TarHeader['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  x: 'pax',
  X: 'pax',
  L: 'long_name',
  K: 'ignored',
  g: 'ignored',
  '1': 'other',
  '2': 'other',
  '3': 'other',
  '4': 'other',
  '5': 'other',
  '6': 'other',
};

const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

/** Null for a block of zeros. Throws `FormatError`, with the place in `block`, for what is no header. */
export function readTarHeader(block: Uint8Array): TarHeader | null {
  let sum = 0;
  for (const byte of block) sum += byte;
  if (sum === 0) return null;
  for (let at = CHECKSUM[0]; at < CHECKSUM[0] + CHECKSUM[1]; at += 1) {
    sum += SPACE - (block[at] ?? 0);
  }
  const written = octal(block, CHECKSUM, 'checksum');
  if (written !== sum) {
    const what = `no tar header: it says checksum ${written}, but its bytes sum to ${sum}`;
    throw new FormatError(what, CHECKSUM[0]);
  }
  const type = String.fromCharCode(block[TYPE] ?? 0);
  const kind = KINDS[type];
  if (kind === undefined) {
    throw new FormatError(`a tar member of type "${type}", which is not known here`, TYPE);
  }
  const name = textIn(block, NAME);
  const isUstar = lenient.decode(part(block, MAGIC)) === 'ustar';
  // GNU keeps times where USTAR has the prefix; its mark goes on with a blank.
  const isGnu = isUstar && block[MAGIC[0] + 5] === SPACE;
  const prefix = isUstar && !isGnu ? textIn(block, PREFIX) : '';
  const size = sizeOf(block);
  return { name: prefix === '' ? name : `${prefix}/${name}`, size, kind };
}

/** Links and folders carry no data, whatever their size says. */
function sizeOf(block: Uint8Array): number {
  const type = String.fromCharCode(block[TYPE] ?? 0);
  if ('123456'.includes(type)) return 0;
  const field = part(block, SIZE);
  if (((field[0] ?? 0) & 0x80) === 0) return octal(block, SIZE, 'size');
  // GNU: a number of eleven bytes after the mark.
  let size = (field[0] ?? 0) & 0x7f;
  for (const byte of field.subarray(1)) size = size * 256 + byte;
  if (Number.isSafeInteger(size)) return size;
  throw new FormatError('a tar member with a size beyond 2^53', SIZE[0]);
}

export interface PaxFields {
  readonly path: string | null;
  readonly size: number | null;
}

/** The fields of a PAX header that matter here. Throws `FormatError`. */
export function readPax(data: Uint8Array): PaxFields {
  let path: string | null = null;
  let size: number | null = null;
  for (let at = 0; at < data.length && data[at] !== 0;) {
    const space = data.indexOf(SPACE, at);
    const length = space === -1 ? Number.NaN : Number(lenient.decode(data.subarray(at, space)));
    const end = at + length;
    if (!Number.isInteger(length) || end <= space || end > data.length) {
      throw new FormatError('a PAX header whose fields do not have the lengths they say', at);
    }
    const field = lenient.decode(data.subarray(space + 1, end - 1));
    if (field.startsWith('path=')) path = field.slice('path='.length);
    if (field.startsWith('size=')) size = Number(field.slice('size='.length));
    if (field.startsWith('GNU.sparse.')) {
      throw new FormatError('a sparse tar member, which is not read here', at);
    }
    at = end;
  }
  if (size === null || (Number.isSafeInteger(size) && size >= 0)) return { path, size };
  throw new FormatError('a PAX header with a size that is no number', 0);
}

export function textUpToNul(bytes: Uint8Array): string {
  const nul = bytes.indexOf(0);
  return lenient.decode(nul === -1 ? bytes : bytes.subarray(0, nul));
}

export function paddingOf(size: number): number {
  return (USTAR_BLOCK_BYTES - (size % USTAR_BLOCK_BYTES)) % USTAR_BLOCK_BYTES;
}

function textIn(block: Uint8Array, field: readonly [number, number]): string {
  return textUpToNul(part(block, field));
}

function part(block: Uint8Array, [at, bytes]: readonly [number, number]): Uint8Array {
  return block.subarray(at, at + bytes);
}

function octal(block: Uint8Array, field: readonly [number, number], name: string): number {
  const text = String.fromCharCode(...part(block, field));
  const match = /^[ \0]*([0-7]+)[\0 ]*/.exec(text);
  if (match !== null) return Number.parseInt(match[1] ?? '', 8);
  // Some write nothing for a size of nothing.
  if (name === 'size' && /^[\0 ]*$/.test(text)) return 0;
  throw new FormatError(`no tar header: its ${name} is no number`, field[0]);
}
