/** Workers, agents and the coordinator are killed in mid-job: each sample is committed once all the same. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentBench } from '../support/agent-bench.ts';
import { until } from '../support/leftovers.ts';
import { descendants, stillRunning } from '../support/processes.ts';

/** Takes a while over each batch, so that there is something to kill. */
const SLOW = `
export default defineJob({
  batch: 2,
  async process(batch) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return Array.from(batch, (sample) => sample.text());
  },
  output: jsonl(),
});`;

/** Never gives the event loop back once it sees sample 3. */
const STUCK = `
export default defineJob({
  batch: 1,
  process(batch) {
    if (batch.at(0).id === 3) for (;;) {}
    return [batch.at(0).text()];
  },
  output: jsonl(),
});`;

async function assertOnce(bench: AgentBench, count: number): Promise<void> {
  const rows = await bench.rows();
  const expected = Array.from({ length: count }, (_, id) => JSON.stringify(`text ${id}`));
  assert.deepEqual(
    rows.map(({ text }) => text),
    expected,
  );
}

async function committed(bench: AgentBench): Promise<number> {
  return (await bench.server.client.snapshot(bench.spec.jobId)).samples.committed;
}

async function untilCommitted(bench: AgentBench, samples: number): Promise<void> {
  while ((await committed(bench)) < samples) await sleep(10);
}

test('workers that are killed -9 are started again and their leases go on', async () => {
  await using bench = await AgentBench.create(120);
  const agent = await bench.agent('a', await bench.job(SLOW), { workers: 2 });
  for (let samples = 10; samples <= 70; samples += 20) {
    await untilCommitted(bench, samples);
    const [pid] = agent.workerPids;
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }
  assert.equal((await agent.done).type, 'completed');
  await assertOnce(bench, 120);
  assert(bench.events.of('worker_died').length >= 3);
  const snapshot = await bench.server.client.snapshot(bench.spec.jobId);
  assert.equal(snapshot.counters.leasesExpiredTotal, 0, 'the leases were kept');
});

test('an agent that is killed -9 leaves no worker behind and others finish its leases', async () => {
  await using bench = await AgentBench.create(120);
  const job = await bench.job(SLOW);
  const victim = bench.agentProcess('victim', job, { workers: 2 });
  await untilCommitted(bench, 10);
  const workers = descendants(victim.pid ?? 0).map(({ pid }) => pid);
  assert(workers.length >= 2);
  victim.kill('SIGKILL');
  const heir = await bench.agent('heir', job, { workers: 2 });
  assert.equal((await heir.done).type, 'completed');
  await assertOnce(bench, 120);
  await until(() => stillRunning(workers).length === 0);
});

test('even a worker whose event loop is stuck ends when its agent is killed -9', async () => {
  await using bench = await AgentBench.create(8);
  const victim = bench.agentProcess('victim', await bench.job(STUCK));
  await untilCommitted(bench, 0);
  let workers: number[] = [];
  await until(() => {
    workers = descendants(victim.pid ?? 0).map(({ pid }) => pid);
    return workers.length > 0;
  });
  // Busy for good: it has used a processor for longer than any start takes.
  await until(() => workers.some((pid) => busyTicks(pid) > 150));
  victim.kill('SIGKILL');
  await until(() => stillRunning(workers).length === 0);
});

/** Processor time of a process in ticks of 10 ms. */
function busyTicks(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const columns = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(columns[11]) + Number(columns[12]);
  } catch (error) {
    assert(error instanceof Error);
    return 0;
  }
}

test('a coordinator that goes away and comes back finds the job where it was', async () => {
  await using bench = await AgentBench.create(120);
  const job = await bench.job(SLOW);
  const agents = [await bench.agent('a', job), await bench.agent('b', job)];
  await untilCommitted(bench, 20);
  await bench.stopCoordinator();
  await sleep(300);
  await bench.startCoordinator();
  const outcomes = await Promise.all(agents.map((agent) => agent.done));
  for (const outcome of outcomes) assert.equal(outcome.type, 'completed');
  await assertOnce(bench, 120);
  // Each agent says so, once.
  assert.equal(bench.events.of('coordinator_lost').length, 2);
  assert.equal(bench.events.of('coordinator_found').length, 2);
});

test('a drained agent commits what is in hand, gives the rest back and leaves no process', async () => {
  await using bench = await AgentBench.create(60, { blockSize: 30 });
  const job = await bench.job(SLOW);
  const first = await bench.agent('first', job, { commitIntervalMs: 60_000 });
  await until(() => bench.events.of('progress').length > 0);
  const outcome = await first.drain('the test says so');
  assert.equal(outcome.type, 'drained');
  assert.deepEqual(first.workerPids, []);
  const before = await committed(bench);
  assert(before > 0, 'finished batches were committed');
  const snapshot = await bench.server.client.snapshot(bench.spec.jobId);
  assert.equal(snapshot.samples.leased, 0, 'nothing is held any more');
  const second = await bench.agent('second', job);
  assert.equal((await second.done).type, 'completed');
  await assertOnce(bench, 60);
});

test('an agent that cannot finish its batch in time gives it up and leaves', async () => {
  await using bench = await AgentBench.create(8);
  const agent = await bench.agent('a', await bench.job(STUCK), { drainTimeoutMs: 200 });
  await until(() => bench.events.of('progress').length > 0);
  await sleep(200);
  const outcome = await agent.drain();
  assert(outcome.type === 'drained');
  assert.match(outcome.reason, /some work in hand was given up/);
  assert.deepEqual(agent.workerPids, []);
});

test('delivery without a job reads every sample and a killed agent’s rest is delivered by another', async () => {
  await using bench = await AgentBench.create(60, { commitsOutputs: false });
  const log = bench.folder.join('delivered.txt');
  const work = { type: 'deliver', batchSize: 2, sinkSleepMs: 20, deliverLog: log };
  const victim = bench.agentProcess('victim', '', { work });
  while (!existsSync(log)) await sleep(10);
  await sleep(200);
  victim.kill('SIGKILL');
  await once(victim, 'exit');
  const heir = await bench.agent('heir', '', {
    work: { type: 'deliver', batchSize: 2, sinkSleepMs: 1, deliverLog: log },
  });
  assert.deepEqual(await heir.done, { type: 'completed', outputManifestHash: null });
  const delivered = new Set<number>();
  for (const line of readFileSync(log, 'utf8').trimEnd().split('\n')) {
    const [start = NaN, end = NaN] = line.split(' ').map(Number);
    for (let id = start; id < end; id += 1) delivered.add(id);
  }
  assert.equal(delivered.size, 60);
});

test('a second process with a node id in use waits for it and ends with a sentence', async () => {
  await using bench = await AgentBench.create(60);
  const job = await bench.job(SLOW);
  const first = await bench.agent('twin', job);
  await until(() => bench.events.of('lease_started').length > 0);
  const second = await bench.agent('twin', job, { nodeIdBusyMaxMs: 300 });
  const outcome = await second.done;
  assert(outcome.type === 'failed');
  assert.equal(outcome.code, 'node_id_in_use');
  assert.match(outcome.message, /node id twin is in use by another live process/);
  assert.equal((await first.done).type, 'completed');
  await assertOnce(bench, 60);
});

test('a node id is taken over soon after its process died', async () => {
  await using bench = await AgentBench.create(60);
  const job = await bench.job(SLOW);
  const victim = bench.agentProcess('twin', job);
  await untilCommitted(bench, 4);
  victim.kill('SIGKILL');
  const heir = await bench.agent('twin', job);
  assert.equal((await heir.done).type, 'completed');
  await assertOnce(bench, 60);
});

test('an output folder of another job is refused, and the job itself goes on elsewhere', async () => {
  await using bench = await AgentBench.create(12);
  const job = await bench.job(SLOW);
  await bench.folder.write({ 'other/letter.txt': 'dear' });
  const out = bench.folder.join('other');
  const lost = await bench.agent('lost', job, { work: { type: 'job', jobFile: job, out } });
  const outcome = await lost.done;
  assert(outcome.type === 'failed');
  assert.equal(outcome.code, 'output_occupied');
  assert.match(outcome.message, /holds files that no MX8 job wrote, such as letter\.txt/);
  const right = await bench.agent('right', job);
  assert.equal((await right.done).type, 'completed');
  await assertOnce(bench, 12);
});
