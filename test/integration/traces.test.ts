/** Spans of a run, recorded by an SDK that `NODE_OPTIONS` loads into each of its processes. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { Workbench } from '../support/mx8-process.ts';
import type { RecordedSpan } from '../support/record-spans.ts';

const JOB = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));
const SDK = new URL('../support/record-spans.ts', import.meta.url).href;

test('the life of each lease is one trace over coordinator, agent and worker', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 40);
  const file = bench.path('spans.jsonl');
  const shape = ['--nodes', '2', '--ram-gb', '1', '--block-size', '10', '--relief', 'off'];
  const words = ['run', JOB, '--data', data, '--out', bench.path('out'), ...shape];
  const environment = { NODE_OPTIONS: `--import ${SDK}`, TEST_SPANS: file };
  const { code, stderr } = await bench.run(words, environment);
  assert.equal(code, 0, stderr);

  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const spans = lines.map((line) => JSON.parse(line) as RecordedSpan);
  const leases = spans.filter(({ name }) => name === 'mx8.lease');
  assert.equal(leases.length, 4);
  for (const { traceId, pid: coordinator, attributes } of leases) {
    const same = spans.filter((span) => span.traceId === traceId);
    const pidsOf = (name: string): ReadonlySet<number> =>
      new Set(same.filter((span) => span.name === name).map(({ pid }) => pid));
    const [agent, worker] = [pidsOf('mx8.commit'), pidsOf('mx8.process')];
    assert.deepEqual([agent.size, worker.size], [1, 1]);
    assert.equal(new Set([coordinator, ...agent, ...worker]).size, 3, 'three processes');
    assert.deepEqual([pidsOf('mx8.read'), pidsOf('mx8.stage')], [worker, worker]);
    for (const span of same) {
      assert.equal(span.attributes['mx8.lease_id'], attributes['mx8.lease_id']);
    }
    assert.equal(attributes['mx8.ended_by'], 'lease_completed');
  }
  assert.equal(new Set(leases.map(({ traceId }) => traceId)).size, 4);
  assert.equal(spans.filter(({ name }) => name === 'mx8.register').length, 2);
});
