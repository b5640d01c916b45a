/** What a running coordinator, an agent and a loader expose over HTTP, asked over real sockets. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { request } from 'node:http';
import test from 'node:test';

import { nodeClock } from '../../src/platform/clock.ts';
import { serveMetrics } from '../../src/loader/serve-metrics.ts';
import { load } from '../../src/index.ts';
import { startAgentWeb, startCoordinatorWeb } from '../../src/web/index.ts';
import { AgentBench } from '../support/agent-bench.ts';
import { until } from '../support/mx8-process.ts';
import { parseExposition, type Exposition } from '../support/prometheus-text.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { findTool } from '../support/tools.ts';
import { TestNode, webWorld, type WebWorld } from '../support/web-world.ts';

/** The counters of the wire contract (CoordinatorCounters). */
const COUNTERS = [
  'register_total',
  'heartbeat_total',
  'request_lease_total',
  'leases_granted_total',
  'leases_expired_total',
  'ranges_requeued_total',
  'progress_total',
  'resume_checkpoint_applied_total',
  'resume_checkpoint_rejected_total',
  'resume_ranges_applied_total',
];
const OF_JOB = '{job_id="job"}';

/** Looks are kept for a second: what was done before is in one that is taken after. */
async function scrape(world: WebWorld): Promise<Exposition> {
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return parseExposition(await world.text('/metrics'));
}

/** A token that says that samples 0 to 9 are done. */
async function tokenOfAnother(): Promise<Uint8Array> {
  await using other = await webWorld();
  const client = other.client();
  const node = new TestNode(client, 'n0');
  await node.register();
  const [lease] = await node.lease();
  assert.ok(lease !== undefined);
  await node.deliver(lease);
  const token = await client.checkpoint(node.identity.jobId);
  return token;
}

test('every counter of the wire contract is there under its name and moves', async () => {
  const token = await tokenOfAnother();
  await using world = await webWorld({
    spec: { leaseTtlMs: 200, heartbeatIntervalMs: 50, worldSize: 2, minWorldSize: 1 },
  });
  const before = await scrape(world);
  for (const name of COUNTERS) assert.equal(before.value(`mx8_${name}${OF_JOB}`), 0, name);

  const node = new TestNode(world.client(), 'n1');
  await assert.rejects(node.register(new Uint8Array([1, 2, 3])));
  await node.register(token);
  await node.heartbeat();
  const [lease] = await node.lease();
  assert.ok(lease !== undefined);
  await node.deliver(lease, lease.range.start + 3);
  // It falls silent: its lease expires, and what is left of it waits again.
  const expired = (): number => world.coordinator.events.of('lease_expired').length;
  await until('the lease expires', () => expired() === 1);
  const after = await scrape(world);
  for (const name of COUNTERS) {
    const value = after.value(`mx8_${name}${OF_JOB}`) ?? 0;
    assert.ok(value > 0, `mx8_${name} moved, it is ${value}`);
    assert.equal(after.types.get(`mx8_${name}`), 'counter');
  }
  const states = ['unissued', 'leased', 'committed', 'quarantined'].map(
    (state) => after.value(`mx8_samples{job_id="job",state="${state}"}`) ?? NaN,
  );
  assert.deepEqual(states, [87, 0, 13, 0]);
  const rpc = 'mx8_rpc_seconds_count{method="mx8.v1.Coordinator/Session/register",code="ok"}';
  assert.equal(after.value(rpc), 1);
  assert.ok((after.value('mx8_log_append_seconds_count') ?? 0) > 0);
  assert.ok((after.value('mx8_writer_batch_commands_count') ?? 0) > 0);
  assert.equal(after.value('mx8_coordinator_role{role="leader"}'), 1);
});

test('what a node says of itself is there under its name, with its caps', async () => {
  await using world = await webWorld({ spec: { worldSize: 2, minWorldSize: 1 } });
  const node = new TestNode(world.client(), 'n1');
  await node.register();
  await node.heartbeat({ inflightBytes: 77, ramHighWaterBytes: 1234, effectiveWant: 3 });
  const metrics = await scrape(world);
  const of = (name: string): number | undefined =>
    metrics.value(`mx8_node_${name}{job_id="job",node_id="n1"}`);
  assert.deepEqual(
    [of('inflight_bytes'), of('ram_high_water_bytes'), of('effective_want'), of('max_ram_bytes')],
    [77, 1234, 3, 8_000_000_000],
  );
  const ageSeconds = of('heartbeat_age_seconds') ?? 0;
  assert.ok(ageSeconds > 0 && ageSeconds < 10, `heard ${ageSeconds} s ago`);
});

test('promtool takes what is exposed', { skip: findTool('promtool').missing }, async () => {
  await using world = await webWorld();
  const node = new TestNode(world.client(), 'quoted"\\name');
  await node.register();
  await node.lease();
  const text = await world.text('/metrics');
  const checked = execFileSync(findTool('promtool').path, ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  assert.equal(checked, '');
});

test('a standby says that it follows and leaves the figures of jobs to the leader', async () => {
  await using world = await webWorld();
  assert.match(await world.text('/readyz'), /^leader of epoch 1$/m);
  const { web, server } = await world.standby();
  const ready = async (): Promise<Response> => fetch(`${web.url}readyz`);
  await until('the standby is ready', async () => (await ready()).status === 200);
  assert.match(
    await (await ready()).text(),
    /^standby of the leader 127\.0\.0\.1:\d+, 0 entries behind$/m,
  );
  const metrics = parseExposition(await (await fetch(`${web.url}metrics`)).text());
  assert.equal(metrics.value('mx8_coordinator_role{role="standby"}'), 1);
  assert.deepEqual(metrics.of('mx8_registered_nodes'), []);

  await world.coordinator.server.stop();
  await until('it leads', () => server.role === 'leader');
  await until('it says so', async () =>
    (await (await ready()).text()).startsWith('leader of epoch 2'),
  );
  const leads = parseExposition(await (await fetch(`${web.url}metrics`)).text());
  assert.deepEqual(leads.of('mx8_registered_nodes'), [[OF_JOB, 0]]);
});

test('only reading of known paths is served, and only for this machine by name', async () => {
  await using world = await webWorld();
  assert.equal((await world.get('/healthz')).status, 200);
  assert.equal((await world.get('/nothing')).status, 404);
  assert.equal((await world.get('/constructor')).status, 404);
  const posted = await fetch(world.web.url, { method: 'POST', body: 'x' });
  assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD']);
  const head = await fetch(new URL('/metrics', world.web.url), { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
  const page = await world.get('/');
  assert.match(
    page.headers.get('content-security-policy') ?? '',
    /^default-src 'none'; script-src 'self'/,
  );
  const status = await new Promise((resolve, reject) => {
    const asked = request(world.web.url, { headers: { host: 'evil.example' } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on('error', reject).end();
  });
  assert.equal(status, 421);
  const { insight } = world.coordinator.server;
  const bind = { host: '0.0.0.0', port: 0 };
  const limits = { staleHeartbeatMs: 1, leaseStallMs: 1 };
  const webUrlOf = (): Promise<null> => Promise.resolve(null);
  const options = {
    insight,
    clock: nodeClock(),
    events: world.coordinator.events,
    limits,
    webUrlOf,
  };
  await assert.rejects(startCoordinatorWeb({ ...options, bind }), { code: 'insecure_bind' });
  const taken = { host: '127.0.0.1', port: world.web.port };
  await assert.rejects(startCoordinatorWeb({ ...options, bind: taken }), { code: 'port_in_use' });
});

test('all viewers share one update a second, and there is a limit to them', async () => {
  await using world = await webWorld();
  const { insight } = world.coordinator.server;
  let looks = 0;
  const counting = {
    ...insight,
    meters: insight.meters,
    recentEvents: insight.recentEvents,
    look: () => {
      looks += 1;
      return insight.look();
    },
  };
  const web = await startCoordinatorWeb({
    insight: counting,
    clock: nodeClock(),
    events: world.coordinator.events,
    bind: { host: '127.0.0.1', port: 0 },
    limits: { staleHeartbeatMs: 5000, leaseStallMs: 5000 },
    webUrlOf: () => Promise.resolve(null),
  });
  const stop = new AbortController();
  const streams = await Promise.all(
    Array.from({ length: 64 }, () => fetch(`${web.url}events`, { signal: stop.signal })),
  );
  assert.ok(streams.every(({ status }) => status === 200));
  const refused = await fetch(`${web.url}events`);
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '5']);
  const reader = streams[0]?.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (reader !== undefined && (text.match(/^data: /gm) ?? []).length < 4) {
    text += (await reader.read()).value ?? '';
  }
  assert.ok(looks <= 5, `four updates for 64 viewers took ${looks} looks`);
  const update = JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '') as { job: { jobId: string } };
  assert.equal(update.job.jobId, 'job');
  stop.abort();
  await Promise.allSettled(streams.map((stream) => stream.text()));
  await until('they have left', async () =>
    /^mx8_page_viewers 0$/m.test(await (await fetch(`${web.url}metrics`)).text()),
  );
  await web.close();
});

test('an agent exposes what it holds, delivered and committed, and its times', async () => {
  await using bench = await AgentBench.create(40, { blockSize: 10 });
  const job = await bench.job(
    `export default defineJob({ batch: 5, process: (batch) => [...batch].map((one) => ({ at: one.id })), output: jsonl() });`,
  );
  const agent = await bench.agent('a1', job);
  const web = await startAgentWeb({
    clock: nodeClock(),
    bind: { host: '127.0.0.1', port: 0 },
    figures: () => agent.figures(),
  });
  assert.equal((await agent.done).type, 'completed');
  const metrics = parseExposition(await (await fetch(`${web.url}metrics`)).text());
  const own = '{job_id="job",node_id="a1"}';
  assert.equal(metrics.value(`mx8_agent_delivered_samples_total${own}`), 40);
  assert.equal(metrics.value(`mx8_agent_output_rows_total${own}`), 40);
  assert.equal(metrics.value(`mx8_agent_disconnects_total${own}`), 0);
  for (const stage of ['read', 'process', 'stage']) {
    const count = metrics.value(
      `mx8_agent_stage_seconds_count{job_id="job",node_id="a1",stage="${stage}"}`,
    );
    assert.ok((count ?? 0) >= 4, `${stage} was measured, ${count ?? 0} times`);
  }
  const commits = 'mx8_agent_call_seconds_count{job_id="job",node_id="a1",call="commit"}';
  assert.ok((metrics.value(commits) ?? 0) >= 4);
  assert.equal((await fetch(`${web.url}healthz`)).status, 200);
  await web.close();
});

test('a loader exposes what it delivered', async () => {
  await using folder = await temporaryFolder();
  await folder.write({ 'in/a.txt': 'aaaa', 'in/b.txt': 'bb' });
  const loader = load(folder.join('in'), { manifestStoreRoot: folder.join('manifests') });
  const server = await serveMetrics({ train: () => loader.stats() }, { port: 0 });
  for await (const batch of loader) assert.equal(batch.sampleCount, 2);
  const metrics = parseExposition(await (await fetch(`${server.url}metrics`)).text());
  const own = '{loader="train"}';
  assert.equal(metrics.value(`mx8_loader_delivered_samples_total${own}`), 2);
  assert.equal(metrics.value(`mx8_loader_delivered_bytes_total${own}`), 6);
  assert.ok((metrics.value(`mx8_loader_rss_cap_bytes${own}`) ?? 0) > 0);
  await server.close();
});
