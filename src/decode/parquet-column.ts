/** One column of a row group, from its pages to memory as Arrow has it. */
import type { ColumnMemory } from './column-memory.ts';
import { packBits } from '../core/format/column-data.ts';
import type { ColumnData, ColumnType } from '../core/format/column-data.ts';
import { pagesOf } from './parquet-pages.ts';
import type { ChunkPages, DataPage, DictionaryPage } from './parquet-pages.ts';
import type { ColumnPlan, Leaf } from './parquet-schema.ts';
import { dictionaryOf, readBooleans, readFixed, readTexts } from './parquet-values.ts';
import type { FixedDictionary, Texts } from './parquet-values.ts';

/**
 * `rows` are those of the row group. What is damaged is a `RangeError`, what is not read here `OtherEncoding`. Pages are
 * given back when their values are in the column; the bytes that they were in are the caller's.
 */
export function decodeColumn(
  plan: Exclude<ColumnPlan, { type: 'other' }>,
  pages: Omit<ChunkPages, 'leaf' | 'listsMax'>,
  rows: number,
  memory: ColumnMemory,
): ColumnData {
  const { leaf } = plan;
  const isList = plan.type === 'list';
  const values = valuesFor(leaf, isList ? pages.slotsMax : rows, memory);
  const lists = isList ? new Lists(rows, plan.emptyLevel, leaf.levelMax, memory) : null;
  const dictionaries: Uint8Array[] = [];
  for (const page of pagesOf({ ...pages, leaf, listsMax: isList ? rows : 0 })) {
    if (page.type === 'dictionary') {
      values.learn(page);
      if (page.memory !== null) dictionaries.push(page.memory);
    } else {
      const { slots, present } = lists?.add(page) ?? flatSlots(page, leaf.levelMax);
      const isKept = values.add(page, slots, present);
      if (isKept) memory.keep(page.memory ?? pages.whole);
      else if (page.memory !== null) memory.giveBack(page.memory);
    }
  }
  for (const dictionary of dictionaries) memory.giveBack(dictionary);
  const column = values.finish();
  const found = lists?.rows ?? column.length;
  if (found !== rows) throw new RangeError(`a column of ${found} values for ${rows} rows`);
  return lists === null ? column : lists.finish(plan.field.type, column);
}

/** What a page brings to a column. */
interface Slots {
  readonly slots: number;
  /** A byte for each, 0 where it is null; null where none is. */
  readonly present: Uint8Array | null;
}

function flatSlots({ slots, definitions }: DataPage, levelMax: number): Slots {
  // The levels of a column that is not nested are 0 and 1.
  return { slots, present: levelMax === 0 ? null : definitions };
}

/** Where the lists of rows begin among the items. */
class Lists {
  rows: number = 0;
  readonly #offsets: Int32Array;
  readonly #present: Uint8Array;
  readonly #emptyLevel: number;
  readonly #levelMax: number;
  #items: number = 0;
  #nulls: number = 0;

  constructor(rows: number, emptyLevel: number, levelMax: number, memory: ColumnMemory) {
    this.#offsets = offsetsIn(memory, rows);
    this.#present = memory.take(rows).fill(1);
    this.#emptyLevel = emptyLevel;
    this.#levelMax = levelMax;
  }

  add({ slots, definitions, starts }: DataPage): Slots {
    const begins = starts ?? new Int32Array(0);
    if (this.rows === 0 && slots > 0 && begins[0] !== 0) {
      throw new RangeError('a list that begins nowhere');
    }
    if (this.rows + begins.length > this.#offsets.length - 1) {
      throw new RangeError('more lists than rows');
    }
    return definitions === null
      ? this.#addWhole(slots, begins)
      : this.#addLevels(slots, begins, definitions);
  }

  /** A page without anything null or empty: vectors, nearly always. */
  #addWhole(slots: number, begins: Int32Array): Slots {
    const offsets = this.#offsets;
    const { rows } = this;
    const items = this.#items;
    for (let index = 0; index < begins.length; index += 1) {
      offsets[rows + index] = items + (begins[index] as number);
    }
    this.rows = rows + begins.length;
    this.#items = items + slots;
    return { slots, present: null };
  }

  #addLevels(slots: number, begins: Int32Array, definitions: Uint8Array): Slots {
    const empty = this.#emptyLevel;
    const present = new Uint8Array(slots);
    let next = 0;
    let count = 0;
    let nullItems = 0;
    for (let slot = 0; slot < slots; slot += 1) {
      const level = definitions[slot] as number;
      if (begins[next] === slot) {
        next += 1;
        this.#begin(this.#items + count, level < empty);
      }
      if (level <= empty) continue;
      const isNull = level < this.#levelMax;
      present[count] = isNull ? 0 : 1;
      if (isNull) nullItems += 1;
      count += 1;
    }
    this.#items += count;
    return { slots: count, present: nullItems === 0 ? null : present.subarray(0, count) };
  }

  #begin(at: number, isNull: boolean): void {
    this.#offsets[this.rows] = at;
    if (isNull) {
      this.#present[this.rows] = 0;
      this.#nulls += 1;
    }
    this.rows += 1;
  }

  finish(type: ColumnType, items: ColumnData): ColumnData {
    this.#offsets[this.rows] = this.#items;
    return {
      type,
      length: this.rows,
      nullCount: this.#nulls,
      validity: this.#nulls === 0 ? null : packBits(this.#present, this.rows),
      values: null,
      offsets: this.#offsets,
      children: [items],
    };
  }
}

interface Values {
  learn(dictionary: DictionaryPage): void;
  /** Whether the column is in the memory of the page now. */
  add(page: DataPage, slots: number, present: Uint8Array | null): boolean;
  finish(): ColumnData;
}

function valuesFor(leaf: Leaf, slotsMax: number, memory: ColumnMemory): Values {
  const { kind } = leaf.type;
  if (kind === 'utf8' || kind === 'binary') return new TextValues(leaf.type, slotsMax, memory);
  return new FixedValues(leaf, slotsMax, memory);
}

/** Which values are null, a byte for each until the end; nothing as long as none is. */
class Nulls {
  readonly #slotsMax: number;
  #present: Uint8Array | null = null;
  count: number = 0;

  constructor(slotsMax: number) {
    this.#slotsMax = slotsMax;
  }

  add(present: Uint8Array, from: number): void {
    this.#present ??= new Uint8Array(this.#slotsMax).fill(1);
    this.#present.set(present, from);
    for (const one of present) if (one === 0) this.count += 1;
  }

  finish(length: number): Pick<ColumnData, 'validity' | 'nullCount'> {
    const isNeeded = this.#present !== null && this.count > 0;
    const validity = isNeeded && this.#present !== null ? packBits(this.#present, length) : null;
    return { validity, nullCount: this.count };
  }
}

/** Those of `present` that are values. */
function countValues(slots: number, present: Uint8Array | null): number {
  if (present === null) return slots;
  let count = 0;
  for (let slot = 0; slot < slots; slot += 1) count += present[slot] as number;
  return count;
}

function checkRoom(length: number, slots: number, slotsMax: number): void {
  if (length + slots > slotsMax) throw new RangeError(`more than ${slotsMax} values`);
}

/** Numbers, bytes of one width, and what is true or false. */
class FixedValues implements Values {
  readonly #leaf: Leaf;
  readonly #slotsMax: number;
  readonly #width: number;
  readonly #bytes: Uint8Array;
  readonly #nulls: Nulls;
  #dictionary: FixedDictionary | null = null;
  #length: number = 0;

  constructor(leaf: Leaf, slotsMax: number, memory: ColumnMemory) {
    this.#leaf = leaf;
    this.#slotsMax = slotsMax;
    this.#width = leaf.type.kind === 'bool' ? 1 : leaf.storedWidth;
    this.#bytes = memory.take(slotsMax * this.#width);
    this.#nulls = new Nulls(slotsMax);
  }

  learn({ values, count }: DictionaryPage): void {
    if (count * this.#width > values.length)
      throw new RangeError('a dictionary that ends too early');
    // Its numbers are read where they lie.
    const bytes = values.byteOffset % 8 === 0 ? values : values.slice();
    this.#dictionary = { bytes: bytes.subarray(0, count * this.#width), count };
  }

  add({ values, encoding }: DataPage, slots: number, present: Uint8Array | null): boolean {
    checkRoom(this.#length, slots, this.#slotsMax);
    const width = this.#width;
    const count = countValues(slots, present);
    const start = this.#length * width;
    const into = this.#bytes.subarray(start, start + count * width);
    if (this.#leaf.type.kind === 'bool') readBooleans(values, encoding, count, into);
    else readFixed(values, encoding, count, width, this.#dictionary, into);
    if (present !== null && count < slots) {
      spread(this.#bytes.subarray(start, start + slots * width), width, count, present);
      this.#nulls.add(present, this.#length);
    }
    this.#length += slots;
    return false;
  }

  finish(): ColumnData {
    const { type } = this.#leaf;
    const length = this.#length;
    const nulls = this.#nulls.finish(length);
    return { type, length, ...nulls, values: this.#packed(), offsets: null, children: [] };
  }

  #packed(): Uint8Array {
    const { type } = this.#leaf;
    const bytes = this.#bytes.subarray(0, this.#length * this.#width);
    if (type.kind === 'bool') return packBits(bytes, this.#length);
    if (type.kind !== 'int' || type.bits > 16) return bytes;
    // Arrow has numbers of 8 and 16 bits, Parquet has not.
    const numbers = new Int32Array(bytes.buffer, bytes.byteOffset, this.#length);
    if (type.bits === 8) return Uint8Array.from(numbers);
    return new Uint8Array(Uint16Array.from(numbers).buffer);
  }
}

/** Moves `count` values at the start of `bytes` to where `present` has them; the others are 0. */
function spread(bytes: Uint8Array, width: number, count: number, present: Uint8Array): void {
  let from = count;
  for (let slot = present.length - 1; slot >= 0; slot -= 1) {
    if (present[slot] === 0) {
      bytes.fill(0, slot * width, (slot + 1) * width);
    } else {
      from -= 1;
      if (from === slot) continue;
      bytes.copyWithin(slot * width, from * width, (from + 1) * width);
    }
  }
}

const TEXT_ROOM_BYTES: number = 64 * 1024;
/** A shorter text is copied faster byte by byte than by a call. */
const SHORT_TEXT_BYTES = 24;

class TextValues implements Values {
  readonly #type: ColumnType;
  readonly #slotsMax: number;
  readonly #memory: ColumnMemory;
  readonly #offsets: Int32Array;
  readonly #nulls: Nulls;
  #bytes: Uint8Array = new Uint8Array(0);
  #used: number = 0;
  #dictionary: Texts | null = null;
  #length: number = 0;

  constructor(type: ColumnType, slotsMax: number, memory: ColumnMemory) {
    this.#type = type;
    this.#slotsMax = slotsMax;
    this.#memory = memory;
    this.#offsets = offsetsIn(memory, slotsMax);
    this.#nulls = new Nulls(slotsMax);
  }

  learn({ values, count }: DictionaryPage): void {
    if (count * 4 > values.length) throw new RangeError('a dictionary that ends too early');
    this.#dictionary = dictionaryOf(values, count);
  }

  add({ values, encoding }: DataPage, slots: number, present: Uint8Array | null): boolean {
    checkRoom(this.#length, slots, this.#slotsMax);
    const count = countValues(slots, present);
    const texts = readTexts(values, encoding, count, this.#dictionary);
    const isKept = this.#append(texts);
    this.#place(texts.lengths, slots, present);
    if (present !== null && count < slots) this.#nulls.add(present, this.#length);
    this.#length += slots;
    return isKept;
  }

  finish(): ColumnData {
    const length = this.#length;
    const nulls = this.#nulls.finish(length);
    const values = this.#bytes.subarray(0, this.#used);
    const offsets = this.#offsets.subarray(0, length + 1);
    return { type: this.#type, length, ...nulls, values, offsets, children: [] };
  }

  #append({ bytes, starts, lengths, total }: Texts): boolean {
    // Nearly always the only page of its column; where not, it is copied with what comes.
    const isKept = starts === null && this.#used === 0 && total > 0;
    if (isKept) {
      this.#bytes = bytes;
    } else {
      this.#makeRoom(total);
      if (starts === null) this.#bytes.set(bytes, this.#used);
      else gather(bytes, starts, lengths, this.#bytes, this.#used);
    }
    this.#used += total;
    return isKept;
  }

  #makeRoom(bytes: number): void {
    const needed = this.#used + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = this.#memory.take(Math.max(needed, this.#used * 2, TEXT_ROOM_BYTES));
    larger.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = larger;
  }

  /** What is null has no bytes. */
  #place(lengths: Int32Array, slots: number, present: Uint8Array | null): void {
    const offsets = this.#offsets;
    const first = this.#length + 1;
    let at = offsets[this.#length] ?? 0;
    for (let slot = 0, value = 0; slot < slots; slot += 1) {
      if (present === null || present[slot] !== 0) {
        at += lengths[value] as number;
        value += 1;
      }
      offsets[first + slot] = at;
    }
  }
}

/** One more than values, the first of which is 0. */
function offsetsIn(memory: ColumnMemory, count: number): Int32Array {
  const { buffer } = memory.take((count + 1) * 4);
  return new Int32Array(buffer, 0, count + 1).fill(0, 0, 1);
}

function gather(
  bytes: Uint8Array,
  starts: Int32Array,
  lengths: Int32Array,
  into: Uint8Array,
  from: number,
): void {
  let at = from;
  for (let index = 0; index < starts.length; index += 1) {
    const start = starts[index] as number;
    const length = lengths[index] as number;
    if (length > SHORT_TEXT_BYTES) into.set(bytes.subarray(start, start + length), at);
    else
      for (let byte = 0; byte < length; byte += 1) into[at + byte] = bytes[start + byte] as number;
    at += length;
  }
}
