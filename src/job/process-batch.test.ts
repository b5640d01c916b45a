/** How often a failing batch is tried, how the failing sample is found, and what becomes of it. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { Mx8Error } from '../core/base/errors.ts';
import { leaseId, nodeId } from '../core/base/units.ts';
import { RecordingEvents } from '../testing/index.ts';
import { EagerClock } from '../../test/support/eager-clock.ts';
import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import { LocalOutputStore } from '../storage/local-output-store.ts';
import { JobBatch } from './batch.ts';
import { defineJob } from './define-job.ts';
import { jsonl } from './jsonl-sink.ts';
import { processBatch, type OnError } from './process-batch.ts';
import { StagedPart } from './staged-part.ts';

const LEASE = leaseId({ epoch: 1, seq: 1, index: 0 });

interface Played {
  /** Each call of process() as the ids it got. */
  readonly calls: readonly string[];
  readonly rows: number;
  readonly quarantined: readonly number[];
  readonly waitedMs: number;
  readonly error: unknown;
  /** What was said of those that were set aside. */
  readonly words: readonly string[];
}

/** Runs a batch of eight; `fails(ids, call)` says whether that call throws. */
async function play(
  onError: OnError,
  fails: (ids: readonly number[], call: number) => boolean,
  retries = 2,
  says = 'no',
): Promise<Played> {
  await using folder = await temporaryFolder();
  const calls: string[] = [];
  const job = defineJob({
    batch: 8,
    retries,
    process(batch) {
      const ids = [...batch.sampleIds];
      calls.push(ids.join(' '));
      if (fails(ids, calls.length)) throw new RangeError(says);
      return ids;
    },
    output: jsonl(),
  });
  const { signal } = new AbortController();
  const clock = new EagerClock();
  const part = await StagedPart.open(
    job.output,
    { out: new LocalOutputStore(folder.path), leaseId: LEASE, nonce: 'n', signal },
    0,
  );
  const setting = {
    job,
    modulePath: '/none.ts',
    onError,
    nodeId: nodeId('n'),
    leaseId: LEASE,
    signal,
    clock,
    events: new RecordingEvents(),
  };
  let error: unknown = null;
  try {
    await processBatch(setting, eight(), part);
  } catch (thrown) {
    error = thrown;
  }
  const { rows, quarantined } = await part.finish(8);
  const staged = await readdir(folder.path, { recursive: true, withFileTypes: true });
  const texts = await Promise.all(
    staged
      .filter((entry) => entry.isFile())
      .map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8')),
  );
  const words = texts.filter((text) => text.includes('RangeError'));
  return { calls, rows, quarantined, waitedMs: clock.nowMs(), error, words };
}

function eight(): JobBatch {
  const ids = [0, 1, 2, 3, 4, 5, 6, 7];
  return new JobBatch({
    sampleIds: Float64Array.from(ids),
    payload: new Uint8Array(8),
    offsets: Float64Array.from([...ids, 8]),
    labelIds: new Int32Array(8),
    records: ids.map((sampleId) => ({
      sampleId,
      location: `/in/${sampleId}`,
      byteOffset: null,
      byteLength: null,
      decodeHint: '',
    })),
  });
}

const ALL = '0 1 2 3 4 5 6 7';

test('a batch that fails once is tried again whole', async () => {
  const played = await play('fail', (_ids, call) => call === 1);
  assert.deepEqual(played.calls, [ALL, ALL]);
  assert.equal(played.rows, 8);
  assert.equal(played.error, null);
});

test('a failing sample is found by halving and tried again with pauses before it is set aside', async () => {
  const played = await play('quarantine', (ids) => ids.includes(5));
  assert.deepEqual(played.calls, [
    ALL,
    ALL,
    '0 1 2 3',
    '4 5 6 7',
    '4 5',
    '4',
    '5',
    '5',
    '5',
    '6 7',
  ]);
  assert.equal(played.rows, 7);
  assert.deepEqual(played.quarantined, [5]);
  assert.equal(played.waitedMs, 50 + 100);
});

test('every failing sample of a batch is set aside and every other is kept', async () => {
  const played = await play('quarantine', (ids) => ids.some((id) => id % 3 === 0), 0);
  assert.deepEqual(played.quarantined, [0, 3, 6]);
  assert.equal(played.rows, 5);
});

test('with on-error fail the first sample that fails for good ends the batch with its name', async () => {
  const played = await play('fail', (ids) => ids.includes(2) || ids.includes(6), 1);
  assert(played.error instanceof Mx8Error);
  assert.equal(played.error.code, 'process_failed');
  assert.equal(played.error.message, 'sample 2 (/in/2) failed (tried 2 times): RangeError: no');
  assert(!played.calls.includes('6'), 'nothing after it is tried');
});

test('process() that is an async generator is told what to do instead', async () => {
  await using folder = await temporaryFolder();
  const { signal } = new AbortController();
  async function* rows(): AsyncGenerator<number> {
    yield 1;
  }
  const job = defineJob({
    batch: 8,
    retries: 0,
    process: (): never => rows() as never,
    output: jsonl(),
  });
  const part = await StagedPart.open(
    job.output,
    { out: new LocalOutputStore(folder.path), leaseId: LEASE, nonce: 'n', signal },
    0,
  );
  const setting = {
    ...{
      job,
      modulePath: '/none.ts',
      onError: 'fail' as const,
      nodeId: nodeId('n'),
      leaseId: LEASE,
    },
    ...{ signal, clock: new EagerClock(), events: new RecordingEvents() },
  };
  await assert.rejects(processBatch(setting, eight().slice(0, 1), part), /await Array\.fromAsync/);
  await part.finish(0);
});

test('what is kept of a failure has no signature in it', async () => {
  const says = 'http://h/x?sig=hunter2 is not there';
  const aside = await play('quarantine', (ids) => ids.includes(2), 0, says);
  assert.match(aside.words.join(), /sig=\[redacted\] is not there/);
  assert.doesNotMatch(aside.words.join(), /hunter2/);
  const failed = await play('fail', (ids) => ids.includes(2), 0, says);
  assert.doesNotMatch(String(failed.error), /hunter2/);
});
