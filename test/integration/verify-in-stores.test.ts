/** `mx8 verify` of every form of data set in every store: it is read again, and what differs is told. */
import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';

import type { FormatChoice } from '../../src/core/format/format-name.ts';
import { columnTable, files, jsonl, parquet, tar } from '../../src/job/index.ts';
import type { Sink } from '../../src/job/index.ts';
import type { VerifyResult } from '../../src/snapshots/index.ts';
import type { ObjectOutputs } from '../support/object-outputs.ts';
import { eachStore } from '../support/store-kinds.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { verified } from '../support/verified.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/formats/', import.meta.url));
const { onEach } = eachStore();

function fixture(name: string): Promise<Buffer> {
  return readFile(`${FIXTURES}${name}`);
}

/** In the middle. */
function zeros(shard: Buffer, bytes: number): void {
  const start = Math.floor(shard.length / 2);
  shard.fill(0, start, start + bytes);
}

interface Form {
  readonly format: FormatChoice;
  /** The one that is harmed, and others beside it. */
  readonly shard: string;
  readonly bytes: () => Promise<Uint8Array>;
  readonly beside?: readonly string[];
  /** Harm that leaves length and place alone, and is seen without an ETag, too. */
  readonly harm?: (shard: Buffer) => void;
}

/** Plain shards, compressed ones, and rows of columns. */
const FORMS: Readonly<Record<string, Form>> = {
  jsonl: {
    format: 'jsonl',
    shard: 'lines.jsonl',
    bytes: async () => gunzipSync(await fixture('lines.jsonl.gz')),
    harm: (shard) => shard.write('\n', 3),
  },
  csv: {
    format: 'csv',
    shard: 'table.csv',
    bytes: () => fixture('table.csv'),
    harm: (shard) => shard.write('\n', shard.indexOf('\n') + 2),
  },
  webdataset: {
    format: 'webdataset',
    shard: 'set.tar',
    bytes: async () => zstdDecompressSync(await fixture('gnu.tar.zst')),
    harm: (shard) => shard.write('?', shard.indexOf('ustar', shard.length / 4)),
  },
  mds: {
    format: 'mds',
    shard: 'shard.00000.mds',
    bytes: () => fixture('mds/shard.00000.mds'),
    beside: ['index.json', 'shard.00001.mds', 'shard.00002.mds'],
    harm: (shard) => shard.fill(0xee, shard.length - 200),
  },
  'jsonl.zst': {
    format: 'jsonl',
    shard: 'lines.jsonl.zst',
    bytes: () => fixture('lines.jsonl.zst'),
    harm: (shard) => zeros(shard, 20),
  },
  'tar.gz': {
    format: 'webdataset',
    shard: 'pax.tar.gz',
    bytes: () => fixture('pax.tar.gz'),
    harm: (shard) => zeros(shard, 20),
  },
  parquet: {
    format: 'parquet',
    shard: 'rows.snappy.parquet',
    bytes: () => fixture('rows.snappy.parquet'),
    harm: (shard) => shard.fill(0, 40, 200),
  },
  arrow: {
    format: 'arrow',
    shard: 'rows.arrows',
    bytes: () => fixture('rows.arrows'),
    harm: (shard) => zeros(shard, 800),
  },
};

async function put(world: ObjectOutputs, location: string, bytes: Uint8Array): Promise<void> {
  await world.place.write(location, bytes, { type: 'any' });
}

/** How many samples of the shard differ, in which way. */
function kindsOf({ differences }: VerifyResult, shard: string): Readonly<Record<string, number>> {
  const kinds: Record<string, number> = {};
  for (const { kind, location, what } of differences) {
    assert.ok(location.endsWith(shard) && what.includes(shard), what);
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}

onEach(
  'shards of every form are read again, and what is changed, cut off or gone is told',
  async (world) => {
    for (const [name, { format, shard, bytes, beside = [], harm }] of Object.entries(FORMS)) {
      await using folder = await temporaryFolder();
      const base = world.at(`forms-${name}`);
      const location = `${base}/${shard}`;
      const original = Buffer.from(await bytes());
      await put(world, location, original);
      for (const other of beside)
        await put(world, `${base}/${other}`, await fixture(`mds/${other}`));
      const look = (): Promise<VerifyResult> => verified(world, base, folder, { format });
      const whole = await look();
      assert.deepEqual([whole.differenceCount, whole.differences], [0, []], name);
      assert.ok(whole.bytes > 0 && whole.link.sampleCount > 0, name);
      const harmed = Buffer.from(original);
      harm?.(harmed);
      assert.notEqual(Buffer.compare(harmed, original), 0, name);
      await put(world, location, harmed);
      const { modified = 0, ...other } = kindsOf(await look(), shard);
      assert.ok(modified > 0, name);
      assert.deepEqual(other, {}, name);
      await put(world, location, original.subarray(0, original.length / 2));
      const cut = kindsOf(await look(), shard);
      assert.equal((cut['modified'] ?? 0) + (cut['shorter'] ?? 0), modified, name);
      await world.place.remove(location);
      assert.deepEqual(kindsOf(await look(), shard), { missing: modified }, name);
      // As of a store that has no ETags.
      await put(world, location, harmed);
      await rm(folder.join('manifests', 'stamps'), { recursive: true });
      const { content = 0, ...rest } = kindsOf(await look(), shard);
      assert.ok(content > 0 && content <= modified, `${name}: ${content} of ${modified}`);
      assert.deepEqual(rest, {}, name);
    }
  },
);

onEach(
  'outputs of every sink are read again by their manifest, and a change before they are pinned is told too',
  async (world) => {
    await using folder = await temporaryFolder();
    const text = (id: number): { readonly data: string } => ({ data: `data of ${id}`.repeat(9) });
    const cases: readonly (readonly [
      sink: Sink<never>,
      row: (id: number) => unknown,
      harm: ((part: Buffer) => void) | null,
      kinds: Readonly<Record<string, number>>,
    ])[] = [
      [tar(), text, (part) => part.write('?', 3), { header: 1 }],
      [jsonl(), (id) => ({ id, text: 'row' }), (part) => part.write('\n', 4), { content: 1 }],
      [parquet(), (id) => ({ id, text: 'row' }), (part) => part.fill(0, 4, 60), { content: 3 }],
      [
        parquet(),
        (id) => columnTable({ id: Int32Array.of(id, id), text: ['row', null] }),
        (part) => part.fill(0, 4, 60),
        { content: 3 },
      ],
      [files(), text, null, { missing: 1 }],
    ];
    for (const [sink, row, harm, kinds] of cases) {
      const out = world.output();
      const rows = [0, 1, 2].map(row);
      await world.finalize(out, [await world.stage(out, sink, [0, 1, 2], rows)]);
      const whole = await verified(world, out.location, folder);
      assert.deepEqual([whole.link.sampleCount, whole.differenceCount], [3, 0], sink.kind);
      assert.ok(whole.bytes > 0);
      const [first = ''] = await world.visible(out);
      const location = `${out.location}/${first}`;
      if (harm === null) await world.place.remove(location);
      else {
        const part = Buffer.from((await out.read(first)) ?? []);
        harm(part);
        await put(world, location, part);
      }
      const again = await verified(world, `${out.location}@refresh`, folder);
      assert.deepEqual(kindsOf(again, first), kinds, sink.kind);
    }
  },
);
