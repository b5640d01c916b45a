import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type JobId, jobId, manifestHash, monoMs, nodeId } from '../base/units.ts';
import { decodeRecords, decodeSnapshot, encodeRecords, encodeSnapshot } from './codec.ts';
import { applyEntry, assertInvariants, emptyState, step, takeOver } from './coordinator.ts';
import { DAY_MS } from '../base/retention.ts';
import { COMPLETED_JOBS_MAX, FORGOTTEN_PER_TICK_MAX } from './decide-forget.ts';
import type { Command, JobSpec, Reply, StepContext } from './protocol.ts';
import type { JobRecord } from './records.ts';

const TTL_MS = 1000;
const OWN = jobId('own');
const NAMES = ['a', 'b', 'c', OWN].map(jobId);
const CAPS = {
  maxFetchConcurrency: 1,
  maxDecodeConcurrency: 1,
  maxInflightBytes: 1,
  maxRamBytes: 1,
};

function specOf(id: JobId, commitsOutputs: boolean): JobSpec {
  return {
    jobId: id,
    manifestHash: manifestHash('00'.repeat(32)),
    sampleCount: 2,
    blockSize: 1,
    worldSize: 2,
    minWorldSize: 1,
    shuffle: false,
    seed: 0n,
    epoch: 0,
    leaseTtlMs: TTL_MS,
    heartbeatIntervalMs: 100,
    commitsOutputs,
    adoptsFirstJobId: false,
  };
}

/** What the records say of a job, in the plainest way. */
interface Told {
  phase: string;
  completedUnixMs: number;
  readonly nodes: Set<string>;
}

class World {
  state = emptyState();
  nowMs = 0;
  epoch = 1;
  seq = 0;
  readonly told: Map<string, Told> = new Map<string, Told>();
  readonly tokens: Set<string> = new Set<string>();
  /** By job and node: the token that it was told last. */
  readonly known: Map<string, string> = new Map<string, string>();
  snapshot: { bytes: Uint8Array; seq: number } | null = null;
  readonly log: { epoch: number; seq: number; payload: Uint8Array }[] = [];
  readonly keepJobs: { readonly latest: number; readonly keepMs: number };

  constructor(keepJobs: { readonly latest: number; readonly keepMs: number }) {
    this.keepJobs = keepJobs;
  }

  get context(): StepContext {
    const { nowMs, epoch, keepJobs } = this;
    const position = { epoch, seq: this.seq + 1, nextIndex: 0, relief: 'off' as const };
    const ownJobs = new Set([OWN]);
    return { nowMs: monoMs(nowMs), nowUnixMs: nowMs, ...position, keepJobs, ownJobs };
  }

  do(command: Command): Reply {
    const { records, reply } = step(this.state, command, this.context);
    if (records.length > 0) {
      this.seq += 1;
      this.log.push({ epoch: this.epoch, seq: this.seq, payload: encodeRecords(records) });
    }
    records.forEach((record, index) => this.#note(record, `${this.epoch}.${this.seq}.${index}`));
    assert.deepEqual([...this.state.jobs.keys()].sort(), [...this.told.keys()].sort());
    assertInvariants(this.state);
    return reply;
  }

  #note(record: JobRecord, token: string): void {
    if (record.type === 'job_created') {
      assert(!this.tokens.has(token));
      this.tokens.add(token);
      const fresh = { phase: 'running', completedUnixMs: 0, nodes: new Set<string>() };
      this.told.set(record.spec.jobId, fresh);
      return;
    }
    const job = this.told.get(record.job);
    assert(job !== undefined, `${record.type} of ${record.job}`);
    if (record.type === 'node_registered') job.nodes.add(record.node);
    if (record.type === 'rank_released') job.nodes.delete(record.node);
    if (record.type === 'job_failed') job.phase = 'failed';
    if (record.type === 'job_draining') job.phase = 'draining';
    if (record.type === 'job_resumed') job.phase = 'running';
    if (record.type === 'finalize_granted') job.phase = 'finalizing';
    if (record.type === 'job_completed') {
      job.phase = 'completed';
      job.completedUnixMs = this.nowMs;
    }
    if (record.type === 'job_forgotten') this.#forgotten(record, job);
  }

  #forgotten({ job: id, why }: Extract<JobRecord, { type: 'job_forgotten' }>, job: Told): void {
    assert.equal(job.nodes.size, 0);
    assert.notEqual(id, OWN);
    this.told.delete(id);
    if (why === 'operator') assert(['completed', 'failed', 'draining'].includes(job.phase));
    else {
      assert.equal(job.phase, 'completed');
      assert(this.nowMs - job.completedUnixMs >= this.keepJobs.keepMs);
      const left = [...this.told.values()].filter(({ phase }) => phase === 'completed');
      assert(left.length >= this.keepJobs.latest);
    }
  }

  /** After a tick nothing is left that may go. */
  tick(deltaMs: number): void {
    this.nowMs += deltaMs;
    this.do({ type: 'tick' });
    const over = [...this.told].filter(([, { phase }]) => phase === 'completed');
    const old = over
      .filter(([, job]) => this.nowMs - job.completedUnixMs >= this.keepJobs.keepMs)
      .filter(([id, { nodes }]) => id !== OWN && nodes.size === 0);
    assert(old.length <= this.keepJobs.latest, `${old.length} old ones are left`);
  }

  restart(): void {
    const before = encodeSnapshot(this.state, { durableOnly: true });
    for (const snapshot of [null, this.snapshot]) {
      const state = snapshot === null ? emptyState() : decodeSnapshot(snapshot.bytes);
      for (const entry of this.log) {
        if (entry.seq <= (snapshot?.seq ?? 0)) continue;
        applyEntry(state, { ...entry, records: decodeRecords(entry.payload) }, monoMs(0));
      }
      assert.deepEqual(encodeSnapshot(state, { durableOnly: true }), before);
      this.state = state;
    }
    this.epoch += 1;
    takeOver(this.state, monoMs(this.nowMs));
  }

  register(id: JobId, node: string, knows: boolean): void {
    const jobToken = this.known.get(`${id} ${node}`);
    const known = knows && jobToken !== undefined ? { jobToken } : {};
    const from = { jobId: id, nodeId: nodeId(node), instanceId: node, caps: CAPS };
    const reply = this.do({ type: 'register', ...from, resumeFrom: new Uint8Array(0), ...known });
    if (reply.type !== 'registered') return;
    assert(reply.jobToken !== undefined);
    if ('jobToken' in known) assert.equal(reply.jobToken, known.jobToken);
    this.known.set(`${id} ${node}`, reply.jobToken);
  }

  /** Takes what there is, does it, and publishes it. */
  work(id: JobId, node: string): void {
    const from = { jobId: id, nodeId: nodeId(node), instanceId: node };
    const reply = this.do({ type: 'request_lease', ...from, want: 1, held: [] });
    const outputs = this.state.jobs.get(id)?.spec.commitsOutputs === true;
    for (const { leaseId, range, cursor } of reply.type === 'leases' ? reply.leases : []) {
      const at = { leaseId, start: cursor, end: range.end, cursor: range.end };
      const none = { rows: 0, bytes: 0, quarantined: [], deliveredSamples: 0, deliveredBytes: 0 };
      this.do({ type: outputs ? 'commit' : 'progress', ...from, ...at, ...none });
    }
    const finalize = this.do({ type: 'request_finalize', ...from });
    const token = finalize.type === 'finalize' ? finalize.finalizeToken : null;
    if (token === null) return;
    this.do({ type: 'complete_job', ...from, finalizeToken: token, outputManifestHash: null });
  }
}

const ids = fc.constantFrom(...NAMES);
const nodes = fc.constantFrom('n1', 'n2');
const actions: fc.Arbitrary<(world: World) => void> = fc.oneof(
  fc.tuple(ids, fc.boolean()).map(([id, outputs]) => (world: World) => {
    world.do({ type: 'create_job', spec: specOf(id, outputs) });
  }),
  fc.tuple(ids, nodes, fc.boolean()).map(
    ([id, node, knows]) =>
      (world: World) =>
        world.register(id, node, knows),
  ),
  {
    weight: 4,
    arbitrary: fc.tuple(ids, nodes).map(
      ([id, node]) =>
        (world: World) =>
          world.work(id, node),
    ),
  },
  fc.tuple(ids, nodes, fc.boolean()).map(([id, node, fails]) => (world: World) => {
    const from = { jobId: id, nodeId: nodeId(node), instanceId: node };
    if (fails) world.do({ type: 'fail_job', ...from, code: 'process_failed', message: '' });
    else world.do({ type: 'leave', ...from });
  }),
  fc.tuple(ids, fc.boolean()).map(([id, drains]) => (world: World) => {
    world.do({ type: drains ? 'drain_job' : 'resume_job', jobId: id });
  }),
  {
    weight: 2,
    arbitrary: ids.map((id) => (world: World) => {
      const operation = { type: 'forget' } as const;
      world.do({ type: 'operate', jobId: id, operation, dryRun: false });
    }),
  },
  { weight: 2, arbitrary: fc.nat(2 * TTL_MS).map((ms) => (world: World) => world.tick(ms)) },
  fc.constant((world: World) => world.restart()),
  fc.constant((world: World) => {
    world.snapshot = { bytes: encodeSnapshot(world.state), seq: world.seq };
  }),
);

test('whatever is asked, only what is over goes, in its time, stays gone, and its name is another job’s', () => {
  let forgotten = 0;
  fc.assert(
    fc.property(
      fc.record({ latest: fc.nat(2), keepMs: fc.nat(1500) }),
      fc.array(actions, { maxLength: 150, size: 'max' }),
      (keepJobs, run) => {
        const world = new World(keepJobs);
        for (const action of run) action(world);
        world.restart();
        forgotten += world.tokens.size - world.told.size;
      },
    ),
    { numRuns: 300, seed: 65 },
  );
  assert(forgotten > 100, `${forgotten} jobs were forgotten`);
});

test('a failure of a job that was forgotten is none of the next one of its name', () => {
  const id = jobId('a');
  const world = new World({ latest: 10, keepMs: 0 });
  const from = { jobId: id, nodeId: nodeId('n'), instanceId: 'n' };
  const fails = { type: 'fail_job', ...from, code: 'process_failed', message: '' } as const;
  world.do({ type: 'create_job', spec: specOf(id, true) });
  world.register(id, 'n', false);
  const jobToken = world.known.get('a n') ?? '';
  world.do({ type: 'drain_job', jobId: id });
  // It is not heard of for a while, and comes back late.
  world.tick(TTL_MS);
  world.do({ type: 'operate', jobId: id, operation: { type: 'forget' }, dryRun: false });
  world.do({ type: 'create_job', spec: specOf(id, true) });
  world.register(id, 'other', false);

  const refusal = world.do({ ...fails, jobToken });
  assert.equal(refusal.type === 'refused' && refusal.code, 'job_unknown');
  assert.equal(world.state.jobs.get(id)?.phase, 'running');
  // Whoever was never let in may still say why it cannot take part, as may one of an older version.
  assert.equal(world.do(fails).type, 'ok');
  assert.equal(world.state.jobs.get(id)?.phase, 'failed');
});

test('a job that took the name of its first node has not gone, for whoever knew it by the name before', () => {
  const id = jobId('unnamed');
  const { state, context } = new World({ latest: 10, keepMs: 0 });
  const spec = { ...specOf(id, false), adoptsFirstJobId: true };
  step(state, { type: 'create_job', spec }, context);
  const before = step(state, { type: 'get_snapshot', jobId: id }, context).reply;
  assert(before.type === 'snapshot' && before.jobToken !== undefined);
  const node = { jobId: jobId('b'), nodeId: nodeId('n'), instanceId: 'n' };
  const register = {
    type: 'register',
    ...node,
    caps: CAPS,
    resumeFrom: new Uint8Array(0),
  } as const;
  assert.equal(step(state, register, context).reply.type, 'registered');
  const operation = { type: 'forget', jobToken: before.jobToken } as const;
  const { reply } = step(state, { type: 'operate', jobId: id, operation, dryRun: false }, context);
  assert.equal(reply.type === 'refused' && reply.code, 'job_unknown');
});

test('what piled up goes a part at a time, oldest first, and the last ones stay', () => {
  const count = 2 * FORGOTTEN_PER_TICK_MAX + 50;
  const world = new World({ latest: 10, keepMs: 0 });
  for (let index = 0; index < count; index += 1) {
    const id = jobId(`j${index}`);
    world.nowMs += 1;
    world.do({ type: 'create_job', spec: specOf(id, false) });
    world.register(id, 'n', false);
    world.work(id, 'n');
    world.work(id, 'n');
    world.do({ type: 'leave', jobId: id, nodeId: nodeId('n'), instanceId: 'n' });
  }
  const left = [0, 1, 2, 3].map(() => {
    world.do({ type: 'tick' });
    return world.state.jobs.size;
  });
  assert.deepEqual(left, [count - 100, count - 200, 10, 10]);
  const [first] = world.state.jobs.keys();
  assert.equal(first, `j${count - 10}`);
});

test('of a burst of jobs the last stay that a coordinator can hold, however young, or as many as it is to keep', () => {
  const state = emptyState();
  const count = COMPLETED_JOBS_MAX + 150;
  const at = { epoch: 1, nextIndex: 0, relief: 'off' } as const;
  for (let seq = 1; seq <= count; seq += 1) {
    const job = jobId(`j${seq}`);
    const node = { job, node: nodeId('n') };
    const spec = { ...specOf(job, false), sampleCount: 1 };
    const records: readonly JobRecord[] = [
      { type: 'job_created', spec },
      { type: 'node_registered', ...node, instance: null, rank: 0, caps: CAPS, atUnixMs: seq },
      { type: 'job_ready', job },
      { type: 'lease_granted', ...node, start: 0, end: 1 },
      { type: 'progress', job, lease: `1.${seq}.3` as never, cursor: 1 },
      { type: 'job_completed', job, outputManifestHash: null, atUnixMs: seq },
      { type: 'rank_released', ...node, reason: 'node_left', atUnixMs: seq },
    ];
    applyEntry(state, { epoch: 1, seq, records }, monoMs(0));
  }
  const left = [count - 50, 10, 10, 10].map((latest) => {
    const keepJobs = { latest, keepMs: DAY_MS };
    step(
      state,
      { type: 'tick' },
      { ...at, nowMs: monoMs(0), nowUnixMs: count, seq: count + 1, keepJobs },
    );
    return state.jobs.size;
  });
  assert.deepEqual(left, [count - 50, ...[0, 0, 0].map(() => COMPLETED_JOBS_MAX)]);
  const [first] = state.jobs.keys();
  assert.equal(first, 'j151');
});

test('of a job that an older version saw complete, age counts from when its last node went', () => {
  const id = jobId('old');
  const node = { job: id, node: nodeId('n'), atUnixMs: 7000 };
  const lease = '1.1.3' as never;
  const records: readonly JobRecord[] = [
    { type: 'job_created', spec: { ...specOf(id, false), sampleCount: 1 } },
    { type: 'node_registered', ...node, instance: null, rank: 0, caps: CAPS },
    { type: 'job_ready', job: id },
    { type: 'lease_granted', job: id, node: node.node, start: 0, end: 1 },
    { type: 'progress', job: id, lease, cursor: 1 },
    { type: 'job_completed', job: id, outputManifestHash: null },
    { type: 'rank_released', ...node, reason: 'node_left' },
  ];
  const world = new World({ latest: 0, keepMs: 500 });
  applyEntry(world.state, { epoch: 1, seq: 1, records }, monoMs(0));
  const job = world.state.jobs.get(id);
  assert.deepEqual([job?.token, job?.endedUnixMs], [null, 7000]);
  const leftAt = [7499, 7500].map((nowUnixMs) => {
    step(world.state, { type: 'tick' }, { ...world.context, nowUnixMs });
    return world.state.jobs.size;
  });
  assert.deepEqual(leftAt, [1, 0]);
});
