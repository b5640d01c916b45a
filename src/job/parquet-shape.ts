/** What columns become in a Parquet file: the elements of its schema, and the leaves that pages are made of. */
import type { SchemaElement } from 'hyparquet-writer';

import { fieldsOf, typeText } from '../core/format/column-data.ts';
import type { ColumnField, ColumnType, TimeUnit } from '../core/format/column-data.ts';
import { Unfit } from './parquet-types.ts';

/** One column of values in the file. */
export interface LeafShape {
  readonly path: readonly string[];
  readonly element: SchemaElement;
  readonly type: ColumnType;
  /** Bytes of a value as it is stored; 0: each has its own length, or it is a bit. */
  readonly storedWidth: number;
  /** What a value is multiplied with: a second is a thousand milliseconds. Days are milliseconds divided. */
  readonly scale: 1 | 1000 | 'days';
  /** Of a value that is not null, and of an item of the innermost list. */
  readonly definitionMax: number;
  readonly repetitionMax: number;
}

export interface FileShape {
  /** With the root. */
  readonly schema: readonly SchemaElement[];
  /** In the order of the schema. */
  readonly leaves: readonly LeafShape[];
  readonly columns: readonly ColumnShape[];
  readonly fields: readonly ColumnField[];
}

export interface ColumnShape {
  readonly name: string;
  /** What is stored, in Arrow's words: columns of one text are written alike. */
  readonly text: string;
}

/** Throws `Unfit` for a type that no file has. */
export function shapeOf(fields: readonly ColumnField[]): FileShape {
  const schema: SchemaElement[] = [{ name: 'root', num_children: fields.length }];
  const leaves: LeafShape[] = [];
  for (const { name, type } of fields) {
    add({ schema, leaves }, name, type, { path: [], definition: 0, repetition: 0 }, 'OPTIONAL');
  }
  return { schema, leaves, columns: fields.map(columnShape), fields };
}

export function columnShape({ name, type }: ColumnField): ColumnShape {
  return { name, text: typeText(storedType(type)) };
}

/** Of a type what is left of it in the file. */
function storedType(type: ColumnType): ColumnType {
  switch (type.kind) {
    case 'date':
      return { kind: 'date', unit: 'day' };
    case 'time':
      return { ...type, unit: atLeastMs(type.unit) };
    case 'timestamp':
      return { ...type, unit: atLeastMs(type.unit), zone: type.zone === null ? null : 'UTC' };
    case 'duration':
      return { kind: 'int', bits: 64, isSigned: true };
    case 'list':
    case 'fixed_list':
      return { kind: 'list', item: { ...type.item, type: storedType(type.item.type) } };
    case 'map':
      return { ...type, item: { ...type.item, type: storedType(type.item.type) } };
    case 'struct':
      return { ...type, fields: type.fields.map((of) => ({ ...of, type: storedType(of.type) })) };
    default:
      return type;
  }
}

interface Place {
  readonly path: readonly string[];
  readonly definition: number;
  readonly repetition: number;
}

interface Into {
  readonly schema: SchemaElement[];
  readonly leaves: LeafShape[];
}

function add(
  into: Into,
  name: string,
  type: ColumnType,
  above: Place,
  repetition: 'OPTIONAL' | 'REQUIRED',
): void {
  const place = {
    path: [...above.path, name],
    definition: above.definition + (repetition === 'OPTIONAL' ? 1 : 0),
    repetition: above.repetition,
  };
  const group = { name, repetition_type: repetition } as const;
  switch (type.kind) {
    case 'list':
    case 'fixed_list': {
      into.schema.push({ ...group, converted_type: 'LIST', num_children: 1, ...LIST });
      const items = repeated(into, 'list', 1, place);
      add(into, 'element', type.item.type, items, 'OPTIONAL');
      return;
    }
    case 'map': {
      const [key, value] = fieldsOf(type.item.type);
      if (key === undefined || value === undefined) throw new Unfit('a map without keys or values');
      into.schema.push({ ...group, converted_type: 'MAP', num_children: 1, ...MAP });
      const pairs = repeated(into, 'key_value', 2, place);
      add(into, 'key', key.type, pairs, 'REQUIRED');
      add(into, 'value', value.type, pairs, 'OPTIONAL');
      return;
    }
    case 'struct':
      if (type.fields.length === 0) throw new Unfit('a struct without fields');
      into.schema.push({ ...group, num_children: type.fields.length });
      for (const field of type.fields) add(into, field.name, field.type, place, 'OPTIONAL');
      return;
    default: {
      const { scale = 1, ...stored } = storedAs(type);
      const element = { ...group, ...stored };
      into.schema.push(element);
      into.leaves.push({
        path: place.path,
        element,
        type,
        storedWidth: STORED_WIDTHS[element.type ?? ''] ?? element.type_length ?? 0,
        scale,
        definitionMax: place.definition,
        repetitionMax: place.repetition,
      });
    }
  }
}

const LIST = { logical_type: { type: 'LIST' } } as const;
const MAP = { logical_type: { type: 'MAP' } } as const;
const STORED_WIDTHS: Readonly<Record<string, number>> = { INT32: 4, INT64: 8, FLOAT: 4, DOUBLE: 8 };

/** The group of a list's items. */
function repeated({ schema }: Into, name: string, children: number, above: Place): Place {
  schema.push({ name, repetition_type: 'REPEATED', num_children: children });
  return {
    path: [...above.path, name],
    definition: above.definition + 1,
    repetition: above.repetition + 1,
  };
}

type Stored = Omit<SchemaElement, 'name' | 'scale'> & { readonly scale?: LeafShape['scale'] };

function storedAs(type: ColumnType): Stored {
  switch (type.kind) {
    case 'bool':
      return { type: 'BOOLEAN' };
    case 'utf8':
      return { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } };
    case 'binary':
      return { type: 'BYTE_ARRAY' };
    case 'bytes':
      if (type.width === 0) throw new Unfit('its values have no bytes');
      return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: type.width };
    case 'int':
      return wholeNumber(type.bits, type.isSigned);
    case 'float':
      if (type.bits === 64) return { type: 'DOUBLE' };
      if (type.bits === 32) return { type: 'FLOAT' };
      return {
        type: 'FIXED_LEN_BYTE_ARRAY',
        type_length: 2,
        logical_type: { type: 'FLOAT16' },
      };
    case 'date': {
      const date = {
        type: 'INT32',
        converted_type: 'DATE',
        logical_type: { type: 'DATE' },
      } as const;
      return { ...date, scale: type.unit === 'day' ? 1 : 'days' };
    }
    case 'time':
    case 'timestamp': {
      const unit = UNITS[atLeastMs(type.unit)];
      const isAdjustedToUTC = type.kind === 'timestamp' && type.zone !== null;
      const name = type.kind === 'time' ? 'TIME' : 'TIMESTAMP';
      // What older readers go by, where they have a word for it.
      const older =
        isAdjustedToUTC && unit !== 'NANOS' ? ({ converted_type: `${name}_${unit}` } as const) : {};
      return {
        ...older,
        type: type.kind === 'time' && unit === 'MILLIS' ? 'INT32' : 'INT64',
        logical_type: { type: name, isAdjustedToUTC, unit },
        scale: type.unit === 's' ? 1000 : 1,
      };
    }
    case 'duration':
      return { type: 'INT64' };
    default:
      throw new Unfit(
        type.kind === 'null' ? 'it has only nulls, and so no type' : `it is a ${type.kind}`,
      );
  }
}

const UNITS = { s: 'MILLIS', ms: 'MILLIS', us: 'MICROS', ns: 'NANOS' } as const;

function atLeastMs(unit: TimeUnit): TimeUnit {
  return unit === 's' ? 'ms' : unit;
}

function wholeNumber(bits: 8 | 16 | 32 | 64, isSigned: boolean): Stored {
  const type = bits === 64 ? 'INT64' : 'INT32';
  if (isSigned && bits >= 32) return { type };
  const converted = `${isSigned ? '' : 'U'}INT_${bits}` as const;
  return { type, converted_type: converted };
}
