import assert from 'node:assert/strict';
import test from 'node:test';
import { manifestHash } from '../core/base/units.ts';
import { decodeRecords, encodeRecords, encodeSnapshot } from '../core/job/codec.ts';
import { MemoryLog } from '../log/memory-log.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { testSpec } from '../testing/test-coordinator.ts';
import { CODEC, Replica } from './replica.ts';

const SPEC = testSpec(manifestHash('ab'.repeat(32)));

async function writtenLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.claim(0, 1, 'w');
  await log.append(2, 1, encodeRecords([{ type: 'job_created', spec: SPEC }]), 'a');
  const replica = new Replica(log, new FakeClock());
  await replica.catchUp();
  await log.snapshot(2, 1, encodeSnapshot(replica.state));
  await log.append(3, 1, encodeRecords([{ type: 'job_paused', job: SPEC.jobId }]), 'b');
  return log;
}

test('a late replica decodes when its state is looked at, and holds what another holds', async () => {
  const log = await writtenLog();
  let decoded = 0;
  const counting = (payload: Uint8Array): ReturnType<typeof decodeRecords> => {
    decoded += 1;
    return decodeRecords(payload);
  };
  const late = new Replica(log, new FakeClock(), {
    ...CODEC,
    decodeRecords: counting,
    isLate: true,
  });
  const other = new Replica(log, new FakeClock());
  await Promise.all([late.catchUp(), other.catchUp()]);
  assert.deepEqual([late.seq, decoded], [3, 0]);
  assert.deepEqual(encodeSnapshot(late.state), encodeSnapshot(other.state));
  assert.equal(decoded, 1);
  await log.append(4, 1, encodeRecords([{ type: 'job_unpaused', job: SPEC.jobId }]), 'c');
  await Promise.all([late.catchUp(), other.catchUp()]);
  assert.deepEqual(encodeSnapshot(late.state), encodeSnapshot(other.state));
  assert.equal(late.state.jobs.get(SPEC.jobId)?.paused, false);
});
