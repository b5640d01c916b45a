/**
 * The runbook, section by section: each symptom is caused with real processes, then the commands are typed
 * as docs/runbook.md prints them, and what it promises must be seen. All share two coordinators.
 */
import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { CRASHES_PER_SUSPECT_MAX } from '../../src/core/node/limits.ts';
import { eventsOf } from '../support/coordinators.ts';
import { until } from '../support/mx8-process.ts';
import { RunbookWorld, untyped } from '../support/runbook-world.ts';
import { signalAll, Trouble } from '../support/trouble.ts';

const MIB = 1024 ** 2;

let world: RunbookWorld;

before(async () => {
  world = await RunbookWorld.create();
  await world.bench.files('in', 240);
  await world.serve();
});

after(async () => {
  await world[Symbol.asyncDispose]();
});

test('preflight: of a job that is well the doctor finds nothing to do', async () => {
  const trouble = await Trouble.submit(world, 'well');
  await trouble.cause('pace', 100);
  const agent = trouble.agent('n1');
  await until('work is under way', async () => (await trouble.committed()) > 0);
  await world.type('preflight', trouble.job, 0);
  await trouble.mend('pace');
  await trouble.completes();
  assert.equal((await agent.ended).code, 0);
});

test('stale heartbeat: a node that stands still is shown, released, and its work is done by another', async () => {
  const trouble = await Trouble.submit(world, 'stale', ['--lease-ttl-ms', '120000']);
  await trouble.cause('pace', 250);
  const [still, other] = [trouble.agent('n1'), trouble.agent('n2')];
  for (const name of ['n1', 'n2']) {
    await until(`${name} has work`, async () => (await trouble.held(name)).length > 0);
  }
  signalAll(still, 'SIGSTOP');
  const held = await trouble.held('n1');
  await until('it is stale', async () => {
    const { nodes } = await world.snapshot(trouble.job);
    return nodes.some(({ nodeId, heartbeatAgeMs }) => nodeId === 'n1' && heartbeatAgeMs > 5000);
  });
  await world.type('heartbeat-check', trouble.job, 6);
  const requeued = (await world.snapshot(trouble.job)).counters.rangesRequeuedTotal;
  await world.type('heartbeat-act', trouble.job, 0, { NODE: 'n1' });
  const { counters, nodes } = await world.snapshot(trouble.job);
  assert.equal(counters.rangesRequeuedTotal, requeued + held.length);
  assert.deepEqual(
    nodes.map(({ nodeId }) => nodeId),
    ['n2'],
  );
  await trouble.getsOn();
  // It lived after all: what it still does counts for nothing, and it comes back by itself.
  signalAll(still, 'SIGCONT');
  await until('it is back', async () => (await world.snapshot(trouble.job)).registeredNodes === 2);
  await trouble.mend('pace');
  await trouble.completes();
  for (const agent of [still, other]) assert.equal((await agent.ended).code, 0);
});

test('stale heartbeat: of a node that is gone the leases go to others by themselves', async () => {
  const trouble = await Trouble.submit(world, 'gone', ['--lease-ttl-ms', '2000']);
  await trouble.cause('pace', 250);
  const gone = trouble.agent('n1');
  await until('it has work', async () => (await trouble.held('n1')).length > 0);
  gone.child.kill('SIGKILL');
  const other = trouble.agent('n2');
  await until('its leases are requeued', async () => {
    const { counters } = await world.snapshot(trouble.job);
    return counters.leasesExpiredTotal > 0 && counters.rangesRequeuedTotal > 0;
  });
  await trouble.mend('pace');
  await trouble.completes();
  assert.equal((await other.ended).code, 0);
});

test('lease stall: a sample that hangs is found, its lease taken away, its worker killed', async () => {
  const trouble = await Trouble.submit(world, 'hanging');
  await trouble.cause('hang', 5);
  await trouble.cause('pace', 200);
  const stuck = trouble.agent('n1');
  await until('a lease stands still', async () => {
    const { liveLeases } = await world.snapshot(trouble.job);
    return liveLeases.some(({ cursor, deliveredCursor, stillMs }) => {
      return stillMs > 10_000 && deliveredCursor > cursor;
    });
  });
  const { liveLeases, counters } = await world.snapshot(trouble.job);
  const hung = liveLeases.find(({ range }) => range.start <= 5 && range.end > 5);
  await world.type('stall-check', trouble.job, 6);
  await trouble.mend('hang');
  await world.type('stall-act', trouble.job, 0, { LEASE: hung?.leaseId ?? '' });
  const after1 = (await world.snapshot(trouble.job)).counters;
  assert.equal(after1.rangesRequeuedTotal, counters.rangesRequeuedTotal + 1);
  await until('the worker is killed', () =>
    eventsOf(stuck).some(({ event, message }) => {
      return event === 'worker_died' && String(message).includes('after its lease was taken away');
    }),
  );
  await trouble.getsOn();

  const other = trouble.agent('n2');
  await until('the other has work', async () => (await trouble.held('n2')).length > 0);
  await world.type('stall-drain', trouble.job, 0, { NODE: 'n1' });
  assert.equal((await stuck.ended).code, 0, 'it left by itself');
  assert.equal(await world.isCompleted(trouble.job), false);
  await trouble.mend('pace');
  await trouble.completes();
  assert.equal((await other.ended).code, 0);
});

test('lease stall: a sample that hangs again and again is set aside by the stall budget', async () => {
  const trouble = await Trouble.submit(world, 'poisoned');
  await trouble.cause('hang', 5);
  const agent = trouble.agent('n1', ['--on-error', 'quarantine', '--stall-budget-ms', '1500']);
  await trouble.completes();
  const { code, stderr } = await agent.ended;
  assert.equal(code, 0, stderr);
  const stalls = eventsOf(agent).filter(({ event }) => event === 'worker_stalled');
  assert(stalls.length >= CRASHES_PER_SUSPECT_MAX);
  const { samples } = await world.snapshot(trouble.job);
  assert.deepEqual([samples.quarantined, samples.committed], [1, 239]);
});

test('lease stall: the demonstration kills a node and sees its work done', async () => {
  const { output } = await world.type('stall-demo', 'none', 0);
  assert.match(output, /range_requeued/);
  assert.match(output, /job_drained/);
});

test('slow node: one that delivers far less than others is told, drained, and its work done', async () => {
  const trouble = await Trouble.submit(world, 'slow');
  await trouble.cause('pace', 300);
  const slow = trouble.agent('n2', [], 20);
  await until('it has work', async () => (await trouble.held('n2')).length > 0);
  const other = trouble.agent('n1');
  await until('the other gets on', async () => (await trouble.committed()) >= 24);
  await world.type('slow-check', trouble.job, 0);
  await world.type('slow-act', trouble.job, 0, { NODE: 'n2' });
  assert.equal((await slow.ended).code, 0, 'it left by itself');
  assert.equal(await world.isCompleted(trouble.job), false);
  await trouble.mend('pace');
  await trouble.completes();
  assert.equal((await other.ended).code, 0);
});

test('manifest: one that nobody has is waited for, and used once it is put back', async () => {
  const trouble = await Trouble.submit(world, 'unread');
  const hash = (await world.snapshot(trouble.job)).spec.manifestHash;
  const kept = world.bench.path('manifests', 'by-hash', hash);
  const copy = world.bench.path('copy.tsv');
  // The coordinators have the file open from the jobs before this one; started again they have not.
  await world.restart();
  await rename(kept, copy);
  const agent = trouble.agent('n1');
  await until('it waits', () => eventsOf(agent).some(({ event }) => event === 'manifest_wait'));
  await world.type('manifest-check', trouble.job, 1);
  await world.type('manifest-fallback', trouble.job, 0, { COPY: copy });
  assert.equal(await trouble.committed(), 0);
  await world.type('manifest-act', trouble.job, 0, { COPY: copy, MANIFEST_HASH: hash });
  await trouble.completes();
  await world.type('manifest-then', trouble.job, 0);
  const variables = { DATA: world.bench.path('in'), MANIFEST_HASH: hash };
  const { output } = await world.type('manifest-verify', trouble.job, 0, variables);
  assert.match(output, /verified 240 samples, .*: no differences/);
  assert.equal((await agent.ended).code, 0);
});

test('memory: a worker over its cap ends the job by name, and it goes on with a higher cap under pressure', async () => {
  const trouble = await Trouble.submit(world, 'tight');
  await trouble.cause('rss', 395 * MIB);
  await trouble.cause('pace', 250);
  const first = await trouble.agent('n0', ['--max-process-rss-bytes', '200MiB']).ended;
  assert.equal(first.code, 5, first.stderr);
  assert.match(first.stderr, /process rss \d+ exceeds max_process_rss_bytes 209715200; turn /);
  for (const knob of ['max_inflight_bytes', 'prefetch_batches', 'max_queue_batches']) {
    assert(first.stderr.includes(knob), `${knob} is named in: ${first.stderr}`);
  }
  await world.type('memory-resume', trouble.job, 0);
  const agent = trouble.agent('n1', ['--max-process-rss-bytes', '420MiB', '--no-autotune']);
  await until('it is close to its cap', async () => {
    const [node] = (await world.snapshot(trouble.job)).nodes;
    return (node?.stats.ramHighWaterBytes ?? 0) > 385 * MIB;
  });
  await world.type('memory-check', trouble.job, 6);
  await world.type('memory-act', trouble.job, 0);
  await until('it works within the new caps', async () => {
    const [node] = (await world.snapshot(trouble.job)).nodes;
    return node?.stats.effectiveWant === 1 && (await trouble.held('n1')).length <= 1;
  });
  await world.type('memory-then', trouble.job, 0);
  await world.type('memory-back', trouble.job, 0);
  await trouble.mend('pace');
  await trouble.completes();
  const { code, stderr } = await agent.ended;
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stderr, /exceeds max_process_rss_bytes/);
});

test('memory: that a cap that is too small fails fast can be tried from a checkout', async () => {
  const { output } = await world.type('memory-gate', 'none', 0);
  assert.match(output, /pass 1/);
});

test('coordinators: the standby takes over, and both that ended go on from what they answered', async () => {
  const trouble = await Trouble.submit(world, 'led');
  await trouble.cause('pace', 400);
  const agent = trouble.agent('n1');
  await until('work is under way', async () => (await trouble.committed()) > 0);
  const { index, mx8 } = await world.cluster.leader();
  mx8.child.kill('SIGKILL');
  await mx8.ended;
  assert.equal((await world.cluster.leader()).index, 1 - index);
  await trouble.getsOn();
  await world.type('coordinator-check', trouble.job, 0);

  const second = world.cluster.mx8(1 - index);
  second.child.kill('SIGKILL');
  await second.ended;
  await world.type('coordinator-down', trouble.job, 6);
  await world.serve();
  await trouble.getsOn();
  await world.type('coordinator-then', trouble.job, 0);
  assert.equal((await world.snapshot(trouble.job)).counters.leasesExpiredTotal, 0);
  await trouble.mend('pace');
  await trouble.completes();
  assert.equal((await agent.ended).code, 0);
});

test('a job that does not get on says why: no agent, more nodes, paused, quarantined', async () => {
  const trouble = await Trouble.submit(world, 'waiting', ['--min-world-size', '2']);
  const said = async (): Promise<string> => (await world.type('job-check', trouble.job, 0)).output;
  assert.match(
    await said(),
    /stalled\n {2}No agent has registered yet\.\n.*Start one with: mx8 agent/,
  );
  await trouble.cause('pace', 200);
  const agents = [trouble.agent('n1')];
  await until('it waits', async () => (await world.snapshot(trouble.job)).registeredNodes === 1);
  assert.match(await said(), /stalled\n {2}The job waits for 1 more node \(min_world_size is 2\)/);
  agents.push(trouble.agent('n2'));
  await trouble.getsOn();
  await world.type('job-act', trouble.job, 0);
  await trouble.getsOn();
  await trouble.mend('pace');
  await trouble.completes();
  for (const agent of agents) assert.equal((await agent.ended).code, 0);
  assert.match(
    (await world.type('job-check', 'poisoned', 0)).output,
    /1 sample .*quarantine|quarantine +1 sample/,
  );
});

test('misconfiguration: a folder that cannot be written is named with the flag for another', async () => {
  await writeFile(world.bench.path('file'), '');
  const wrong = { MX8_MANIFEST_STORE_ROOT: world.bench.path('file', 'manifests') };
  const { output } = await world.type('setup-check', 'well', 6, wrong);
  assert.match(output, /manifest-store/);
});

test('every block of the runbook was typed', () => {
  assert.deepEqual(untyped(world.executed), []);
});
