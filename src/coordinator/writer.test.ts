import assert from 'node:assert/strict';
import test from 'node:test';
import type { Mx8Error } from '../core/base/errors.ts';
import { jobId, manifestHash, nodeId } from '../core/base/units.ts';
import { IDLE_STATS } from '../core/job/job-state.ts';
import type { Command, Reply } from '../core/job/protocol.ts';
import { MemoryLog, MemoryLogDisk } from '../log/memory-log.ts';
import type { AppendResult } from '../ports/log-store.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { RecordingEvents } from '../testing/recording-events.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { Writer } from './writer.ts';

const JOB = jobId('job');
const TTL_MS = 1000;
const NODE = { jobId: JOB, nodeId: nodeId('n1'), instanceId: 'process-1' };
const CREATE: Command = {
  type: 'create_job',
  spec: {
    jobId: JOB,
    manifestHash: manifestHash('00'.repeat(32)),
    sampleCount: 10,
    blockSize: 5,
    worldSize: 1,
    minWorldSize: 1,
    shuffle: false,
    seed: 0n,
    epoch: 0,
    leaseTtlMs: TTL_MS,
    heartbeatIntervalMs: 100,
    commitsOutputs: false,
    adoptsFirstJobId: false,
  },
};
const REGISTER: Command = {
  type: 'register',
  ...NODE,
  caps: { maxFetchConcurrency: 1, maxDecodeConcurrency: 1, maxInflightBytes: 1, maxRamBytes: 1 },
  resumeFrom: new Uint8Array(0),
};
const LEASE: Command = { type: 'request_lease', ...NODE, want: 1, held: [] };

/** A log whose appends wait, or end, as the test says. */
class GatedLog extends MemoryLog {
  gate: PromiseWithResolvers<void> | null = null;
  failure: Error | null = null;
  appends = 0;

  override async append(
    seq: number,
    epoch: number,
    payload: Uint8Array,
    nonce: string,
  ): Promise<AppendResult> {
    this.appends += 1;
    await this.gate?.promise;
    if (this.failure !== null) throw this.failure;
    return super.append(seq, epoch, payload, nonce);
  }
}

interface Bed {
  readonly log: GatedLog;
  readonly clock: FakeClock;
  readonly writer: Writer;
  readonly fatal: Mx8Error[];
}

async function started(disk: MemoryLogDisk = new MemoryLogDisk()): Promise<Bed> {
  const log = new GatedLog(disk);
  const clock = new FakeClock();
  const fatal: Mx8Error[] = [];
  const writer = new Writer({
    log,
    clock,
    random: seededRandom(disk.epoch + 1),
    events: new RecordingEvents(),
    tickIntervalMs: 100,
    onFatal: (error) => fatal.push(error),
  });
  await writer.start();
  return { log, clock, writer, fatal };
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function prepared(): Promise<Bed> {
  const bed = await started();
  await bed.writer.submit(CREATE);
  await bed.writer.submit(REGISTER);
  return bed;
}

test('an answer is sent only after what it was decided on is durable', async () => {
  const { log, writer } = await prepared();
  log.gate = Promise.withResolvers<void>();
  const answers: Reply[] = [];
  const lease = writer.submit(LEASE).then((reply) => answers.push(reply));
  await turns(5);
  const read = writer
    .submit({ type: 'get_snapshot', jobId: JOB })
    .then((reply) => answers.push(reply));
  await turns(5);
  assert.equal(answers.length, 0, 'neither the grant nor a read of it is out before the append');
  log.gate.resolve();
  await Promise.all([lease, read]);
  assert.deepEqual(
    answers.map((reply) => reply.type),
    ['leases', 'snapshot'],
  );
  await writer.stop();
});

test('commands that arrive together share one entry; heartbeats and unchanged progress need none', async () => {
  const { log, writer } = await prepared();
  const before = log.appends;
  const [first, second] = await Promise.all([
    writer.submit(LEASE),
    writer.submit({ ...LEASE, want: 2 }),
  ]);
  assert.equal(log.appends, before + 1);
  assert(first.type === 'leases' && second.type === 'leases');
  const lease = first.leases[0];
  assert(lease !== undefined);
  await writer.submit({ type: 'heartbeat', ...NODE, stats: IDLE_STATS, sentAtUnixMs: 0 });
  const report = { deliveredSamples: 0, deliveredBytes: 0 };
  await writer.submit({ type: 'progress', ...NODE, leaseId: lease.leaseId, cursor: 0, ...report });
  assert.equal(log.appends, before + 1);
  await writer.stop();
});

test('when a write fails nobody is told that it worked, or that it did not, and the writer is over', async () => {
  const { log, writer, fatal } = await prepared();
  log.failure = new Error('input/output error');
  await assert.rejects(writer.submit(LEASE), { code: 'coordinator_unavailable' });
  assert.equal(fatal.length, 1);
  assert.match(fatal[0]?.message ?? '', /input\/output error/);
  log.failure = null;
  await assert.rejects(writer.submit(LEASE), { code: 'coordinator_unavailable' });
});

test('a writer that was overtaken answers that it does not lead, and goes on no more', async () => {
  const disk = new MemoryLogDisk();
  const old = await started(disk);
  await old.writer.submit(CREATE);
  const young = await started(disk);
  await assert.rejects(old.writer.submit(REGISTER), {
    code: 'not_leader',
    message: /^not leader for mutating operation/,
  });
  assert.equal(old.fatal[0]?.code, 'not_leader');
  const reply = await young.writer.submit(REGISTER);
  assert.equal(reply.type, 'registered', 'what the old one had answered is there for the new one');
  await young.writer.stop();
});

test('a lease expires when its node is silent, but not when the coordinator itself was paused', async () => {
  const { clock, writer } = await prepared();
  await writer.submit(LEASE);
  const live = async (): Promise<number> => {
    const reply = await writer.submit({ type: 'get_snapshot', jobId: JOB });
    assert(reply.type === 'snapshot');
    return reply.liveLeases.length;
  };
  await clock.pause(20 * TTL_MS);
  await turns(3);
  assert.equal(await live(), 1);
  await clock.advance(TTL_MS + 200);
  await turns(3);
  assert.equal(await live(), 0);
  await writer.stop();
});
