/** Supervision of workers, step by step: who is started, killed, given what, and when the job fails. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { leaseId, monoMs, nodeId, type LeaseId } from '../base/units.ts';
import { crewWakeMs, newCrew, stepCrew } from './crew.ts';
import { STOP_GRACE_MS } from './limits.ts';
import type { CrewEffect, CrewEvent, WorkerEnd } from './crew-protocol.ts';

const L1 = leaseId({ epoch: 1, seq: 1, index: 0 });
const L2 = leaseId({ epoch: 1, seq: 2, index: 0 });
const CRASH: WorkerEnd = { code: 'worker_crashed', message: 'exit status 1' };

class Script {
  readonly #state;
  #nowMs = 0;
  #incarnation = 0;
  #workId = 0;

  constructor(onError: 'fail' | 'quarantine', workers = 1, stallTimeoutMs = 1_000) {
    const jobFile = '/jobs/a.job.ts';
    const options = { workers, stages: true, stallTimeoutMs, onError, jobFile };
    this.#state = newCrew(options, monoMs(0));
  }

  at(nowMs: number): this {
    this.#nowMs = nowMs;
    return this;
  }

  tell(event: CrewEvent): string[] {
    const effects = stepCrew(this.#state, event, monoMs(this.#nowMs));
    for (const effect of effects) {
      if (effect.type === 'spawn') this.#incarnation = effect.incarnation;
      if (effect.type === 'start_work') this.#workId = effect.order.workId;
    }
    return effects.flatMap(shown);
  }

  /** A worker in slot 0 that is ready and has samples [0, 12) of the lease. */
  static working(onError: 'fail' | 'quarantine', stallTimeoutMs = 1_000): Script {
    const script = new Script(onError, 1, stallTimeoutMs);
    script.tell({ type: 'tick' });
    script.ready();
    script.lease(L1);
    return script;
  }

  ready(): string[] {
    return this.tell({ type: 'worker_ready', slot: 0, incarnation: this.#incarnation });
  }

  lease(id: LeaseId): string[] {
    const lease = { leaseId: id, nodeId: nodeId('n'), range: { start: 0, end: 12 }, cursor: 0 };
    return this.tell({ type: 'lease_started', lease });
  }

  begin(start: number, end: number): void {
    this.tell({ type: 'batch_begun', workId: this.#workId, start, end });
  }

  finish(cursor: number): string[] {
    const workId = this.#workId;
    return this.tell({ type: 'batch_done', workId, cursor, samples: 1, bytes: 1 });
  }

  stage(start: number, end: number): string[] {
    const rows = end - start;
    const piece = { leaseId: L1, start, end, rows, bytes: 1, quarantined: [] };
    return this.tell({ type: 'piece_staged', workId: this.#workId, piece });
  }

  done(): string[] {
    return this.tell({ type: 'work_done', workId: this.#workId });
  }

  /** The process ends with that batch in hand; the next one is started and gets ready. */
  die(start: number, end: number, how: WorkerEnd = CRASH): string[] {
    this.begin(start, end);
    return this.exit(how);
  }

  exit(how: WorkerEnd = CRASH): string[] {
    const incarnation = this.#incarnation;
    const told = this.tell({ type: 'worker_exited', slot: 0, incarnation, end: how });
    if (told.some((line) => line.startsWith('fail'))) return told;
    const wakeMs = crewWakeMs(this.#state);
    if (wakeMs !== null && this.#incarnation === incarnation) {
      told.push(...this.at(wakeMs).tell({ type: 'tick' }));
    }
    return [...told, ...this.ready()];
  }

  get wakeMs(): number | null {
    return crewWakeMs(this.#state);
  }
}

function shown(effect: CrewEffect): string[] {
  switch (effect.type) {
    case 'spawn':
      return [`spawn ${effect.slot}.${effect.incarnation}`];
    case 'kill':
      return [`kill ${effect.slot}.${effect.incarnation}`];
    case 'start_work': {
      const { start, end, leaseId: id, singly, poisoned } = effect.order;
      const alone = singly === null ? '' : ` singly ${singly.start}-${singly.end}`;
      const without = poisoned.map(({ sampleId }) => ` without ${sampleId}`).join('');
      return [`work ${id} ${start}-${end}${alone}${without}`];
    }
    case 'stop_work':
      return [effect.flush ? 'flush' : 'stop'];
    case 'piece_staged':
      return [`staged ${effect.piece.start}-${effect.piece.end}`];
    case 'delivered':
      return [`delivered ${effect.cursor}`];
    case 'release':
      return [`release ${effect.leaseId}`];
    case 'fail':
      return [`fail ${effect.code}: ${effect.message}`];
    default:
      return [];
  }
}

test('a worker that dies is started again and goes on after the last staged piece', () => {
  const script = Script.working('fail');
  assert.deepEqual(script.finish(4), ['delivered 4']);
  assert.deepEqual(script.stage(0, 4), ['staged 0-4']);
  assert.deepEqual(script.finish(8), ['delivered 8']);
  assert.deepEqual(script.die(8, 12), ['spawn 0.2', 'work 1.1.0 4-12']);
});

test('with on-error fail three deaths with one batch name its sample, then fail the job', () => {
  const script = Script.working('fail');
  assert.deepEqual(script.die(4, 8), ['spawn 0.2', 'work 1.1.0 0-12']);
  assert.deepEqual(script.die(4, 8), ['spawn 0.3', 'work 1.1.0 0-12']);
  assert.deepEqual(script.die(4, 8), ['spawn 0.4', 'work 1.1.0 0-12 singly 4-8']);
  assert.deepEqual(script.die(6, 7), [
    'fail worker_crashed: a worker process ended with sample 6 in hand: exit status 1',
  ]);
});

test('with on-error quarantine the sample is left out after two deaths alone', () => {
  const script = Script.working('quarantine');
  for (let death = 0; death < 3; death += 1) script.die(4, 8);
  assert.deepEqual(script.die(6, 7), ['spawn 0.5', 'work 1.1.0 0-12 singly 4-8']);
  assert.deepEqual(script.die(6, 7), ['spawn 0.6', 'work 1.1.0 0-12 singly 4-8 without 6']);
});

test('deaths at different batches do not add up, deaths without progress do', () => {
  const script = Script.working('fail');
  for (let death = 0; death < 9; death += 1) {
    const at = (death % 5) * 2;
    const told = script.die(at, at + 2);
    assert(!told.some((line) => line.startsWith('fail')), told.join());
  }
  assert.match(script.die(10, 12).join(), /^fail .* 10 times after sample 0 without getting on/);
});

test('a worker that finishes no batch within the stall budget is killed and counted', () => {
  const script = Script.working('quarantine');
  script.begin(0, 4);
  assert.equal(script.wakeMs, 1_000);
  assert.deepEqual(script.at(999).tell({ type: 'tick' }), []);
  assert.deepEqual(script.at(1_000).tell({ type: 'tick' }), ['kill 0.1']);
  assert.deepEqual(script.exit(), ['spawn 0.2', 'work 1.1.0 0-12']);
});

test('finished batches push the stall budget on, begun ones do not', () => {
  const script = Script.working('fail');
  script.at(600).finish(4);
  script.at(1_500).begin(4, 8);
  assert.equal(script.wakeMs, 1_600);
});

test('a worker that cannot be started fails the job after three tries', () => {
  const script = new Script('fail');
  assert.deepEqual(script.tell({ type: 'tick' }), ['spawn 0.1']);
  const exit = (incarnation: number): string[] =>
    script.tell({ type: 'worker_exited', slot: 0, incarnation, end: CRASH });
  assert.deepEqual(exit(1), ['spawn 0.2']);
  assert.deepEqual(exit(2), []);
  assert.deepEqual(script.at(100).tell({ type: 'tick' }), ['spawn 0.3']);
  assert.match(
    exit(3).join(),
    /^fail worker_crashed: a worker could not be started with job module \/jobs\/a\.job\.ts: exit status 1/,
  );
});

test('a worker that does not finish loading is killed as what it is: a module that does not load', () => {
  const script = new Script('fail');
  script.tell({ type: 'tick' });
  assert.match(script.at(1_000).tell({ type: 'tick' }).join(), /kill 0/);
  for (const incarnation of [1, 2, 3]) {
    const gone = script.tell({ type: 'worker_exited', slot: 0, incarnation, end: CRASH }).join();
    if (incarnation === 3)
      assert.match(gone, /fail job_module_invalid: .*\/jobs\/a\.job\.ts did not/);
    script.at(incarnation * 10_000).tell({ type: 'tick' });
    script.at(incarnation * 10_000 + 1_000).tell({ type: 'tick' });
  }
});

test('a lease that comes back waits for the worker that has yet to stop on it', () => {
  const script = new Script('fail', 2);
  script.tell({ type: 'tick' });
  for (const slot of [0, 1]) script.tell({ type: 'worker_ready', slot, incarnation: 1 });
  assert.deepEqual(script.lease(L1), ['work 1.1.0 0-12']);
  assert.deepEqual(script.tell({ type: 'lease_gone', leaseId: L1 }), ['stop']);
  assert.deepEqual(script.stage(0, 4), [], 'what it still stages does not count');
  assert.deepEqual(script.lease(L1), []);
  assert.deepEqual(script.lease(L2), ['work 1.2.0 0-12']);
  assert.deepEqual(script.tell({ type: 'work_done', workId: 1 }), ['work 1.1.0 0-12']);
});

test('a worker that does not stop with a lease that was taken away is killed long before the stall budget', () => {
  const script = Script.working('fail', STOP_GRACE_MS * 10);
  script.begin(0, 4);
  script.at(1_000).tell({ type: 'lease_gone', leaseId: L1 });
  assert.deepEqual(script.lease(L2), [], 'it waits for the worker');
  assert.deepEqual(script.at(1_000 + STOP_GRACE_MS - 1).tell({ type: 'tick' }), []);
  assert.equal(script.wakeMs, 1_000 + STOP_GRACE_MS);
  assert.deepEqual(script.at(1_000 + STOP_GRACE_MS).tell({ type: 'tick' }), ['kill 0.1']);
  assert.deepEqual(script.exit(), ['spawn 0.2', 'work 1.2.0 0-12']);
});

test('a failure in work on a lease that was lost is nobody’s', () => {
  const script = Script.working('fail');
  script.tell({ type: 'lease_gone', leaseId: L1 });
  const end: WorkerEnd = { code: 'output_write_failed', message: 'gone' };
  const failed = { type: 'worker_failed', slot: 0, incarnation: 1, workId: 1, end } as const;
  assert.deepEqual(script.tell(failed), []);
  assert.deepEqual(script.tell({ ...failed, workId: null }), ['fail output_write_failed: gone']);
});

test('winding down flushes what is in hand, gives the rest back and starts nothing', () => {
  const script = Script.working('fail');
  assert.deepEqual(script.lease(L2), []);
  assert.deepEqual(script.tell({ type: 'wind_down' }), ['flush', 'release 1.2.0']);
  assert.deepEqual(script.finish(4), ['delivered 4']);
  assert.deepEqual(script.stage(0, 4), ['staged 0-4']);
  assert.deepEqual(script.done(), ['release 1.1.0']);
  assert.deepEqual(script.lease(L2), ['release 1.2.0']);
});

test('a worker whose lease got shorter stages what it has, and goes on up to the new end', () => {
  const script = Script.working('fail');
  script.begin(0, 4);
  assert.deepEqual(script.tell({ type: 'lease_shortened', leaseId: L1, end: 6 }), ['flush']);
  script.finish(4);
  assert.deepEqual(script.stage(0, 4), ['staged 0-4']);
  assert.deepEqual(script.done(), ['work 1.1.0 4-6']);
  script.begin(4, 6);
  script.finish(6);
  assert.deepEqual(script.stage(4, 6), ['staged 4-6']);
  assert.deepEqual(script.done(), []);
});

test('a worker that hears too late that its lease got shorter gives it back', () => {
  const early = Script.working('fail');
  early.begin(4, 8);
  assert.deepEqual(early.tell({ type: 'lease_shortened', leaseId: L1, end: 6 }), [
    'release 1.1.0',
    'stop',
  ]);
  const late = Script.working('fail');
  assert.deepEqual(late.tell({ type: 'lease_shortened', leaseId: L1, end: 6 }), ['flush']);
  // Its last samples were set aside while it read, so no batch told of them.
  assert.deepEqual(late.stage(0, 12), ['release 1.1.0']);
  assert.deepEqual(late.done(), []);
});
