/**
 * A short run of `npm run chaos`: kill -9, pauses, hand-overs, partitions and clock steps on real
 * processes, then the check that nothing was lost and nothing done twice. The seed is fixed so that a
 * change of the plan is a change of this file; the timing of a run cannot be fixed.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { figuresOf, figuresText } from '../chaos/report.ts';
import { type ChaosOptions, runChaos } from '../chaos/run-chaos.ts';
import { findTools } from '../chaos/tools.ts';

const SPAN_MS = 45_000;

async function check(options: Pick<ChaosOptions, 'seed' | 'state'>): Promise<void> {
  const tools = findTools();
  for (const line of tools.missing) console.log(`skipped: ${line}`);
  const sizes = { spanMs: SPAN_MS, samples: 2200, coordinators: 2 };
  const { wrong, history } = await runChaos({ ...options, ...sizes, tools });
  const figures = figuresOf(history);
  console.log(figuresText(figures));
  if (wrong.length > 0) {
    const path = join(mkdtempSync(join(tmpdir(), 'mx8-chaos-history-')), 'history.jsonl');
    writeFileSync(path, history.map((item) => `${JSON.stringify(item)}\n`).join(''));
    assert.fail(`${wrong.join('\n')}\nthe history is in ${path}`);
  }
  assert(figures.epochs >= 3, 'the lead went from one to another');
  assert(figures.tokens > 100 && figures.commits > 100 && figures.calls > 200);
}

test('nothing is lost and nothing done twice on one machine, whatever is killed, paused, cut off or stepped', async () => {
  await check({ seed: 1, state: 'sqlite' });
});

test('nothing is lost and nothing done twice on etcd, whatever is killed, paused, cut off or stepped', async (t) => {
  if (!findTools().hasEtcd) {
    t.skip('etcd is not installed');
    return;
  }
  await check({ seed: 5, state: 'etcd3' });
});
