/** Files that pyarrow wrote (test/fixtures/formats/make.py), and what becomes of them when they are damaged. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';

import { FormatError } from '../core/format/format-error.ts';
import type { ByteSource } from '../ports/byte-source.ts';
import { arrowRows } from './arrow-rows.ts';

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
      async (name, changes) => {
        const file = Buffer.from(fileOf(name));
        for (const [at, value] of changes) file[at % file.length] = value;
        try {
          const { rows } = await rowsOf(file);
          assert.ok(rows.length <= 100_000);
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error));
        }
      },
    ),
    { numRuns: 400 },
  );
});
