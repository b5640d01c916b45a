/** The message that describes columns, at the head of a stream: flechette writes it. */
import {
  Column,
  DateUnit,
  Endianness,
  Precision,
  Table,
  TimeUnit as Unit,
  Version,
  binary,
  bool,
  date,
  duration,
  field,
  fixedSizeBinary,
  fixedSizeList,
  float,
  int,
  list,
  map,
  nullType,
  struct,
  tableToIPC,
  time,
  timestamp,
  utf8,
} from '@uwdata/flechette';
import type { DataType, Field } from '@uwdata/flechette';

import { must } from '../core/base/assert.ts';
import { fieldsOf } from '../core/format/column-data.ts';
import type { ColumnField, ColumnType, TimeUnit } from '../core/format/column-data.ts';

const UNITS = {
  s: Unit.SECOND,
  ms: Unit.MILLISECOND,
  us: Unit.MICROSECOND,
  ns: Unit.NANOSECOND,
} as const satisfies Record<TimeUnit, unknown>;
const PRECISIONS = { 16: Precision.HALF, 32: Precision.SINGLE, 64: Precision.DOUBLE } as const;
/** What ends a stream. */
const END_BYTES = 8;

/** The message of a stream's schema, with its length before it. */
export function schemaMessage(fields: readonly ColumnField[]): Uint8Array {
  const named = fields.map(flechetteField);
  const schema = {
    version: Version.V5,
    endianness: Endianness.Little,
    fields: named,
    metadata: null,
  };
  const columns = named.map(({ type }) => new Column<unknown>([], type));
  const stream = must(tableToIPC(new Table(schema, columns), {}), 'bytes go into memory');
  return stream.slice(0, stream.length - END_BYTES);
}

function flechetteField({ name, type, isNullable }: ColumnField): Field {
  return field(name, flechetteType(type), isNullable);
}

function flechetteType(type: ColumnType): DataType {
  const children = fieldsOf(type).map(flechetteField);
  const child = (): Field => must(children[0], 'a list has items');
  switch (type.kind) {
    case 'null':
      return nullType();
    case 'bool':
      return bool();
    case 'utf8':
      return utf8();
    case 'binary':
      return binary();
    case 'int':
      return int(type.bits, type.isSigned);
    case 'float':
      return float(PRECISIONS[type.bits]);
    case 'bytes':
      return fixedSizeBinary(type.width);
    case 'date':
      return date(type.unit === 'day' ? DateUnit.DAY : DateUnit.MILLISECOND);
    case 'time':
      return time(UNITS[type.unit]);
    case 'timestamp':
      return timestamp(UNITS[type.unit], type.zone);
    case 'duration':
      return duration(UNITS[type.unit]);
    case 'list':
      return list(child());
    case 'fixed_list':
      return fixedSizeList(child(), type.size);
    case 'struct':
      return struct(children);
    case 'map': {
      const [key, value] = fieldsOf(type.item.type).map(flechetteField);
      return map(must(key, 'a map has keys'), must(value, 'a map has values'));
    }
    default:
      return type satisfies never;
  }
}
