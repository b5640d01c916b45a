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

for (const [what, bytesOf, expected] of [
  ['alike', () => 1000, { p95Milli: 1000, breaches: [0, 0] }],
  ['uneven', (id: number) => (id % 10 === 9 ? 3000 : 1000), { p95Milli: 3000, breaches: [6, 10] }],
] as const) {
  test(`jitter_guard: batches that are ${what} say so in the stats of their node`, async () => {
    await using bench = await AgentBench.create(100);
    await bench.folder.write(
      Object.fromEntries(
        Array.from({ length: 100 }, (_, id) => [
          `in/doc-${String(id).padStart(4, '0')}.txt`,
          'x'.repeat(bytesOf(id)),
        ]),
      ),
    );
    const job = await bench.job(
      `export default defineJob({ batch: 1, process: (batch) => [...batch].map(() => 1), output: jsonl() });`,
    );
    const agent = await bench.agent('a1', job);
    assert.equal((await agent.done).type, 'completed');
    const { batchPayloadP95OverP50Milli, batchJitterSloBreachesTotal } = agent.figures().stats;
    assert.equal(batchPayloadP95OverP50Milli, expected.p95Milli);
    // As many of the ten large ones as came after enough others, in whatever order leases were dealt.
    const [least, most] = expected.breaches;
    assert(batchJitterSloBreachesTotal >= least && batchJitterSloBreachesTotal <= most);
  });
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

test('two nodes that choose one name at the same moment fail the job with the sample, and it can go on; no output is lost', async () => {
  await using bench = await AgentBench.create(20, { blockSize: 10, worldSize: 2 });
  // The parts of both wait for each other once they are written: none is published before both are staged.
  const job = await bench.job(`
import { existsSync, writeFileSync } from 'node:fs';
const flag = (start) => ${JSON.stringify(bench.folder.join('flag-'))} + start;
const sink = files();
async function openPart(writer) {
  const part = await sink.openPart(writer);
  const finish = async () => {
    writeFileSync(flag(writer.start), '');
    while (!existsSync(flag(10 - writer.start))) await new Promise((done) => setTimeout(done, 5));
    await part.finish();
  };
  return { write: (rows, batch) => part.write(rows, batch), finish };
}
export default defineJob({
  batch: 10,
  process: (batch) => Array.from(batch, (sample) => ({
    data: sample.text(),
    name: sample.id % 10 === 5 ? 'same.txt' : sample.id + '.txt',
  })),
  output: { ...sink, openPart },
});`);
  const agents = [
    await bench.agent('a', job, { want: 1 }),
    await bench.agent('b', job, { want: 1 }),
  ];
  const outcomes = await Promise.all(agents.map((agent) => agent.done));
  const { failure, phase, samples } = await bench.server.client.snapshot(bench.spec.jobId);
  assert.equal(samples.committed, 20, JSON.stringify(outcomes));
  const told = outcomes.filter(({ type }) => type === 'failed');
  assert.ok(told.length > 0, 'one of them says so');
  for (const outcome of told) {
    assert.ok('message' in outcome);
    // Whose the other is, is known once its node has noted it.
    assert.match(
      outcome.message,
      /sample 1?5 and (sample 1?5|a file that is already there) both name .*"same\.txt"/,
    );
  }
  // The other node may have published all outputs, that of the one that fails too, before it could say so.
  if (phase !== 'completed') {
    assert.equal(failure?.code, 'row_invalid');
    await bench.server.client.resumeJob(bench.spec.jobId);
    const outcome = await (await bench.agent('c', job)).done;
    assert.equal(outcome.type, 'completed', JSON.stringify(outcome));
  }
  const names = await bench.outputNames();
  assert.equal(names.length, 20);
  assert.ok(names.includes('same.txt'));
  assert.equal(names.filter((name) => /^same\.sample-1?5\.txt$/.test(name)).length, 1);
  const found = (await bench.rows()).map(({ text }) => text);
  assert.deepEqual(
    found,
    Array.from({ length: 20 }, (_, id) => `text ${id}`),
  );
});
