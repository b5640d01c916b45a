/** A coordinator that is killed in mid-traffic and started again: what it answered is there for ever. */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

import { jobId, nodeId } from '../../src/core/base/units.ts';
import { IntervalSet } from '../../src/core/base/interval-set.ts';
import type { Lease } from '../../src/core/job/protocol.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import type { NodeIdentity } from '../../src/ports/coordinator-client.ts';
import { TEST_CAPS } from '../../src/testing/index.ts';
import { GrpcCoordinatorClient } from '../../src/wire/grpc-coordinator-client.ts';

const JOB = jobId('job');
const SAMPLES = 10_000;
const PIECE = 5;
const FIXTURE = new URL('fixtures/coordinator-process.ts', import.meta.url);

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
}

async function start(state: string, port: number): Promise<Running> {
  const child = fork(FIXTURE, [state, String(port), String(SAMPLES)]);
  const [message] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the coordinator ended with ${String(code)} before it served`);
    }),
  ])) as [{ port: number }];
  return { child, port: message.port };
}

async function kill({ child }: Running): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

/** A node that commits piece after piece and remembers every answer. */
class Worker {
  readonly node: NodeIdentity;
  readonly client: GrpcCoordinatorClient;
  readonly answered: { readonly start: number; readonly end: number; readonly leaseId: string }[];
  readonly leases: Map<string, Lease> = new Map<string, Lease>();

  constructor(name: string, port: number) {
    this.node = { jobId: JOB, nodeId: nodeId(name), instanceId: `${name} of this test` };
    this.client = new GrpcCoordinatorClient({
      coordUrl: `http://127.0.0.1:${port}`,
      clock: nodeClock(),
      random: nodeRandom(),
    });
    this.answered = [];
  }

  /** Works until the job is drained. Every call is answered, however often the coordinator dies. */
  async work(): Promise<void> {
    await this.client.register(this.node, TEST_CAPS, new Uint8Array(0));
    for (;;) {
      const held = [...this.leases.values()].map(({ leaseId }) => leaseId);
      const { leases, jobDrained } = await this.client.requestLeases(this.node, 4, held);
      for (const lease of leases) this.leases.set(lease.leaseId, lease);
      if (this.leases.size === 0 && jobDrained) return;
      await Promise.all([...this.leases.values()].map((lease) => this.#commitAll(lease)));
    }
  }

  async #commitAll({ leaseId, range, cursor }: Lease): Promise<void> {
    for (let start = cursor; start < range.end; start += PIECE) {
      const end = Math.min(range.end, start + PIECE);
      const rows = end - start;
      const output = { leaseId, start, end, rows, bytes: rows * 10, quarantined: [] };
      const { cursor: reached } = await this.client.commit(this.node, output);
      assert.equal(reached, end);
      this.answered.push({ start, end, leaseId });
    }
    this.leases.delete(leaseId);
  }
}

test('what was answered before kill -9 is there after the restart, and the job goes on to its end', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mx8-kill-'));
  const state = join(folder, 'coordinator.sqlite');
  let running = await start(state, 0);
  const workers = [new Worker('n1', running.port), new Worker('n2', running.port)];
  const observer = new Worker('observer', running.port);
  try {
    const work = Promise.all(workers.map((worker) => worker.work()));
    const outcome = work.then(() => null);
    for (const least of [500, 2000, 5000]) {
      const answered = (): number => workers.reduce((sum, one) => sum + one.answered.length, 0);
      while (answered() < least / PIECE) {
        await Promise.race([outcome, new Promise((resolve) => setTimeout(resolve, 5))]);
      }
      await kill(running);
      const before = workers.map((worker) => worker.answered.slice());
      running = await start(state, running.port);
      const committed = await committedBy(observer);
      for (const { start: from, end, leaseId } of before.flat()) {
        assert.equal(committed.get(`${from} ${end}`), leaseId, `piece [${from}, ${end}) is there`);
      }
    }
    await work;
    const pieces = await committedBy(observer);
    const cover = new IntervalSet();
    for (const key of pieces.keys()) {
      const [from = 0, end = 0] = key.split(' ').map(Number);
      assert.equal(cover.add(from, end), end - from, `[${from}, ${end}) is committed once`);
    }
    assert.equal(cover.size, SAMPLES);
    const snapshot = await observer.client.snapshot(JOB);
    assert.equal(snapshot.jobDrained, true);
    assert.equal(snapshot.output.rows, SAMPLES);
    // No lease was lost to a restart: all were as they had been.
    assert.equal(snapshot.counters.leasesExpiredTotal, 0);
    assert.equal(snapshot.counters.leasesGrantedTotal, SAMPLES / 20);
  } finally {
    for (const worker of [...workers, observer]) await worker.client.close();
    await kill(running);
    await rm(folder, { recursive: true });
  }
});

async function committedBy(observer: Worker): Promise<Map<string, string>> {
  const committed = new Map<string, string>();
  for await (const pieces of observer.client.committedPieces(JOB)) {
    for (const { start, end, leaseId } of pieces) committed.set(`${start} ${end}`, leaseId);
  }
  return committed;
}

test('a second coordinator on the same state takes over, and the first ends without a wrong answer', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mx8-kill-'));
  const state = join(folder, 'coordinator.sqlite');
  const first = await start(state, 0);
  const worker = new Worker('n1', first.port);
  let second: Running | null = null;
  try {
    await worker.client.register(worker.node, TEST_CAPS, new Uint8Array(0));
    const { leases } = await worker.client.requestLeases(worker.node, 2, []);
    second = await start(state, 0);
    const ended = once(first.child, 'exit');
    // Asked of the one that leads no more: its write is fenced, it says nothing and ends.
    const asked = worker.client.requestLeases(worker.node, 4, []);
    await ended;
    assert.equal(first.child.exitCode, 3);
    const successor = new Worker('n1', second.port);
    const again = await successor.client
      .register(successor.node, TEST_CAPS, new Uint8Array(0))
      .then(() => successor.client.requestLeases(successor.node, 2, []));
    assert.deepEqual(
      again.leases.map(({ leaseId }) => leaseId),
      leases.map(({ leaseId }) => leaseId),
    );
    await successor.client.close();
    await worker.client.close();
    await assert.rejects(asked, { code: 'coordinator_unavailable' });
  } finally {
    await worker.client.close();
    for (const running of [first, second]) if (running !== null) await kill(running);
    await rm(folder, { recursive: true });
  }
});
