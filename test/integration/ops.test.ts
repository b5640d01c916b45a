/** `ops/` against running processes: its rules as promtool sees them, its metrics as they are exposed. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

import { nodeClock } from '../../src/platform/clock.ts';
import { startAgentWeb } from '../../src/web/index.ts';
import { AgentBench } from '../support/agent-bench.ts';
import { until } from '../support/mx8-process.ts';
import { parseExposition } from '../support/prometheus-text.ts';
import { readText, ROOT } from '../support/tidy/sources.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { findTool } from '../support/tools.ts';
import { TestNode, webWorld } from '../support/web-world.ts';

const PROMTOOL = findTool('promtool');

function promtool(...words: readonly string[]): string {
  return execFileSync(PROMTOOL.path, words, { cwd: join(ROOT, 'ops'), encoding: 'utf8' });
}

test('promtool takes the alert rules', { skip: PROMTOOL.missing }, () => {
  assert.match(promtool('check', 'rules', 'alerts.yml'), /SUCCESS: 15 rules found/);
});

test(
  'each alert fires for what it is for, and a healthy job raises none',
  {
    skip: PROMTOOL.missing,
  },
  () => {
    assert.match(promtool('test', 'rules', 'alerts-tests.yml'), /SUCCESS/);
  },
);

const SYSTEMD = findTool('systemd-analyze');

test('systemd takes the units', { skip: SYSTEMD.missing }, async () => {
  await using folder = await temporaryFolder();
  const units = ['mx8-coordinator.service', 'mx8-agent@.service'];
  const installed = readText('ops/systemd/mx8-coordinator.service').match(/^ExecStart=(\S+)/m);
  // It demands that the program is there, which is a matter of the machine.
  const text = (unit: string): string =>
    readText(`ops/systemd/${unit}`).replace(installed?.[1] ?? '', process.execPath);
  await folder.write(Object.fromEntries(units.map((unit) => [unit, text(unit)])));
  const paths = units.map((unit) => folder.join(unit.replace('@.', '@embed.')));
  await copyFile(folder.join('mx8-agent@.service'), paths[1] ?? '');
  const { status, stderr } = spawnSync(SYSTEMD.path, ['verify', ...paths], { encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
});

test('alerts and dashboard name only metrics that a coordinator or an agent exposes', async () => {
  const exposed = new Set([...(await namesOfCoordinator()), ...(await namesOfAgent())]);
  for (const path of ['ops/alerts.yml', 'ops/alerts-tests.yml', 'ops/grafana-dashboard.json']) {
    const named = [...new Set(readText(path).match(/\b(mx8|process)_[a-z0-9_]+\b/g))];
    assert.ok(named.length > 10, `${path} names metrics`);
    const unknown = named.filter(
      (name) => !exposed.has(name) && !exposed.has(name.replace(/_(bucket|sum|count)$/, '')),
    );
    assert.deepEqual(unknown, [], path);
  }
});

/** Of a leader with a standby and a node that gets on, so that nothing is left out for want of a figure. */
async function namesOfCoordinator(): Promise<Iterable<string>> {
  await using world = await webWorld();
  await world.standby();
  const node = new TestNode(world.client(), 'n1');
  await node.register();
  const [lease] = await node.lease();
  assert.ok(lease !== undefined);
  const types = async (): Promise<ReadonlyMap<string, string>> =>
    parseExposition(await world.text('/metrics')).types;
  await types();
  await node.deliver(lease);
  await until('a rate is known', async () => (await types()).has('mx8_job_eta_seconds'));
  await until('the standby is listed', async () => (await types()).has('mx8_standby_lag_entries'));
  return (await types()).keys();
}

async function namesOfAgent(): Promise<Iterable<string>> {
  await using bench = await AgentBench.create(4);
  const job = await bench.job(
    `export default defineJob({ batch: 2, process: (batch) => [...batch].map((one) => one.id), output: jsonl() });`,
  );
  const agent = await bench.agent('a1', job, { maxProcessRssBytes: 2 ** 30 });
  await agent.done;
  const bind = { host: '127.0.0.1', port: 0 };
  const web = await startAgentWeb({ clock: nodeClock(), bind, figures: () => agent.figures() });
  const text = await (await fetch(`${web.url}metrics`)).text();
  await web.close();
  return parseExposition(text).types.keys();
}
