/** Loaders that read leases of a job from a coordinator over gRPC. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { load } from '../../src/index.ts';
import type { Batch, LoadOptions, Loader } from '../../src/index.ts';
import { manifestHash } from '../../src/core/base/units.ts';
import type { JobSnapshot, JobSpec } from '../../src/core/job/protocol.ts';
import {
  MemoryManifestStore,
  RecordingEvents,
  startTestCoordinator,
} from '../../src/testing/index.ts';
import type { TestCoordinator } from '../../src/testing/index.ts';
import { writeLooseFiles } from '../support/data-files.ts';
import type { Sample } from '../support/data-files.ts';
import { timerCount } from '../support/leftovers.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { TemporaryFolder } from '../support/temporary-folder.ts';

const SAMPLES = 100;
let folder: TemporaryFolder;
let samples: readonly Sample[];

before(async () => {
  folder = await temporaryFolder();
  samples = writeLooseFiles(
    folder.join('data'),
    Array.from({ length: SAMPLES }, (_, index) => 1 + (index % 50)),
  );
});

after(async () => {
  await folder[Symbol.asyncDispose]();
});

const running: TestCoordinator[] = [];

afterEach(async () => {
  for (const home of running.splice(0)) await home.server.stop();
});

/** A coordinator with one job over the files, in blocks of ten. */
async function coordinator(spec: Partial<JobSpec> = {}): Promise<TestCoordinator> {
  const manifests = new MemoryManifestStore();
  const hash = await manifests.putFiles(SAMPLES, (id) => samples[id]?.record.location ?? '');
  const home = await startTestCoordinator({
    samples: SAMPLES,
    spec: { manifestHash: hash, heartbeatIntervalMs: 50, worldSize: 4, leaseTtlMs: 2_000, ...spec },
    server: { manifests },
  });
  running.push(home);
  return home;
}

function join(home: TestCoordinator, node: string, options: LoadOptions = {}): Loader {
  return load(folder.join('data'), {
    job: home.spec.jobId,
    coord: home.address,
    node,
    batchSize: 4,
    maxInflightBytes: 64 * 1024,
    progressIntervalMs: 20,
    ...options,
  });
}

function snapshot(home: TestCoordinator): Promise<JobSnapshot> {
  return home.server.client.snapshot(home.spec.jobId);
}

async function until(isTrue: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Long enough for reports of what should not be reported: they go out every 20 ms. */
function severalReports(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 150));
}

async function drainInto(ids: number[], loader: Loader, goOn?: Promise<void>): Promise<void> {
  for await (const batch of loader) {
    for (const [index, id] of batch.sampleIds.entries()) {
      assert.deepEqual(batch.sample(index), samples[id]?.bytes);
      ids.push(id);
    }
    await goOn;
  }
}

const everyId = Array.from({ length: SAMPLES }, (_, index) => index);
const ascending = (ids: readonly number[]): number[] => [...ids].sort((a, b) => a - b);

test('one loader reads the whole job and the job is drained', async () => {
  const home = await coordinator({ shuffle: true, seed: 5n });
  const timers = timerCount();
  const ids: number[] = [];
  const loader = join(home, 'n1');
  await drainInto(ids, loader);
  assert.deepEqual(ascending(ids), everyId);
  const { jobDrained, samples: counts, registeredNodes } = await snapshot(home);
  assert.equal(jobDrained, true);
  assert.equal(counts.committed, SAMPLES);
  assert.equal(registeredNodes, 0);
  assert.equal(loader.stats().inflightBytes, 0);
  assert.equal(timerCount(), timers);
});

test('a job over packed data brings their classes to whoever reads its leases', async () => {
  await folder.write({
    'set/shards/0.txt': 'meow',
    'set/_mx8/labels.tsv': 'schema_version=1\n0\tcat\n1\tsea%20lion\n',
  });
  const manifests = new MemoryManifestStore();
  const hash = await manifests.putFiles(1, () => folder.join('set/shards/0.txt'));
  const options = { samples: 1, spec: { manifestHash: hash }, server: { manifests } };
  const home = await startTestCoordinator(options);
  running.push(home);
  await using loader = join(home, 'n1');
  await loader.open();
  assert.deepEqual(loader.classes, ['cat', 'sea lion']);
});

test('where the names of the classes cannot be read samples are, and whoever asks for the names is told why', async () => {
  // A folder of that name is no file; a client that the store denies it would be told the same.
  await folder.write({ 'unnamed/shards/0.txt': 'meow', 'unnamed/_mx8/labels.tsv/x': '' });
  const manifests = new MemoryManifestStore();
  const hash = await manifests.putFiles(1, () => folder.join('unnamed/shards/0.txt'));
  const options = { samples: 1, spec: { manifestHash: hash }, server: { manifests } };
  const home = await startTestCoordinator(options);
  running.push(home);
  const events = new RecordingEvents();
  await using loader = join(home, 'n1', { events });
  const info = await loader.open();
  const own = { ownSamples: null, ownBatches: null };
  assert.deepEqual({ ...info }, { manifestHash: hash, sampleCount: 1, ...own });
  const why = {
    code: 'sample_unreadable',
    message: /Cannot read the labels \S+labels\.tsv: it is a f/,
  };
  assert.throws(() => info.classes, why);
  const read: string[] = [];
  for await (const batch of loader) read.push(Buffer.from(batch.sample(0)).toString());
  assert.deepEqual(read, ['meow']);
  assert.throws(() => loader.classes, why);
  const [told] = events.of('classes_unreadable');
  assert.equal(told?.['code'], 'sample_unreadable');
});

/** What the program is told, by us, while `body` runs. */
async function warningsOf(body: () => Promise<void>): Promise<readonly string[]> {
  const warnings: string[] = [];
  const hear = ({ name, message }: Error): void => {
    if (name === 'Mx8Warning') warnings.push(message);
  };
  process.on('warning', hear);
  await body();
  // A warning is given at the next turn.
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', hear);
  return warnings;
}

test('a loop over a job that is complete, or drained, gets no batch and is told why, once', async () => {
  const home = await coordinator({ worldSize: 1, minWorldSize: 1 });
  const events = new RecordingEvents();
  const told = (): unknown[] => events.of('job_gave_no_batch');
  const first = await warningsOf(() => drainInto([], join(home, 'n1', { events })));
  assert.deepEqual([first, told()], [[], []]);
  const after = await warningsOf(async () => {
    const loader = join(home, 'n2', { events });
    const ids: number[] = [];
    await drainInto(ids, loader);
    assert.deepEqual([ids.length, loader.stats().deliveredBatches], [0, 0]);
  });
  assert.equal(after.length, 1);
  assert.match(after[0] ?? '', /job job is complete: all of its 100 samples were read before/);
  assert.deepEqual(told(), [{ job_id: 'job', job: 'completed', samples: SAMPLES }]);

  const drained = await coordinator({ worldSize: 1, minWorldSize: 1 });
  await drained.server.client.drainJob(drained.spec.jobId);
  const [why] = await warningsOf(() => drainInto([], join(drained, 'n1', { events })));
  assert.match(why ?? '', /was to leave job job before it was given .* mx8 resume/);
});

test('two loaders share a job after the barrier; each sample goes to one of them', async () => {
  const home = await coordinator({ minWorldSize: 2, worldSize: 2 });
  const first: number[] = [];
  const second: number[] = [];
  const together = Promise.withResolvers<void>();
  const reading = drainInto(first, join(home, 'n1', { want: 2 }), together.promise);
  await until(async () => (await snapshot(home)).registeredNodes === 1);
  assert.deepEqual(first, []);
  const other = drainInto(second, join(home, 'n2'), together.promise);
  // Each holds on to its first batch until the other has one, too.
  await until(() => first.length > 0 && second.length > 0);
  together.resolve();
  await Promise.all([reading, other]);
  assert.deepEqual(ascending([...first, ...second]), everyId);
});

test('a batch holds samples of one lease only', async () => {
  const home = await coordinator();
  const sizes: number[] = [];
  for await (const batch of join(home, 'n1', { want: 3 })) sizes.push(batch.sampleCount);
  assert.deepEqual(sizes.slice(0, 6), [4, 4, 2, 4, 4, 2]);
});

test('only what the consumer has finished with is reported', async () => {
  const home = await coordinator({ blockSize: SAMPLES });
  let taken = 0;
  for await (const batch of join(home, 'n1')) {
    taken += batch.sampleCount;
    if (taken !== 40) continue;
    // Several reports go out while this batch is in hand.
    await until(async () => (await snapshot(home)).liveLeases[0]?.deliveredCursor === 36);
    await severalReports();
    assert.equal((await snapshot(home)).liveLeases[0]?.deliveredCursor, 36);
    batch.release();
    await until(async () => (await snapshot(home)).liveLeases[0]?.deliveredCursor === 40);
    break;
  }
});

test('a kept batch holds the cursor back until it is released', async () => {
  const home = await coordinator({ blockSize: SAMPLES });
  const kept: Batch[] = [];
  let taken = 0;
  for await (const batch of join(home, 'n1')) {
    taken += batch.sampleCount;
    if (taken === 8) kept.push(batch.keep());
    if (taken !== 24) continue;
    batch.release();
    await until(async () => (await snapshot(home)).liveLeases[0]?.deliveredCursor === 4);
    await severalReports();
    assert.equal((await snapshot(home)).liveLeases[0]?.deliveredCursor, 4);
    for (const one of kept) one.release();
    await until(async () => (await snapshot(home)).liveLeases[0]?.deliveredCursor === 24);
    break;
  }
});

test('breaking out gives the rest of the leases back at once: the next loader reads just that', async () => {
  const home = await coordinator({ leaseTtlMs: 60_000 });
  const finished: number[] = [];
  for await (const batch of join(home, 'n1', { want: 3 })) {
    if (finished.length === 14) break;
    finished.push(...batch.sampleIds);
  }
  const { liveLeases, registeredNodes, samples: counts } = await snapshot(home);
  assert.deepEqual([liveLeases.length, registeredNodes, counts.committed], [0, 0, 14]);
  const rest: number[] = [];
  await drainInto(rest, join(home, 'n2'));
  assert.deepEqual(ascending([...finished, ...rest]), everyId);
});

test('a consumer that throws has not finished the batch in its hands', async () => {
  const home = await coordinator({ leaseTtlMs: 60_000 });
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const batch of join(home, 'n1')) {
      if (seen.length === 8) throw new Error('training diverged');
      seen.push(...batch.sampleIds);
    }
  }, /training diverged/);
  assert.equal((await snapshot(home)).samples.committed, 8);
});

test('aborting while the barrier holds leaves at once', async () => {
  const home = await coordinator({ minWorldSize: 2, worldSize: 2 });
  const abort = new AbortController();
  const loader = join(home, 'n1', { signal: abort.signal });
  await loader.open();
  const reading = drainInto([], loader);
  assert.equal((await snapshot(home)).registeredNodes, 1);
  abort.abort(new Error('not today'));
  await assert.rejects(reading, /not today/);
  assert.equal((await snapshot(home)).registeredNodes, 0);
});

test('the heartbeat tells true bytes in flight and a true high water', async () => {
  const home = await coordinator();
  const loader = join(home, 'n1');
  for await (const _ of loader) {
    await until(async () => {
      const { stats } = (await snapshot(home)).nodes[0] ?? {};
      return stats !== undefined && stats.inflightBytes === loader.stats().inflightBytes;
    });
    const { stats, caps } = (await snapshot(home)).nodes[0] ?? {};
    assert.ok(stats !== undefined && stats.inflightBytes > 0);
    assert.ok(stats.ramHighWaterBytes > 20 * 2 ** 20);
    assert.equal(caps?.maxInflightBytes, 64 * 1024);
    break;
  }
});

test('a coordinator that restarts in the middle is found again and nothing is lost', async () => {
  let home = await coordinator();
  const ids: number[] = [];
  for await (const batch of join(home, 'n1', { want: 2 })) {
    ids.push(...batch.sampleIds);
    if (ids.length !== 24) continue;
    home = await home.restart();
    running.splice(0, 1, home);
  }
  assert.deepEqual(ascending([...new Set(ids)]), everyId);
  const { samples: counts, jobDrained } = await snapshot(home);
  assert.deepEqual([counts.committed, jobDrained], [SAMPLES, true]);
});

test('a lease that ran out is read no further; whoever has it now does the rest', async () => {
  const home = await coordinator({ leaseTtlMs: 300, blockSize: 50 });
  const events = new RecordingEvents();
  const slow: number[] = [];
  // It blocks its whole process past the TTL, as a long synchronous step does.
  for await (const batch of join(home, 'n1', { events })) {
    slow.push(...batch.sampleIds);
    if (slow.length === 8) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
  }
  assert.ok(events.names().includes('lease_deadline_passed'));
  assert.deepEqual(ascending([...new Set(slow)]), everyId);
  assert.equal((await snapshot(home)).samples.committed, SAMPLES);
});

test('samples that are skipped move the cursor: the job drains', async () => {
  const home = await coordinator();
  await folder.write({ 'data/sample-000013.bin': '' });
  const skipped: number[] = [];
  const ids: number[] = [];
  const loader = join(home, 'n1', {
    batchSize: 1,
    onSampleError: (record, error) => {
      assert.equal(error.code, 'file_empty');
      skipped.push(record.sampleId);
      return 'skip';
    },
  });
  await drainInto(ids, loader);
  await folder.write({ 'data/sample-000013.bin': samples[13]?.bytes ?? '' });
  assert.deepEqual(skipped, [13]);
  assert.deepEqual(
    ascending(ids),
    everyId.filter((id) => id !== 13),
  );
  assert.equal((await snapshot(home)).jobDrained, true);
});

test('a job that commits outputs is not for load()', async () => {
  const home = await coordinator({ commitsOutputs: true });
  await assert.rejects(() => drainInto([], join(home, 'n1')), { code: 'job_commits_outputs' });
});

test('a link that pins other data than the job is refused', async () => {
  const home = await coordinator();
  const other = manifestHash('a'.repeat(64));
  const { jobId, coord } = { jobId: home.spec.jobId, coord: home.address };
  const loader = load(`/data@sha256:${other}`, { job: jobId, coord });
  await assert.rejects(() => drainInto([], loader), {
    code: 'load_options_invalid',
    message: new RegExp(`the link pins manifest ${other}, but job job reads manifest`),
  });
});

test('a job that the coordinator does not have is job_unknown', async () => {
  const home = await coordinator();
  const loader = load('/data', { job: 'another', coord: home.address });
  await assert.rejects(() => drainInto([], loader), { code: 'job_unknown' });
});

test('a job has no checkpoint of its own: its coordinator keeps the position', async () => {
  const home = await coordinator();
  const loader = join(home, 'n1');
  assert.throws(() => loader.checkpoint(), { code: 'load_options_invalid' });
  await loader.close();
});
