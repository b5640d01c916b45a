/**
 * Where the values of a leaf are, and what is null or a list around them: the levels that Parquet keeps of each. One
 * walk over a column gives the slots of all its leaves, in the order of the schema.
 */
import { bitAt } from '../core/format/column-data.ts';
import type { ColumnData } from '../core/format/column-data.ts';

export interface LeafSlots {
  /** The values of the leaf, of which `at` has positions. */
  readonly column: ColumnData;
  /** One of each slot: 0 where a row begins. */
  readonly repetitions: Uint8Array;
  readonly definitions: Uint8Array;
  /** Position of the value; -1 where it, or a list or struct around it, is null or empty. */
  readonly at: Int32Array;
}

type Slots = Omit<LeafSlots, 'column'>;

/** Rows [from, to) of a column. */
export function leafSlots(column: ColumnData, from: number, to: number): readonly LeafSlots[] {
  const count = to - from;
  const at = new Int32Array(count);
  for (let index = 0; index < count; index += 1) at[index] = from + index;
  const rows = { repetitions: new Uint8Array(count), definitions: new Uint8Array(count), at };
  const leaves: LeafSlots[] = [];
  walk(column, rows, { definition: 0, repetition: 0 }, leaves);
  return leaves;
}

/** The levels of what is there so far. */
interface Depth {
  readonly definition: number;
  readonly repetition: number;
}

function walk(column: ColumnData, slots: Slots, depth: Depth, leaves: LeafSlots[]): void {
  present(column, slots, depth.definition + 1);
  walkPresent(column, slots, { ...depth, definition: depth.definition + 1 }, leaves);
}

function walkPresent(column: ColumnData, slots: Slots, depth: Depth, leaves: LeafSlots[]): void {
  const { type, children } = column;
  switch (type.kind) {
    case 'struct':
      for (const child of children) walk(child, copyOf(slots), depth, leaves);
      return;
    case 'list':
    case 'fixed_list':
    case 'map': {
      const inner = { definition: depth.definition + 1, repetition: depth.repetition + 1 };
      const items = itemSlots(column, slots, inner);
      const [child] = children;
      if (child === undefined) throw new RangeError('a list without items');
      if (type.kind !== 'map') {
        walk(child, items, inner, leaves);
        return;
      }
      const [key, value] = child.children;
      if (key === undefined || value === undefined) throw new RangeError('a map without pairs');
      // Keys are never null, so they have no level of their own.
      walkPresent(key, copyOf(items), inner, leaves);
      walk(value, items, inner, leaves);
      return;
    }
    default:
      leaves.push({ ...slots, column });
  }
}

function copyOf({ repetitions, definitions, at }: Slots): Slots {
  return { repetitions, definitions: definitions.slice(), at: at.slice() };
}

/** In place: what is not null has this level, what is null no position. */
function present({ type, validity }: ColumnData, { definitions, at }: Slots, level: number): void {
  for (let slot = 0; slot < at.length; slot += 1) {
    const position = at[slot] as number;
    if (position === -1) continue;
    const isThere = type.kind !== 'null' && (validity === null || bitAt(validity, position));
    if (isThere) definitions[slot] = level;
    else at[slot] = -1;
  }
}

/** Of each list its items; one slot without a position where there are none. */
function itemSlots(column: ColumnData, lists: Slots, depth: Depth): Slots {
  const { type, offsets } = column;
  const size = type.kind === 'fixed_list' ? type.size : 0;
  const startOf = (position: number): number =>
    offsets === null ? position * size : (offsets[position] as number);
  let count = 0;
  for (const position of lists.at) {
    count += position === -1 ? 1 : Math.max(1, startOf(position + 1) - startOf(position));
  }
  const repetitions = new Uint8Array(count);
  const definitions = new Uint8Array(count);
  const at = new Int32Array(count).fill(-1);
  let slot = 0;
  for (const [index, position] of lists.at.entries()) {
    repetitions[slot] = lists.repetitions[index] as number;
    definitions[slot] = lists.definitions[index] as number;
    const start = position === -1 ? 0 : startOf(position);
    const items = position === -1 ? 0 : startOf(position + 1) - start;
    if (items <= 0) {
      slot += 1;
      continue;
    }
    repetitions.fill(depth.repetition, slot + 1, slot + items);
    definitions.fill(depth.definition, slot, slot + items);
    for (let item = 0; item < items; item += 1) at[slot + item] = start + item;
    slot += items;
  }
  return { repetitions, definitions, at };
}
