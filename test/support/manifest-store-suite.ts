/** What every manifest store keeps to. Run it on each implementation. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';

import { Mx8Error } from '../../src/core/base/errors.ts';
import { manifestHash } from '../../src/core/base/units.ts';
import { encodeHeader, encodeRecords } from '../../src/core/manifest/encode.ts';
import type { SampleRecord } from '../../src/core/manifest/record.ts';
import type {
  ManifestReader,
  ManifestSpool,
  ManifestStore,
} from '../../src/ports/manifest-store.ts';

export interface ManifestStoreSuite {
  readonly name: string;
  /** Runs `body` with a store of its own. */
  withStore(body: (store: ManifestStore) => Promise<void>): Promise<void>;
}

export function manifestOf(count: number): { records: SampleRecord[]; bytes: Buffer } {
  const records = Array.from({ length: count }, (_, sampleId) => ({
    sampleId,
    location: `/data/${'é'.repeat(sampleId % 7)}/${sampleId}.bin`,
    byteOffset: sampleId % 3 === 0 ? null : sampleId * 512,
    byteLength: sampleId % 3 === 0 ? null : 1 + sampleId,
    decodeHint: sampleId % 5 === 0 ? 'mx8:vision:imagefolder;label_id=1' : '',
  }));
  return { records, bytes: Buffer.concat([encodeHeader(), encodeRecords(records)]) };
}

/** What a stamp in the round says of the size of a sample of `manifestOf`. */
function stampBytes({ sampleId, byteLength }: SampleRecord, round: number): number {
  return byteLength === null ? sampleId * round : -1;
}

export async function* inChunks(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.slice(at, at + chunkBytes);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export async function recordsOf(
  reader: ManifestReader,
  start: number,
  end: number,
): Promise<SampleRecord[]> {
  const all: SampleRecord[] = [];
  for await (const records of reader.records(start, end)) all.push(...records);
  // As columns they are the same records.
  const rows: SampleRecord[] = [];
  for await (const table of reader.tables(start, end)) rows.push(...table.records());
  assert.deepEqual(rows, all);
  return all;
}

/** Awaits a failure with this code. */
export async function rejectsWith(code: string, failing: Promise<unknown>): Promise<Mx8Error> {
  try {
    await failing;
  } catch (error) {
    assert.ok(error instanceof Mx8Error, String(error));
    assert.equal(error.code, code, error.message);
    return error;
  }
  return assert.fail(`nothing failed where ${code} was expected`);
}

export function runManifestStoreSuite(suite: ManifestStoreSuite): void {
  test(`${suite.name}: any slice reads as the same records and bytes`, () =>
    suite.withStore(async (store) => {
      const { records, bytes } = manifestOf(5000);
      const { hash, sampleCount } = await store.put(inChunks(bytes, 1000));
      assert.deepEqual({ hash, sampleCount }, { hash: sha256(bytes), sampleCount: 5000 });
      const reader = await store.open(hash);
      assert.deepEqual([reader.sampleCount, reader.manifestBytes], [5000, bytes.length]);
      const edges = [0, 1, 1023, 1024, 1025, 2048, 3000, 4096, 4999, 5000];
      for (const start of edges) {
        for (const end of edges.filter((edge) => edge >= start)) {
          const slice = records.slice(start, end);
          assert.deepEqual(await recordsOf(reader, start, end), slice, `[${start}, ${end})`);
          const found = Buffer.from(await reader.sliceBytes(start, end));
          assert.ok(found.equals(encodeRecords(slice)), `bytes of [${start}, ${end})`);
        }
      }
      const parts: Uint8Array[] = [];
      for await (const part of reader.bytes(999)) parts.push(part);
      assert.ok(Buffer.concat(parts).equals(bytes));
      await reader.close();
    }));

  test(`${suite.name}: a manifest is there after it was put, and missing before`, () =>
    suite.withStore(async (store) => {
      const { bytes } = manifestOf(3);
      const hash = manifestHash(sha256(bytes));
      assert.equal(await store.has(hash), false);
      await rejectsWith('manifest_missing', store.open(hash));
      await store.put(inChunks(bytes, 10));
      assert.equal(await store.has(hash), true);
      await store.put(inChunks(bytes, 7));
      const reader = await store.open(hash);
      assert.equal(reader.sampleCount, 3);
      await reader.close();
    }));

  test(`${suite.name}: stamps of files come back by slice, and those of the latest pinning count`, () =>
    suite.withStore(async (store) => {
      const { records, bytes } = manifestOf(2500);
      const { hash } = await store.put(inChunks(bytes, 1000));
      const bare = await store.open(hash);
      assert.equal(await bare.stamps(0, 2500), null);
      await bare.close();
      for (const round of [1, 2]) {
        await using stamps = await store.stampWriter();
        for (const { sampleId, byteLength } of records) {
          const stamp = { bytes: sampleId * round, mtimeMs: 1.7e12 + sampleId / 1024 };
          stamps.add(byteLength === null ? stamp : null);
        }
        assert.deepEqual(
          [...(stamps.read(1000, 2500)?.bytes ?? [])].slice(0, 60),
          records.slice(1000, 1060).map((record) => stampBytes(record, round)),
          'what was added can be read before it is kept',
        );
        await stamps.keep(hash);
        assert.deepEqual(
          [...(stamps.read(2490, 2500)?.bytes ?? [])],
          records.slice(2490).map((record) => stampBytes(record, round)),
        );
      }
      {
        await using thrownAway = await store.stampWriter();
        thrownAway.add({ bytes: 9, mtimeMs: 9 });
      }
      const reader = await store.open(hash);
      for (const [start, end] of [
        [0, 1],
        [1023, 1025],
        [1500, 1500],
        [900, 2500],
        [2499, 2500],
      ] as const) {
        const found = await reader.stamps(start, end);
        const ids = Array.from({ length: end - start }, (_, index) => start + index);
        const known = (id: number, value: number): number => (id % 3 === 0 ? value : -1);
        assert.deepEqual(
          [...(found?.bytes ?? [])],
          ids.map((id) => known(id, id * 2)),
          `[${start}, ${end})`,
        );
        assert.deepEqual(
          [...(found?.mtimesMs ?? [])],
          ids.map((id) => known(id, 1.7e12 + id / 1024)),
        );
      }
      const [zero, one, , three] = await recordsOf(reader, 0, 4);
      await reader.close();
      assert.deepEqual([zero, one], records.slice(0, 2), 'no size of an empty or a packed sample');
      assert.deepEqual(three, { ...records[3], pinnedBytes: 6 });
    }));

  test(`${suite.name}: what is being stored can be read as far as it has come, and when it has a name`, () =>
    suite.withStore(async (store) => {
      const { bytes } = manifestOf(500);
      const spools: ManifestSpool[] = [];
      const read = async (start: number, end: number): Promise<Buffer> =>
        Buffer.from((await spools[0]?.read(start, end)) ?? []);
      const watched = async function* (): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < bytes.length; at += 1000) {
          assert.ok(
            (await read(0, bytes.length)).equals(bytes.subarray(0, at)),
            `${at} bytes came`,
          );
          yield new Uint8Array(bytes.subarray(at, at + 1000));
        }
      };
      await store.put(watched(), (spool) => void spools.push(spool));
      assert.ok((await read(500, 3000)).equals(bytes.subarray(500, 3000)));
      await spools[0]?.close();
    }));

  test(`${suite.name}: the bytes of a manifest can be read from anywhere to anywhere`, () =>
    suite.withStore(async (store) => {
      const { bytes } = manifestOf(500);
      const reader = await store.open((await store.put(inChunks(bytes, 1000))).hash);
      for (const [start, end] of [
        [0, bytes.length],
        [0, 17],
        [333, 334],
        [4000, 4000],
      ] as const) {
        const found = Buffer.from(await reader.range(start, end));
        assert.ok(found.equals(bytes.subarray(start, end)), `[${start}, ${end})`);
      }
      await reader.close();
    }));

  test(`${suite.name}: stamps without a single known file are none`, () =>
    suite.withStore(async (store) => {
      const { hash } = await store.put(inChunks(manifestOf(3).bytes, 1000));
      await using stamps = await store.stampWriter();
      for (let id = 0; id < 3; id += 1) stamps.add(null);
      await stamps.keep(hash);
      const reader = await store.open(hash);
      assert.equal(await reader.stamps(0, 3), null);
      await reader.close();
    }));

  test(`${suite.name}: a base has no current manifest until one is set, and then the last one`, () =>
    suite.withStore(async (store) => {
      const first = await store.put(inChunks(manifestOf(3).bytes, 99));
      const second = await store.put(inChunks(manifestOf(4).bytes, 99));
      assert.equal(await store.current('/a'), null);
      for (const { hash } of [first, second]) {
        await store.withLock('/a', undefined, () => store.setCurrent('/a', hash));
        assert.equal((await store.current('/a'))?.hash, hash);
      }
      assert.equal(await store.current('/b'), null);
    }));

  test(`${suite.name}: bodies under one lock run one after the other, under two together`, () =>
    suite.withStore(async (store) => {
      let inside = 0;
      const turn = async (): Promise<void> => {
        inside += 1;
        assert.equal(inside, 1);
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
      };
      await Promise.all(Array.from({ length: 8 }, () => store.withLock('/a', undefined, turn)));
      const nested = store.withLock('/a', undefined, () =>
        store.withLock('/b', undefined, async () => 'both'),
      );
      assert.equal(await nested, 'both');
    }));

  test(`${suite.name}: a body that throws frees the lock and its error comes through`, () =>
    suite.withStore(async (store) => {
      const failing = store.withLock('/a', undefined, async () => {
        throw new Error('from the body');
      });
      await assert.rejects(failing, /from the body/);
      assert.equal(await store.withLock('/a', undefined, async () => 'free'), 'free');
    }));
}
