/** One agent takes ten times as long over each sample: others take its work, and each sample counts once. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { AgentBench } from '../support/agent-bench.ts';
import { until } from '../support/leftovers.ts';

const UNEVEN = `
export default defineJob({
  batch: 2,
  async process(batch, { nodeId }) {
    await new Promise((done) => setTimeout(done, nodeId === 'slow' ? 400 : 40));
    return Array.from(batch, (sample) => sample.text());
  },
  output: jsonl(),
});`;

test('the tail of a slow node’s leases goes to others, and each sample is committed once', async () => {
  await using bench = await AgentBench.create(120, { blockSize: 30, worldSize: 3 });
  const job = await bench.job(UNEVEN);
  bench.agentProcess('slow', job);
  await until(() => bench.events.of('lease_granted').length > 0);
  const outcome = await (await bench.agent('fast', job)).done;
  assert.equal(outcome.type, 'completed', JSON.stringify(outcome));
  const rows = await bench.rows();
  assert.deepEqual(
    rows.map(({ text }) => text),
    Array.from({ length: 120 }, (_, id) => JSON.stringify(`text ${id}`)),
  );
  const { events } = bench;
  const taken = events.of('lease_split').length + events.of('lease_doubled').length;
  assert(taken > 0, 'what the slow node had begun was split, or done twice');
  const bySlow = events.of('output_committed').filter((fields) => fields['node_id'] === 'slow');
  const samples = bySlow.reduce((sum, fields) => sum + Number(fields['rows']), 0);
  assert(samples < 30, `the slow node did ${samples} samples, and was given a lease of 30 first`);
  const snapshot = await bench.server.client.snapshot(bench.spec.jobId);
  assert.equal(snapshot.counters.leasesExpiredTotal, 0);
});

const FILES = `
export default defineJob({
  batch: 1,
  async process(batch, { nodeId }) {
    await new Promise((done) => setTimeout(done, nodeId === 'slow' ? 2500 : 50));
    return Array.from(batch, (sample) => ({ name: sample.id + '.txt', data: sample.text() }));
  },
  output: files(),
});`;

test('two nodes that make the same files publish those of the first to commit', async () => {
  await using bench = await AgentBench.create(8, { blockSize: 2, worldSize: 3, leaseTtlMs: 4_000 });
  const job = await bench.job(FILES);
  bench.agentProcess('slow', job);
  await until(() => bench.events.of('lease_granted').length > 0);
  const outcome = await (await bench.agent('fast', job)).done;
  assert.equal(outcome.type, 'completed', JSON.stringify(outcome));
  assert.deepEqual(
    (await bench.rows()).map(({ text }) => text),
    Array.from({ length: 8 }, (_, id) => `text ${id}`),
  );
  assert.deepEqual(await bench.outputNames(), [
    '0.txt',
    '1.txt',
    '2.txt',
    '3.txt',
    '4.txt',
    '5.txt',
    '6.txt',
    '7.txt',
  ]);
  assert.equal(bench.events.of('job_failed').length, 0);
  assert(bench.events.of('lease_doubled').length > 0, 'the last samples were done twice');
});
