/** Real agents with worker processes at a store that refuses what is too much for it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import { load } from '../../src/index.ts';
import type { JobSpec } from '../../src/core/job/protocol.ts';
import { AgentBench } from '../support/agent-bench.ts';
import { BusyStore } from '../support/busy-store.ts';

const SAMPLES = 1500;
const SERVES = 12;
/** So long that the requests of agents on a slow machine pile up in the store, not in the agents. */
const TAKES_MS = 60;

const JOB = `
export default defineJob({
  batch: 8,
  process: (batch) => Array.from(batch, (sample) => ({ id: sample.id, text: sample.text() })),
  output: jsonl(),
});`;

function textOf(path: string): string {
  return `text ${Number(path.slice(1))}`;
}

async function busyBench(
  store: BusyStore,
  samples: number,
  spec: Partial<JobSpec> = {},
): Promise<AgentBench> {
  const usual = { blockSize: 60, worldSize: 3, minWorldSize: 3 };
  return AgentBench.create(
    samples,
    { ...usual, ...spec },
    {
      location: (id) => `${store.url}/${id}`,
      byteLength: (id) => textOf(`/${id}`).length,
    },
  );
}

test('agents together ask a busy store for about as much as it serves; one is killed, and the others have its share', async (t) => {
  await using store = await BusyStore.start(SERVES, TAKES_MS, textOf);
  await using bench = await busyBench(store, SAMPLES);
  const job = await bench.job(JOB);
  const how = { workers: 2, prefetchBatches: 4, maxQueueBatches: 4 };
  const doomed = bench.agentProcess('doomed', job, how);
  const agents = [await bench.agent('a', job, how), await bench.agent('b', job, how)];

  await store.served(0.4 * SAMPLES);
  const first = store.tally();
  t.diagnostic(`until the budget is found: ${JSON.stringify(first)}`);
  await store.served(0.2 * SAMPLES);
  const all = store.tally();
  const [found] = (await bench.server.client.snapshot(bench.spec.jobId)).stores;
  t.diagnostic(`three agents: ${JSON.stringify(all)}, ${JSON.stringify(found)}`);
  assert.equal(found?.agents, 3);
  assert.ok(all.inFlight >= SERVES / 4, `${all.inFlight} of ${SERVES} in flight`);
  const budget = found.budget ?? 0;
  assert.ok(budget >= SERVES / 3 && budget <= 2 * SERVES, `a budget of ${budget}`);

  doomed.kill('SIGKILL');
  await once(doomed, 'exit');
  await store.served(0.2 * SAMPLES);
  const meanwhile = store.tally();
  const outcomes = await Promise.all(agents.map((agent) => agent.done));
  const rest = store.tally();
  t.diagnostic(`two agents: ${JSON.stringify(rest)}`);
  assert.deepEqual([...new Set(outcomes.map(({ type }) => type))], ['completed']);
  const refused = all.refused + meanwhile.refused + rest.refused;
  assert.ok(refused <= 0.1 * SAMPLES, `${refused} refused of ${SAMPLES}`);
  assert.ok(rest.inFlight >= SERVES / 3, `${rest.inFlight} of ${SERVES} in flight`);
  const rows = (await bench.rows()).map(({ text }) => text);
  assert.equal(rows.length, SAMPLES);
  for (const [id, row] of rows.entries()) {
    assert.equal(row, JSON.stringify({ id, text: `text ${id}` }));
  }
});

test('loaders of a job share what a store serves as agents do, and each sample is read once', async (t) => {
  const [samples, serves] = [800, 8];
  await using store = await BusyStore.start(serves, TAKES_MS, textOf);
  await using bench = await busyBench(store, samples, { commitsOutputs: false, minWorldSize: 2 });
  const seen: number[] = [];
  const read = async (node: string): Promise<void> => {
    const loader = load(store.url, {
      ...{ job: bench.spec.jobId, coord: bench.address, node },
      ...{ batchSize: 8, prefetchBatches: 6, maxInflightBytes: 2 ** 20 },
    });
    for await (const batch of loader) {
      for (let at = 0; at < batch.sampleCount; at += 1) {
        assert.equal(
          Buffer.from(batch.sample(at)).toString(),
          textOf(`/${batch.sampleIds[at] ?? 0}`),
        );
        seen.push(batch.sampleIds[at] ?? -1);
      }
    }
  };
  const reading = Promise.all([read('one'), read('two')]);
  await Promise.race([store.served(samples / 2), reading]);
  store.tally();
  await reading;
  const rest = store.tally();
  t.diagnostic(JSON.stringify(rest));
  assert.ok(rest.refused <= 0.15 * rest.served, `${rest.refused} refused, ${rest.served} served`);
  assert.ok(rest.inFlight >= serves / 3, `${rest.inFlight} of ${serves} in flight`);
  assert.deepEqual(
    seen.toSorted((a, b) => a - b),
    Array.from({ length: samples }, (_, id) => id),
  );
});
