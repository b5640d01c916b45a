/** Data sets of shards through `load()` and `mx8 run`; the fixtures are made by the formats' own tools. */
import assert from 'node:assert/strict';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { crc32, gzipSync, zstdCompressSync } from 'node:zlib';

import type { FormatChoice } from '../../src/core/format/format-name.ts';
import { load } from '../../src/index.ts';
import type { LoadOptions } from '../../src/index.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import { pack } from '../../src/snapshots/index.ts';
import { rejectsWith } from '../support/manifest-store-suite.ts';
import { Workbench } from '../support/mx8-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { TemporaryFolder } from '../support/temporary-folder.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/formats/', import.meta.url));
const COLUMNS_JOB = fileURLToPath(new URL('../support/jobs/columns.job.ts', import.meta.url));
const PARQUET_JOB = fileURLToPath(new URL('../support/jobs/parquet.job.ts', import.meta.url));
const TABLES_JOB = fileURLToPath(new URL('../support/jobs/tables.job.ts', import.meta.url));
const JOB = fileURLToPath(new URL('../support/jobs/rows.job.ts', import.meta.url));

function lines(start: number, end: number): string {
  let text = '';
  for (let id = start; id < end; id += 1) {
    text += `${JSON.stringify({ id, pad: 'é'.repeat(id % 400) })}\n`;
  }
  return text;
}

/** 4,000 lines in a plain file, one of gzip, and one of zstd with four frames. */
async function writeCorpus(folder: TemporaryFolder, into = 'in'): Promise<string> {
  const frames = [2500, 2900, 3000, 3700].map((start, index, starts) =>
    zstdCompressSync(lines(start, starts[index + 1] ?? 4000)),
  );
  await folder.write({
    [`${into}/a.jsonl`]: lines(0, 1000),
    [`${into}/b.jsonl.gz`]: gzipSync(lines(1000, 2500)),
    [`${into}/c.jsonl.zst`]: Buffer.concat(frames),
  });
  return folder.join(into);
}

async function idsOf(link: string, options: LoadOptions): Promise<number[]> {
  const ids: number[] = [];
  for await (const batch of load(link, options)) {
    for (let i = 0; i < batch.sampleCount; i += 1) {
      const { id, pad } = batch.row(i) as { readonly id: number; readonly pad: string };
      assert.equal(pad.length, id % 400);
      assert.equal(id, batch.sampleIds[i]);
      ids.push(id);
    }
  }
  return ids;
}

test('load() gives each line of plain and compressed files once, in order, shuffled, and resumed', async () => {
  await using folder = await temporaryFolder();
  const link = await writeCorpus(folder);
  const options = {
    format: 'auto',
    batchSize: 60,
    maxInflightBytes: 2 ** 20,
    manifestStoreRoot: folder.join('store'),
  } as const;
  const inOrder = Array.from({ length: 4000 }, (_, id) => id);
  assert.deepEqual(await idsOf(link, options), inOrder);
  const shuffled = await idsOf(link, { ...options, shuffle: true, seed: 5, blockSize: 100 });
  assert.notDeepEqual(shuffled, inOrder);
  assert.deepEqual(
    shuffled.toSorted((a, b) => a - b),
    inOrder,
  );

  const first = load(link, { ...options, prefetchBatches: 3 });
  let taken = 0;
  for await (const batch of first) {
    taken += batch.sampleCount;
    if (taken >= 2000) break;
  }
  const rest = await idsOf(link, { ...options, resume: first.checkpoint() });
  assert.deepEqual(rest, inOrder.slice(taken));
});

test('samples of every format are packed as they are read, with their labels', async () => {
  await using folder = await temporaryFolder();
  await cp(FIXTURES, folder.join('in'), { recursive: true });
  await writeCorpus(folder, 'corpus');
  const manifestStoreRoot = folder.join('store');
  const inputs: readonly (readonly [string, FormatChoice | null, number, string])[] = [
    ['corpus', 'jsonl', 4000, 'json'],
    ['corpus', 'auto', 4000, 'json'],
    ['in/lines.jsonl.gz', null, 0, 'json'],
    ['in/pax.tar.gz', null, 40, 'tar'],
    ['in/gnu.tar.zst', 'webdataset', 40, 'tar'],
    ['in/mds', 'auto', 60, 'mds'],
    ['in/mds-zstd', 'mds', 60, 'mds'],
    ['in/table.csv', null, 0, 'csv'],
    ['in/rows.snappy.parquet', 'parquet', 0, 'json'],
    ['in/rows.zstd.arrow', 'arrow', 0, 'json'],
  ];
  for (const [index, [name, format, count, extension]] of inputs.entries()) {
    const input = folder.join(name);
    const out = folder.join(`packed-${index}`);
    const { sampleCount } = await pack(input, out, {
      labels: 'auto',
      shardBytes: 40_000,
      format,
      clock: nodeClock(),
      random: nodeRandom(),
    });
    if (count > 0) assert.equal(sampleCount, count);
    const how = format === null ? {} : { format };
    const expected = await seenIn(input, { manifestStoreRoot, ...how });
    assert.equal(expected.length, sampleCount, name);
    assert.deepEqual(await seenIn(out, { manifestStoreRoot }), expected, name);
    const shard = await readFile(`${out}/shards/shard-00000.tar`, 'latin1');
    assert.equal(shard.slice(0, shard.indexOf('\0')), `${'0'.repeat(20)}.${extension}`);
  }
});

test('columns are packed that were chosen, and what a format cannot is refused', async () => {
  await using folder = await temporaryFolder();
  await cp(FIXTURES, folder.join('in'), { recursive: true });
  const options = {
    labels: 'auto',
    shardBytes: 40_000,
    clock: nodeClock(),
    random: nodeRandom(),
  } as const;
  const rows = folder.join('in/rows.none.parquet');
  const [first] = Object.keys(
    (JSON.parse(await readFile(`${FIXTURES}rows.json`, 'utf8')) as object[])[0] ?? {},
  );
  await pack(rows, folder.join('some'), { ...options, columns: [first ?? ''] });
  const seen = await seenIn(folder.join('some'), { manifestStoreRoot: folder.join('store') });
  assert.deepEqual(Object.keys(JSON.parse(seen[0]?.bytes ?? '') as object), [first]);
  const csv = folder.join('in/table.csv');
  const columns = await rejectsWith(
    'flag_invalid',
    pack(csv, folder.join('x'), { ...options, columns: ['id'] }),
  );
  assert.match(columns.message, /leave --columns away/);
  const labels = await rejectsWith(
    'flag_invalid',
    pack(csv, folder.join('x'), { ...options, labels: 'imagefolder' }),
  );
  assert.match(labels.message, /--labels imagefolder is for folders of files/);
  await rejectsWith(
    'shard_corrupt',
    pack(csv, folder.join('x'), { ...options, format: 'parquet' }),
  );
  await folder.write({ 'large/a.jsonl.gz': gzipSync(`"${'x'.repeat(200_000)}"\n`) });
  const small = { ...options, format: 'jsonl', maxInflightBytes: 100_000 } as const;
  const large = await rejectsWith(
    'sample_too_large',
    pack(folder.join('large'), folder.join('x'), small),
  );
  assert.match(large.message, /200002 bytes.*Raise max_inflight_bytes/);
  assert.equal((await readdir(folder.path)).includes('x'), false);
});

interface Seen {
  readonly bytes: string;
  /** How whoever reads it takes it apart. */
  readonly parts: string;
  readonly labelId: number | undefined;
}

async function seenIn(link: string, options: LoadOptions): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const batch of load(link, { batchSize: 50, ...options })) {
    for (let at = 0; at < batch.sampleCount; at += 1) {
      const bytes = Buffer.from(batch.sample(at)).toString('latin1');
      const parts = [...batch.parts(at)].map(([name, part]) => `${name}:${part.length}`).join();
      seen.push({ bytes, parts, labelId: batch.labelIds[at] });
    }
  }
  return seen;
}

test('load() gives what WebDataset, MosaicML, Parquet and CSV tools wrote, by parts and rows', async () => {
  await using folder = await temporaryFolder();
  await cp(FIXTURES, folder.join('in'), { recursive: true });
  const manifestStoreRoot = folder.join('store');
  for (const name of ['pax.tar.gz', 'gnu.tar.zst']) {
    let i = 0;
    for await (const batch of load(folder.join('in', name), { batchSize: 7, manifestStoreRoot })) {
      for (let at = 0; at < batch.sampleCount; at += 1, i += 1) {
        assert.equal(batch.labelIds[at], i % 7);
        const parts = batch.parts(at);
        assert.equal(parts.get('jpg')?.length, i * 40);
        assert.equal(Buffer.from(parts.get('meta.json') ?? []).toString(), `{"i": ${i}}`);
      }
    }
    assert.equal(i, 40);
  }
  for (const name of ['mds', 'mds-zstd', 'mds-br', 'mds-snappy']) {
    let i = 0;
    const options = { format: 'mds', batchSize: 9, manifestStoreRoot } as const;
    for await (const batch of load(folder.join('in', name), options)) {
      for (let at = 0; at < batch.sampleCount; at += 1, i += 1) {
        const { raw, ...row } = batch.row(at) as Record<string, unknown>;
        assert.deepEqual(row, { id: i, text: 'é'.repeat(i % 5), score: i / 4, meta: { i } });
        assert.deepEqual(Buffer.from(raw as Uint8Array), Buffer.alloc(1 + (i % 50), i));
      }
    }
    assert.equal(i, 60);
  }
  const rows: unknown[] = [];
  const options = { maxInflightBytes: 2 ** 16, batchSize: 16, manifestStoreRoot };
  for await (const batch of load(folder.join('in', 'rows.snappy.parquet'), options)) {
    for (let at = 0; at < batch.sampleCount; at += 1) rows.push(batch.row(at));
  }
  assert.deepEqual(rows, JSON.parse(await readFile(`${FIXTURES}rows.json`, 'utf8')));
  let i = 0;
  for await (const batch of load(folder.join('in', 'table.csv'), { manifestStoreRoot })) {
    for (let at = 0; at < batch.sampleCount; at += 1, i += 1) {
      const text = 'one\r\ntwo, "three"\n'.repeat(i % 3);
      assert.deepEqual(batch.row(at), { id: String(i), 'a,b': `say "${i}"`, text });
    }
  }
  assert.equal(i, 50);
});

test('a line that is too large says which knob; one that was changed after pinning is named', async () => {
  await using folder = await temporaryFolder();
  const manifestStoreRoot = folder.join('store');
  for (const [name, pack] of [
    ['a.jsonl', (text: string) => Buffer.from(text)],
    ['b.jsonl.gz', gzipSync],
  ] as const) {
    const long = `"${'x'.repeat(300_000)}"`;
    await folder.write({ [name]: pack(`{}\n${long}\n{}\n`) });
    const options = { batchSize: 8, maxInflightBytes: 2 ** 17, manifestStoreRoot };
    const read = async (): Promise<number> => {
      let samples = 0;
      for await (const batch of load(folder.join(name), options)) samples += batch.sampleCount;
      return samples;
    };
    const error = await rejectsWith('sample_too_large', read());
    assert.match(error.message, /^Sample 1 in .* has 300002 bytes.*Raise max_inflight_bytes/);
  }
  await folder.write({ 'b.jsonl.gz': gzipSync(`[]\n${'"x"'}\n{}\n`) });
  const skipped: string[] = [];
  let seen = 0;
  for await (const batch of load(folder.join('b.jsonl.gz'), {
    manifestStoreRoot,
    onSampleError: (record, error) => {
      skipped.push(`${record.sampleId} ${error.code}: ${error.message}`);
      return 'skip';
    },
  })) {
    seen += batch.sampleCount;
  }
  assert.equal(seen, 0);
  assert.deepEqual(
    skipped.map((text) => text.split(':')[0]),
    ['0 sample_changed', '1 sample_changed', '2 sample_changed'],
  );
  assert.match(skipped[0] ?? '', /Sample 0 in .*b\.jsonl\.gz at decompressed byte 0: .*CRC-32/);
});

test('a batch may hold parts of compressed files, ranges of plain ones and whole files', async () => {
  await using folder = await temporaryFolder();
  const manifestStoreRoot = folder.join('store');
  await folder.write({ 'x.jsonl.gz': gzipSync('{"a":1}\n[2]\n'), whole: 'whole', tail: '..range' });
  await folder.write({ empty: '', gone: 'x' });
  const hint = (start: number, text: string): string =>
    `mx8:jsonl;codec=gzip;start=${start};bytes=${text.length};crc32=${crc32(text).toString(16).padStart(8, '0')}`;
  const lines = [
    `x.jsonl.gz\t0\t9\t${hint(8, '[2]')}`,
    'whole\t\t\t',
    'tail\t2\t5\t',
    'empty\t\t\t',
    `x.jsonl.gz\t0\t9\t${hint(0, '{"a":1}')}`,
    'gone\t\t\t',
    'whole\t2\t99\t',
  ];
  const text = lines.map((line, id) => `${id}\t${line}\n`).join('');
  await folder.write({ 'mixed.tsv': text });
  const codes: string[] = [];
  const samples: string[] = [];
  await using loader = load(folder.join('mixed.tsv'), {
    manifestStoreRoot,
    onSampleError: (record, error) => {
      codes.push(`${record.sampleId} ${error.code}`);
      return 'skip';
    },
  });
  await loader.open();
  await rm(folder.join('gone'));
  for await (const batch of loader) {
    for (let i = 0; i < batch.sampleCount; i += 1) {
      samples.push(Buffer.from(batch.sample(i)).toString());
    }
  }
  assert.deepEqual(samples, ['[2]', 'whole', 'range', '{"a":1}']);
  assert.deepEqual(codes, ['3 file_empty', '5 sample_missing', '6 sample_changed']);
});

test('what a job writes as Parquet is a data set of rows, and the file by itself has the same', async () => {
  await using bench = await Workbench.create();
  await using folder = await temporaryFolder();
  const data = await writeCorpus(folder);
  const out = bench.path('out');
  const run = ['run', PARQUET_JOB, '--data', data, '--out', out, '--nodes', '2', '--ram-gb', '1.5'];
  const ended = await bench.run(run);
  assert.equal(ended.code, 0, ended.stderr);
  const text = lines(0, 4000).trim().split('\n');
  const rows: unknown[] = [];
  const manifestStoreRoot = folder.join('store');
  for await (const batch of load(out, { manifestStoreRoot, batchSize: 100 })) {
    for (let at = 0; at < batch.sampleCount; at += 1) rows.push(batch.row(at));
  }
  assert.deepEqual(
    rows,
    text.map((line, id) => ({ id, text: line, vector: [id, 0.5] })),
  );
  const names = (await readdir(out)).filter((name) => name.endsWith('.parquet')).sort();
  const again: unknown[] = [];
  for (const name of names) {
    for await (const batch of load(`${out}/${name}`, { manifestStoreRoot, columns: ['id'] })) {
      for (let at = 0; at < batch.sampleCount; at += 1) again.push(batch.row(at));
    }
  }
  assert.deepEqual(
    again,
    text.map((_, id) => ({ id })),
  );
  const verified = await bench.run(['verify', out]);
  assert.equal(verified.code, 0, verified.stderr);
  await columnsOf(bench, `${out}/${names[0] ?? ''}`, text);
});

/** The same file as ranges of rows, by `load()` and by a job, which gets each of them once. */
async function columnsOf(bench: Workbench, file: string, text: readonly string[]): Promise<void> {
  const manifestStoreRoot = bench.path('columns-store');
  let at = 0;
  for await (const batch of load(file, { manifestStoreRoot, rowsPerSample: 300, batchSize: 2 })) {
    for (let index = 0; index < batch.sampleCount; index += 1) {
      const table = batch.columns(index);
      assert.deepEqual(table.names, ['id', 'text', 'vector']);
      for (let row = 0; row < table.rows; row += 1, at += 1) {
        const [id, line] = [table.column('id').at(row), table.column('text').at(row)];
        assert.deepEqual([id, line], [BigInt(at), text[at]]);
      }
      assert.ok(table.column('vector').children[0]?.values instanceof Float32Array);
      assert.throws(() => batch.row(index), /it is a range of rows; take its columns/);
    }
  }
  assert.ok(at > 0);
  const asRanges = [file, '--rows-per-sample', '300'];
  const resolved = await bench.run(['resolve', ...asRanges]);
  assert.match(resolved.stdout, /format: parquet: every 300 rows of a row group are one sample/);
  const count = /samples: ([\d,]+)/.exec(resolved.stdout)?.[1] ?? '';
  const verified = await bench.run(['verify', ...asRanges]);
  assert.match(verified.stdout, new RegExp(`verified ${count} samples?,`));
  // Packed, a row is a sample: who asks for ranges is told, and does not get rows.
  const packed = await bench.run(['pack', ...asRanges, '--out', bench.path('never')]);
  assert.equal(packed.code, 2);
  assert.match(packed.stderr, /--rows-per-sample/);
  const out = bench.path('sums');
  const run = ['run', COLUMNS_JOB, '--data', file, '--out', out, '--nodes', '1', '--ram-gb', '1.5'];
  const ended = await bench.run(run);
  assert.equal(ended.code, 0, ended.stderr);
  const sums = (await rowsIn(out)) as unknown as {
    rows: number;
    sum: number;
    stride: number;
    type: string;
  }[];
  assert.equal(
    sums.reduce((total, { rows }) => total + rows, 0),
    at,
  );
  assert.equal(
    sums.reduce((total, { sum }) => total + sum, 0),
    (at * (at - 1)) / 2,
  );
  for (const { stride, type } of sums) assert.deepEqual([stride, type], [2, 'list<float32>']);
  await tablesOf(bench, file, text.slice(0, at));
}

/** Columns out of columns, each range once although workers die in the middle; the output is a data set of columns. */
async function tablesOf(bench: Workbench, file: string, text: readonly string[]): Promise<void> {
  const out = bench.path('tables');
  const run = ['run', TABLES_JOB, '--data', file, '--out', out, '--nodes', '2', '--ram-gb', '1.5'];
  const ended = await bench.run([...run, '--block-size', '4'], { TEST_DEATHS: bench.path('') });
  assert.equal(ended.code, 0, ended.stderr);
  const died = (await readdir(bench.path(''))).filter((name) => name.startsWith('died-at-'));
  assert.equal(died.length, 2);
  const ids: bigint[] = [];
  const samples: number[] = [];
  const manifestStoreRoot = bench.path('columns-store');
  for await (const batch of load(out, { manifestStoreRoot, batchSize: 3 })) {
    for (let index = 0; index < batch.sampleCount; index += 1) {
      const table = batch.columns(index);
      assert.deepEqual(table.names, ['id', 'vector', 'half', 'odd']);
      assert.equal(table.column('vector').stride, 2);
      samples.push(table.rows);
      for (let row = 0; row < table.rows; row += 1) {
        const { id, half, odd } = table.row(row) as {
          id: bigint;
          half: number;
          odd: string | null;
        };
        ids.push(id);
        assert.deepEqual([half, odd], [Number(id) >> 1, id % 2n === 1n ? `odd ${id}` : null]);
      }
    }
  }
  assert.deepEqual(
    ids,
    text.map((_, id) => BigInt(id)),
  );
  assert.equal(samples.length, Math.ceil(text.length / 10));
  const verified = await bench.run(['verify', out]);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
}

async function rowsIn(out: string): Promise<{ sample_id: number; id: number }[]> {
  const rows: { sample_id: number; id: number }[] = [];
  for (const name of await readdir(out)) {
    if (!name.endsWith('.jsonl')) continue;
    const text = await readFile(`${out}/${name}`, 'utf8');
    for (const line of text.split('\n').filter((part) => part !== '')) {
      rows.push(JSON.parse(line) as (typeof rows)[number]);
    }
  }
  return rows.toSorted((a, b) => a.sample_id - b.sample_id);
}

test('a job gets every line once, and sets aside those that are no JSON or were damaged later', async () => {
  await using bench = await Workbench.create();
  await using folder = await temporaryFolder();
  const data = await writeCorpus(folder);
  await writeFile(`${data}/d.jsonl`, '{"id":4000}\n{"id":40\n{"id":4002}\n');
  const resolved = await bench.run(['resolve', data, '--format', 'jsonl', '--json']);
  assert.equal(resolved.code, 0, resolved.stderr);
  const { samples, format } = JSON.parse(resolved.stdout) as Record<string, unknown>;
  assert.deepEqual([samples, format], [4003, 'jsonl']);
  // The middle of the last frame but one is lost after the data were pinned.
  const path = `${data}/c.jsonl.zst`;
  const zstd = await readFile(path);
  const at = zstd.length - zstdCompressSync(lines(3700, 4000)).length - 200;
  zstd.fill(0, at, at + 100);
  await writeFile(path, zstd);
  const out = bench.path('out');
  const ended = await bench.run([
    ...['run', JOB, '--data', data, '--out', out, '--nodes', '2', '--ram-gb', '1.5'],
    ...['--on-error', 'quarantine'],
  ]);
  assert.equal(ended.code, 0, ended.stderr);
  const rows = await rowsIn(out);
  const aside = (await readFile(`${out}/_mx8/quarantine.jsonl`, 'utf8'))
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text) as { sample_id: number; code: string; message: string });
  const all = [...rows, ...aside].map((row) => row.sample_id).toSorted((a, b) => a - b);
  assert.deepEqual(
    all,
    Array.from({ length: 4003 }, (_, id) => id),
  );
  for (const { sample_id: sampleId, id } of rows) assert.equal(id, sampleId);
  const codes = new Map(aside.map(({ sample_id: id, code }) => [id, code]));
  assert.equal(codes.get(4001), 'sample_corrupt');
  codes.delete(4001);
  assert.ok(codes.size > 0 && codes.size <= 700, `${codes.size} samples of the frame are lost`);
  for (const [id, code] of codes) {
    assert.ok(id >= 3000 && id < 3700, `sample ${id}`);
    assert.equal(code, 'sample_changed');
  }
});
