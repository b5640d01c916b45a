/** Files that pyarrow wrote (test/fixtures/formats/make.py), and what becomes of them when they are damaged. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';

import { planStream } from '../core/format/arrow-write.ts';
import type { ColumnData } from '../core/format/column-data.ts';
import { FormatError } from '../core/format/format-error.ts';
import type { ByteSource } from '../ports/byte-source.ts';
import { arrowRows } from './arrow-rows.ts';
import { schemaMessage } from './arrow-schema.ts';

const FIXTURES = fileURLToPath(new URL('../../test/fixtures/formats/', import.meta.url));
const NAMES = ['rows.none.arrow', 'rows.zstd.arrow', 'rows.lz4.feather', 'rows.arrows'] as const;

class MemoryBytes implements ByteSource {
  readonly #file: Uint8Array;
  readBytes = 0;

  constructor(file: Uint8Array) {
    this.#file = file;
  }

  expect(): void {
    // A file.
  }

  sizeOf(): Promise<number> {
    return Promise.resolve(this.#file.length);
  }

  read(_: string, position: number, into: Uint8Array): Promise<number> {
    const part = this.#file.subarray(position, position + into.length);
    into.set(part);
    this.readBytes += part.length;
    return Promise.resolve(part.length);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

interface Rows {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly frames: readonly number[];
  readonly readBytes: number;
}

async function rowsOf(
  file: Uint8Array,
  { from = 0, columns = null }: { from?: number; columns?: readonly string[] | null } = {},
): Promise<Rows> {
  const source = new MemoryBytes(file);
  let text = '';
  const frames: number[] = [];
  for await (const chunk of arrowRows({ source, location: '/x', columns }, from)) {
    text += Buffer.from(chunk.bytes).toString();
    if (chunk.offset === 0) frames.push(chunk.frameAt);
  }
  const lines = text.split('\n').filter((line) => line !== '');
  const rows = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { rows, frames, readBytes: source.readBytes };
}

const expected = JSON.parse(await readFile(`${FIXTURES}rows.arrow.json`, 'utf8')) as Rows['rows'];
const files = new Map<string, Buffer>();
for (const name of NAMES) files.set(name, await readFile(`${FIXTURES}${name}`));

function fileOf(name: (typeof NAMES)[number]): Buffer {
  return files.get(name) ?? Buffer.alloc(0);
}

test('files and streams, plain, zstd and LZ4, give the rows that pyarrow put in', async () => {
  for (const name of NAMES) {
    const { rows, frames } = await rowsOf(fileOf(name));
    assert.deepEqual(rows, expected, name);
    assert.equal(frames.length, 3);
  }
});

test('decoding begins at any record batch, with the dictionaries of there', async () => {
  for (const name of NAMES) {
    const whole = await rowsOf(fileOf(name));
    const last = await rowsOf(fileOf(name), { from: whole.frames[2] ?? 0 });
    assert.deepEqual(last.rows, expected.slice(40), name);
    assert.ok(last.readBytes < whole.readBytes, name);
    await assert.rejects(rowsOf(fileOf(name), { from: 7 }), /no record batch of the file starts/);
  }
});

test('columns are chosen by their names', async () => {
  const { rows } = await rowsOf(fileOf('rows.arrows'), { columns: ['kind', 'id'] });
  assert.deepEqual(
    rows,
    expected.map(({ kind, id }) => ({ kind, id })),
  );
  assert.deepEqual(Object.keys(rows[0] ?? {}), ['kind', 'id']);
  const missing = rowsOf(fileOf('rows.none.arrow'), { columns: ['nothing'] });
  await assert.rejects(missing, /no column "nothing"/);
});

test('whatever columns are chosen, they have the values that they have among all', async () => {
  const names = Object.keys(expected[0] ?? {});
  assert.ok(names.length > 10);
  const choices = [...names.map((name) => [name]), names.slice(3, 9), names.toReversed()];
  for (const file of NAMES) {
    for (const columns of choices) {
      const { rows } = await rowsOf(fileOf(file), { columns });
      const wanted = expected.map((row) =>
        Object.fromEntries(columns.map((name) => [name, row[name]])),
      );
      assert.deepEqual(rows, wanted, `${file}: ${columns.join(', ')}`);
    }
  }
});

test('of a record batch only the buffers of the chosen columns are read', async () => {
  const rows = 50_000;
  const numbers = (bits: 32 | 64): ColumnData => {
    const values = new Uint8Array((rows * bits) / 8).map((_, index) => index % 100);
    const type = { kind: 'int' as const, bits, isSigned: true };
    return {
      type,
      length: rows,
      nullCount: 0,
      validity: null,
      values,
      offsets: null,
      children: [],
    };
  };
  const columns = [numbers(64), numbers(32), numbers(64)];
  const fields = columns.map(({ type }, index) => {
    return { name: 'abc'.charAt(index), type, isNullable: true };
  });
  const plan = planStream(schemaMessage(fields), columns, 0, rows);
  const file = new Uint8Array(plan.bytes);
  plan.write(file);
  const all = await rowsOf(file);
  for (const [name, valueBytes] of [
    ['a', 8],
    ['b', 4],
    ['c', 8],
  ] as const) {
    const { rows: chosen, readBytes } = await rowsOf(file, { columns: [name] });
    assert.deepEqual(
      chosen,
      all.rows.map((row) => ({ [name]: row[name] })),
    );
    assert.ok(readBytes >= rows * valueBytes && readBytes < rows * valueBytes + 4_096, name);
  }
  const two = await rowsOf(file, { columns: ['c', 'a'] });
  assert.ok(two.readBytes < rows * 16 + 4_096, 'what lies between them is not read');
});

test('what is cut off, or no Arrow data, says so with the byte', async () => {
  const file = fileOf('rows.none.arrow');
  const footer = Buffer.from(file);
  footer.writeInt32LE(2 ** 30, footer.length - 10);
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [file.subarray(0, -1), /does not end in ARROW1, so it may be cut off/],
    [footer, /an Arrow footer of 1073741824 bytes/],
    [fileOf('rows.arrows').subarray(0, 9000), /longer than the file: it was cut off/],
    [Buffer.from('{"id": 1}\n'), /no Arrow message/],
    [new Uint8Array(0), /cut off|no Arrow data/],
  ];
  for (const [bytes, words] of cases) {
    const error: unknown = await rowsOf(bytes).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof FormatError, String(error));
    assert.match(error.message, words);
    assert.ok(error.at >= 0 && error.at <= bytes.length);
  }
});

test('files with changed bytes give rows or are refused, in no time and no more memory', async () => {
  const change = fc.tuple(fc.nat(), fc.oneof(fc.constantFrom(0, 1, 127, 128, 255), fc.nat(255)));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...NAMES),
      fc.array(change, { minLength: 1, maxLength: 6 }),
      fc.option(fc.subarray(Object.keys(expected[0] ?? {}), { minLength: 1 })),
      async (name, changes, columns) => {
        const file = Buffer.from(fileOf(name));
        for (const [at, value] of changes) file[at % file.length] = value;
        try {
          const { rows } = await rowsOf(file, { columns });
          assert.ok(rows.length <= 100_000);
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error));
        }
      },
    ),
    { numRuns: 400 },
  );
});
