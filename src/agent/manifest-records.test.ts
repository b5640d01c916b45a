import assert from 'node:assert/strict';
import test from 'node:test';

import { type ErrorCode, Mx8Error } from '../core/base/errors.ts';
import type { ManifestHash } from '../core/base/units.ts';
import type { JobSpec } from '../core/job/protocol.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { ManifestReplica } from '../ports/manifest-replica.ts';
import { FakeClock, MemoryManifestStore, RecordingEvents, testSpec } from '../testing/index.ts';
import { MANIFEST_WAIT_MS_MAX } from './limits.ts';
import { ManifestRecords, type ManifestRecordsOptions } from './manifest-records.ts';

const SAMPLES = 10;

/** A leader that cannot give the manifest, a store that is empty, and what a test puts beside them. */
class Bench {
  readonly clock = new FakeClock();
  readonly events = new RecordingEvents();
  readonly kept = new MemoryManifestStore();
  readonly elsewhere = new MemoryManifestStore();
  readonly #over = new AbortController();
  readonly #hash: ManifestHash;
  leaderCalls = 0;
  /** What the leader says; null: it has the manifest. */
  fault: ErrorCode | null = 'manifest_missing';

  private constructor(hash: ManifestHash) {
    this.#hash = hash;
  }

  static async create(): Promise<Bench> {
    return new Bench(await new MemoryManifestStore().putFiles(SAMPLES));
  }

  get spec(): JobSpec {
    return testSpec(this.#hash, { sampleCount: SAMPLES });
  }

  /** A coordinator whose store holds a manifest of other files when `isDamaged`. */
  async replica(name: string, isDamaged = false): Promise<ManifestReplica> {
    const location = (id: number): string => (isDamaged ? `/other/${id}` : `/data/${id}.bin`);
    const reader = await this.elsewhere.open(await this.elsewhere.putFiles(SAMPLES, location));
    return {
      name,
      slice: async (_jobId, _hash, start, end) => ({
        lines: await reader.sliceBytes(start, end),
        pinnedBytes: Array.from({ length: end - start }, (_, index) => (index === 0 ? 0 : 7)),
        pinnedTags: [],
      }),
    };
  }

  records(
    replicas: readonly ManifestReplica[] | null,
    changes: Partial<ManifestRecordsOptions> = {},
  ): ManifestRecords {
    const { clock, events, kept } = this;
    const client: ManifestRecordsOptions['client'] = {
      manifestRecords: async (_jobId, hash, start, end) => {
        this.leaderCalls += 1;
        if (this.fault !== null) throw new Mx8Error(this.fault, `${this.fault} at the leader`);
        const reader = await this.elsewhere.open(hash);
        const found: SampleRecord[] = [];
        for await (const chunk of reader.records(start, end)) found.push(...chunk);
        return found;
      },
    };
    const healing = replicas === null ? null : { store: kept, replicas };
    const stallTimeoutMs = MANIFEST_WAIT_MS_MAX * 10;
    const { signal } = this.#over;
    return new ManifestRecords({
      ...{ client, clock, events, healing, stallTimeoutMs, signal, nodeId: 'n1' },
      ...changes,
    });
  }

  /** Lets what waits for the clock go on until `ended` settles. */
  async through<T>(ended: Promise<T>): Promise<T> {
    let isOver = false;
    const settled = ended.finally(() => (isOver = true));
    settled.catch(() => undefined);
    while (!isOver) {
      await new Promise(setImmediate);
      await this.clock.advance(500);
    }
    return settled;
  }

  stop(): void {
    this.#over.abort(new Mx8Error('interrupted', 'over'));
  }
}

test('a manifest that the leader lost is read from the store of this machine, and the leader is left alone', async () => {
  const bench = await Bench.create();
  await bench.kept.putFiles(SAMPLES);
  const records = bench.records([]);
  const [first] = await records.records(bench.spec, 2, 4);
  assert.deepEqual([first?.sampleId, first?.location], [2, '/data/2.bin']);
  await records.records(bench.spec, 4, 6);
  assert.equal(bench.leaderCalls, 1);
  assert.equal(bench.events.of('manifest_healed')[0]?.['from'], 'the store of this machine');
  await records.close();
  assert.equal(bench.kept.openReaders, 0);
});

test('a manifest is taken from another coordinator with the sizes of its files, and kept', async () => {
  const bench = await Bench.create();
  const records = bench.records([await bench.replica('b:1')]);
  const both = await Promise.all([
    records.records(bench.spec, 0, 2),
    records.records(bench.spec, 1, 3),
  ]);
  assert.deepEqual(
    both.map((some) => some.map(({ sampleId, pinnedBytes }) => [sampleId, pinnedBytes ?? null])),
    [
      [
        [0, null],
        [1, 7],
      ],
      [
        [1, 7],
        [2, 7],
      ],
    ],
  );
  assert.equal(bench.events.of('manifest_healed').length, 1, 'it is looked for once');
  assert(await bench.kept.has(bench.spec.manifestHash));
  await records.close();
});

test('what does not hash to its name is refused with both hashes, and the next coordinator is asked', async () => {
  const bench = await Bench.create();
  const replicas = [await bench.replica('b:1', true), await bench.replica('c:1')];
  const records = bench.records(replicas);
  const [first] = await records.records(bench.spec, 0, 1);
  assert.equal(first?.location, '/data/0.bin');
  const [refused] = bench.events.of('manifest_refused');
  assert.equal(refused?.['from'], 'b:1');
  assert.match(String(refused['message']), new RegExp(`must hash to ${bench.spec.manifestHash}`));
  assert.match(String(refused['message']), /but its bytes hash to [0-9a-f]{64}/);
  await records.close();
});

test('a manifest that nobody has is waited for, and used once it is put back', async () => {
  const bench = await Bench.create();
  const records = bench.records([]);
  const waiting = records.records(bench.spec, 0, 1);
  while (bench.events.of('manifest_wait').length < 3) {
    await new Promise(setImmediate);
    await bench.clock.advance(500);
  }
  await bench.elsewhere.putFiles(SAMPLES);
  bench.fault = null;
  const [first] = await bench.through(waiting);
  assert.equal(first?.sampleId, 0);
});

test('a manifest that stays away fails with the words of the leader, before a worker counts as stuck', async () => {
  for (const stallTimeoutMs of [MANIFEST_WAIT_MS_MAX * 10, 20_000]) {
    const bench = await Bench.create();
    const records = bench.records([], { stallTimeoutMs });
    const began = bench.clock.nowMs();
    const failed = bench.through(records.records(bench.spec, 0, 1));
    await assert.rejects(failed, /manifest_missing at the leader/);
    assert(
      bench.clock.nowMs() - began <= Math.min(MANIFEST_WAIT_MS_MAX, stallTimeoutMs / 2) + 5000,
    );
  }
});

test('without healing what the leader says of the manifest stands', async () => {
  const bench = await Bench.create();
  await bench.kept.putFiles(SAMPLES);
  const records = bench.records(null);
  await assert.rejects(records.records(bench.spec, 0, 1), { code: 'manifest_missing' });
  assert.deepEqual(bench.events.names(), []);
});

test('while no coordinator answers, a manifest on this machine is enough; others are not asked for it', async () => {
  const bench = await Bench.create();
  bench.fault = 'coordinator_unavailable';
  const replica = await bench.replica('b:1');
  const records = bench.records([replica]);
  const waiting = records.records(bench.spec, 0, 1);
  while (bench.events.of('manifest_wait').length < 2) {
    await new Promise(setImmediate);
    await bench.clock.advance(500);
  }
  await bench.kept.putFiles(SAMPLES);
  const [first] = await bench.through(waiting);
  assert.equal(first?.sampleId, 0);
  assert.equal(bench.events.of('manifest_healed')[0]?.['from'], 'the store of this machine');
});

test('waiting for a manifest ends when the agent does', async () => {
  const bench = await Bench.create();
  const records = bench.records([]);
  const waiting = records.records(bench.spec, 0, 1);
  await new Promise(setImmediate);
  bench.stop();
  await assert.rejects(waiting, { code: 'interrupted' });
});

test('what objects of a store were like is kept with a manifest from another coordinator', async () => {
  const bench = await Bench.create();
  const location = (id: number): string => `s3://bucket/${id}.bin`;
  const hash = await bench.elsewhere.putFiles(SAMPLES, location);
  const reader = await bench.elsewhere.open(hash);
  const replica: ManifestReplica = {
    name: 'b:1',
    slice: async (_jobId, _hash, start, end) => ({
      lines: await reader.sliceBytes(start, end),
      pinnedBytes: Array.from({ length: end - start }, () => 7),
      pinnedTags: Array.from({ length: end - start }, (_, index) => 100 + start + index),
    }),
  };
  const records = bench.records([replica]);
  const spec = testSpec(hash, { sampleCount: SAMPLES });
  const some = await records.records(spec, 1, 3);
  assert.deepEqual(
    some.map(({ pinnedBytes, pinnedTag }) => [pinnedBytes, pinnedTag]),
    [
      [7, 101],
      [7, 102],
    ],
  );
  await records.close();
  await reader.close();
});
