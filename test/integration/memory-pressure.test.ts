/** A worker comes near its memory cap: its agent holds and reads less, says so, and the job goes on. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { AgentBench } from '../support/agent-bench.ts';
import { until } from '../support/leftovers.ts';

const CAP_BYTES = 400 * 2 ** 20;

/** Keeps what it allocates until it has 85 % of the cap, and goes on like that. */
const GREEDY = `
const kept = [];
export default defineJob({
  batch: 1,
  async process(batch) {
    while (process.memoryUsage.rss() < ${0.85 * CAP_BYTES}) kept.push(Buffer.alloc(2 ** 20, 1));
    await new Promise((done) => setTimeout(done, 100));
    return Array.from(batch, (sample) => sample.text());
  },
  output: jsonl(),
});`;

test('near its memory cap an agent lowers its caps in steps, before the cap ends it', async () => {
  await using bench = await AgentBench.create(40, { blockSize: 2 });
  const job = await bench.job(GREEDY);
  const caps = { want: 8, prefetchBatches: 4, maxQueueBatches: 4 };
  const agent = await bench.agent('a', job, { ...caps, maxProcessRssBytes: CAP_BYTES });
  await until(() => bench.events.of('memory_pressure').length >= 2);
  const { stats } = agent.figures();
  assert(stats.autotuneEnabled);
  assert(stats.autotunePressureMilli >= 800, String(stats.autotunePressureMilli));
  assert.equal(stats.effectiveWant, 2);
  assert.equal(stats.effectivePrefetchBatches, 1);
  const outcome = await agent.done;
  assert.equal(outcome.type, 'completed', JSON.stringify(outcome));
  const [first] = bench.events.of('memory_pressure');
  assert.equal(first?.['want'], 4);
  assert.equal(first['level'], 1);
});

test('with autotune off an agent works as it was started', async () => {
  await using bench = await AgentBench.create(10, { blockSize: 2 });
  const job = await bench.job(GREEDY);
  const options = { want: 8, autotune: false, maxProcessRssBytes: CAP_BYTES };
  const agent = await bench.agent('a', job, options);
  assert.equal((await agent.done).type, 'completed');
  assert.equal(bench.events.of('memory_pressure').length, 0);
  assert.equal(agent.figures().stats.effectiveWant, 8);
});
