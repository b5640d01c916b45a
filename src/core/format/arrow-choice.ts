/**
 * Some columns of Arrow's messages: which values and buffers of a record batch are theirs, and the messages as if the
 * file had only those columns. They are the messages of the file with shorter lists in them, so whoever reads the one reads
 * the other. What is not known to be taken apart rightly is null: then all columns are read.
 */
import { must } from '../base/assert.ts';
import type { ArrowRegion } from './arrow-message.ts';
import { FlatTable } from './flat-table.ts';

/** What a field of the schema has in each record batch. */
interface FieldShare {
  readonly name: string;
  /** It and the fields in it. */
  readonly nodes: number;
  /** Without those that only a batch says the number of. */
  readonly buffers: number;
  /** Fields whose number of buffers a batch says. */
  readonly views: number;
  /** Ids of dictionaries that its values are in. */
  readonly dictionaries: readonly number[];
}

export interface ArrowChoice {
  readonly fields: readonly FieldShare[];
  /** Places of the chosen ones among them, in the order of the file. */
  readonly chosen: readonly number[];
  readonly dictionaries: ReadonlySet<number>;
}

/** Of 2020: unions have no bits for what is null since. */
const VERSION_5 = 4;
/** Places in a message, a schema, a field, a batch, as Arrow's description of them has them. */
const MESSAGE = { version: 0, header: 2, bodyBytes: 3 } as const;
const SCHEMA_FIELDS = 1;
const FIELD = { name: 0, type: 2, typeTable: 3, dictionary: 4, children: 5 } as const;
const BATCH = { nodes: 1, buffers: 2, views: 4 } as const;
const PAIR_BYTES = 16;

/** Types with two buffers: what is null, and the values. */
const PLAIN_TYPES: ReadonlySet<number> = new Set([2, 3, 6, 7, 8, 9, 10, 11, 15, 18]);
/** Of other types: how many of their own. */
const BUFFERS: Readonly<Record<number, number>> = {
  // Nothing but nulls.
  1: 0,
  // Bytes and texts, of both sizes.
  4: 3,
  5: 3,
  19: 3,
  20: 3,
  // Lists of both sizes, and maps.
  12: 2,
  17: 2,
  21: 2,
  // Structs, and lists of one length.
  13: 1,
  16: 1,
  // Runs.
  22: 0,
  // Views of bytes and texts, and of lists of both sizes.
  23: 2,
  24: 2,
  25: 3,
  26: 3,
};
const TYPE_UNION = 14;
const TYPE_VIEWS: ReadonlySet<number> = new Set([23, 24]);

/** `metadata` is that of a schema that was looked at. */
export function chooseColumns(
  metadata: Uint8Array,
  columns: readonly string[] | null,
): ArrowChoice | null {
  if (columns === null || columns.length === 0) return null;
  const message = FlatTable.root(metadata);
  const isOld = message.int16(MESSAGE.version) < VERSION_5;
  const fields: FieldShare[] = [];
  for (const field of headerOf(message).tables(SCHEMA_FIELDS)) {
    const share = shareOf(field, isOld);
    if (share === null) return null;
    fields.push(share);
  }
  const places = columns.map((name) => fields.findIndex((field) => field.name === name));
  if (places.includes(-1)) return null;
  const chosen = [...new Set(places)].toSorted((one, other) => one - other);
  const ids = chosen.flatMap((place) => must(fields[place], 'found').dictionaries);
  return { fields, chosen, dictionaries: new Set(ids) };
}

function shareOf(field: FlatTable, isOld: boolean): FieldShare | null {
  const name = field.text(FIELD.name);
  const dictionary = field.table(FIELD.dictionary);
  // Its own values are places in the dictionary, whatever those are of.
  if (dictionary !== null) {
    return { name, nodes: 1, buffers: 2, views: 0, dictionaries: [dictionary.int64(0)] };
  }
  const type = field.uint8(FIELD.type);
  const own = ownBuffers(type, field.table(FIELD.typeTable), isOld);
  if (own === null) return null;
  let [nodes, buffers, views] = [1, own, TYPE_VIEWS.has(type) ? 1 : 0];
  const dictionaries: number[] = [];
  for (const child of field.tables(FIELD.children)) {
    const share = shareOf(child, isOld);
    if (share === null) return null;
    nodes += share.nodes;
    buffers += share.buffers;
    views += share.views;
    dictionaries.push(...share.dictionaries);
  }
  return { name, nodes, buffers, views, dictionaries };
}

function ownBuffers(type: number, of: FlatTable | null, isOld: boolean): number | null {
  if (PLAIN_TYPES.has(type)) return 2;
  if (type !== TYPE_UNION) return BUFFERS[type] ?? null;
  if (isOld || of === null) return null;
  // Which child each value is of; in a dense one where in that, too.
  return of.int16(0) === 1 ? 2 : 1;
}

/** The schema of the chosen columns. */
export function chosenSchema(metadata: Uint8Array, { chosen }: ArrowChoice): Uint8Array {
  const fields = headerOf(FlatTable.root(metadata)).vector(SCHEMA_FIELDS, 4);
  const copy = metadata.slice();
  const view = new DataView(copy.buffer);
  view.setUint32(fields.start - 4, chosen.length, true);
  for (const [index, place] of chosen.entries()) {
    // A table is as far from its entry as that says. Entries only move towards the start.
    const [from, to] = [fields.start + place * 4, fields.start + index * 4];
    const distance = new DataView(metadata.buffer, metadata.byteOffset).getUint32(from, true);
    view.setUint32(to, from + distance - to, true);
  }
  return copy;
}

export interface ChosenBatch {
  /** That of a batch of the chosen columns, whose body is `ranges` next to each other. */
  readonly metadata: Uint8Array;
  /** What is read of the body; each begins at a multiple of 8. */
  readonly ranges: readonly ArrowRegion[];
  /** Where each begins in the new body, and the length of that. */
  readonly places: readonly number[];
  readonly bytes: number;
}

/** `regions` are the buffers of the batch. What lies up to `gapBytes` apart becomes one range. */
export function chosenBatch(
  metadata: Uint8Array,
  regions: readonly ArrowRegion[],
  { fields, chosen }: ArrowChoice,
  gapBytes: number,
): ChosenBatch | null {
  const message = FlatTable.root(metadata);
  const batch = headerOf(message);
  const nodes = batch.vector(BATCH.nodes, PAIR_BYTES);
  const buffers = batch.vector(BATCH.buffers, PAIR_BYTES);
  const views = batch.vector(BATCH.views, 8);
  const copy = metadata.slice();
  const kept = { node: [] as number[], buffer: [] as number[], view: [] as number[] };
  const next = { node: 0, buffer: 0, view: 0 };
  for (const [place, field] of fields.entries()) {
    let fieldBuffers = field.buffers;
    for (let index = next.view; index < next.view + field.views; index += 1) {
      if (index >= views.count) return null;
      fieldBuffers += batch.int64At(views.start + index * 8);
    }
    const isChosen = chosen.includes(place);
    if (isChosen) {
      pushRange(kept.node, next.node, field.nodes);
      pushRange(kept.buffer, next.buffer, fieldBuffers);
      pushRange(kept.view, next.view, field.views);
    }
    next.node += field.nodes;
    next.buffer += fieldBuffers;
    next.view += field.views;
    if (next.node > nodes.count || next.buffer > buffers.count) return null;
  }
  const isWhole = next.node === nodes.count && next.buffer === buffers.count;
  const bodyAt = message.position(MESSAGE.bodyBytes);
  if (!isWhole || next.view !== views.count || bodyAt === 0) return null;
  moveDown(copy, nodes.start, PAIR_BYTES, kept.node);
  moveDown(copy, buffers.start, PAIR_BYTES, kept.buffer);
  moveDown(copy, views.start, 8, kept.view);
  const wanted = kept.buffer.map((index) => must(regions[index], 'a buffer has a region'));
  const { ranges, places, bytes } = joined(wanted, gapBytes);
  const view = new DataView(copy.buffer);
  for (const [index, { start, length }] of wanted.entries()) {
    const at = length === 0 ? 0 : placeIn(ranges, places, start);
    view.setBigInt64(buffers.start + index * PAIR_BYTES, BigInt(at), true);
  }
  view.setBigInt64(bodyAt, BigInt(bytes), true);
  return { metadata: copy, ranges, places, bytes };
}

function headerOf(message: FlatTable): FlatTable {
  const header = message.table(MESSAGE.header);
  if (header !== null) return header;
  throw new RangeError('a message without a header');
}

function pushRange(list: number[], from: number, count: number): void {
  for (let index = from; index < from + count; index += 1) list.push(index);
}

/** The elements of a vector that stay, in order, and how many those are; `start` 0: there is no vector. */
function moveDown(
  bytes: Uint8Array,
  start: number,
  elementBytes: number,
  kept: readonly number[],
): void {
  if (start === 0) return;
  new DataView(bytes.buffer).setUint32(start - 4, kept.length, true);
  for (const [index, from] of kept.entries()) {
    const at = start + from * elementBytes;
    bytes.copyWithin(start + index * elementBytes, at, at + elementBytes);
  }
}

/** Ranges that have all of the regions, in the order of the file, without any byte twice. */
function joined(
  regions: readonly ArrowRegion[],
  gapBytes: number,
): Pick<ChosenBatch, 'ranges' | 'places' | 'bytes'> {
  const ranges: { start: number; length: number }[] = [];
  const sorted = regions
    .filter(({ length }) => length > 0)
    .toSorted((one, other) => one.start - other.start);
  for (const { start, length } of sorted) {
    const last = ranges.at(-1);
    const end = start + length;
    if (last !== undefined && start <= last.start + last.length + gapBytes) {
      last.length = Math.max(last.length, end - last.start);
    } else {
      const from = start - (start % 8);
      ranges.push({ start: from, length: end - from });
    }
  }
  let bytes = 0;
  const places = ranges.map(({ length }) => {
    const place = bytes;
    bytes += Math.ceil(length / 8) * 8;
    return place;
  });
  return { ranges, places, bytes };
}

function placeIn(ranges: readonly ArrowRegion[], places: readonly number[], start: number): number {
  const index = ranges.findLastIndex((range) => range.start <= start);
  const range = must(ranges[index], 'each region is in a range');
  return must(places[index], 'each range has a place') + start - range.start;
}
