/** Agents with worker processes on a real coordinator: what a job's output holds at the end. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { AgentBench } from '../support/agent-bench.ts';

const ECHO = `
export default defineJob({
  batch: 4,
  process: (batch) => Array.from(batch, (sample) => ({ id: sample.id, text: sample.text() })),
  output: jsonl(),
});`;

function texts(count: number): string[] {
  return Array.from({ length: count }, (_, id) => JSON.stringify({ id, text: `text ${id}` }));
}

test('two agents turn a folder into rows, each sample once, in input order', async () => {
  await using bench = await AgentBench.create(100);
  const job = await bench.job(ECHO);
  const agents = [await bench.agent('a', job, { workers: 2 }), await bench.agent('b', job)];
  const outcomes = await Promise.all(agents.map((agent) => agent.done));
  const { outputManifestHash } = await bench.server.client.snapshot(bench.spec.jobId);
  assert(outputManifestHash !== null);
  assert.deepEqual(outcomes, [
    { type: 'completed', outputManifestHash },
    { type: 'completed', outputManifestHash },
  ]);
  assert.deepEqual(
    (await bench.rows()).map(({ text }) => text),
    texts(100),
  );
  assert(!existsSync(`${bench.out}/_mx8/staging`), 'nothing is left in staging');
  assert(!existsSync(`${bench.out}/_mx8/quarantine.jsonl`));
});
