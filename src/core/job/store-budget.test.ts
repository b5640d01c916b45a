import assert from 'node:assert/strict';
import { test } from 'node:test';

import { jobId, nodeId } from '../base/units.ts';
import type { JobId } from '../base/units.ts';
import type { StoreReport } from '../transfer/store-report.ts';
import { StoreBudget } from './store-budget.ts';
import type { Lowered, StoreMember } from './store-budget.ts';

const HOST = 'https://store.example';
const BEAT_MS = 1000;
const JOB = jobId('j');

function member(id: string, instanceId = 'i', of = JOB): StoreMember {
  return { jobId: of, nodeId: nodeId(id), instanceId };
}

interface Beat {
  /** Of each node. */
  readonly serving?: number;
  readonly wanted?: number;
  readonly answered?: number;
  readonly refused?: number;
  readonly firstByteMs?: number;
  /** Besides those `answered`. */
  readonly untimed?: number;
  readonly pauseMs?: number;
}

/** Nodes that are heard once in a beat, half of a beat apart. */
class Nodes {
  readonly budget: StoreBudget;
  readonly lowered: Lowered[] = [];
  readonly shares: (number | null)[];
  nowMs: number = 0;
  readonly #totals: { answered: number; refused: number; firstByteUs: number; untimed: number } = {
    ...{ answered: 0, refused: 0, firstByteUs: 0, untimed: 0 },
  };

  constructor(count: number, mostRequests: number | null = null) {
    this.budget = new StoreBudget(HOST, BEAT_MS, mostRequests, 0);
    this.shares = Array.from({ length: count }, () => null);
  }

  beats(count: number, beat: Beat): void {
    for (let index = 0; index < count; index += 1) this.#beat(beat);
  }

  #beat(beat: Beat): void {
    const { serving = 10, wanted = 100, answered = 100, refused = 0, firstByteMs = 50 } = beat;
    const { untimed = 0 } = beat;
    this.#totals.untimed += untimed;
    this.#totals.answered += answered + untimed;
    this.#totals.refused += refused;
    this.#totals.firstByteUs += answered * firstByteMs * 1000;
    for (const index of this.shares.keys()) {
      const share = this.shares[index] ?? null;
      const report: StoreReport = {
        ...{ host: HOST, wanted, inFlight: Math.min(serving, share ?? serving) },
        ...{ servingMilli: serving * 1000, pauseMs: beat.pauseMs ?? 0, share },
        answeredTotal: this.#totals.answered,
        refusedTotal: this.#totals.refused,
        firstByteUsTotal: this.#totals.firstByteUs,
        untimedTotal: this.#totals.untimed,
      };
      const who = member(`n${index}`);
      const lowered = this.budget.heard(who, report, this.nowMs);
      if (lowered !== null) this.lowered.push(lowered);
      this.shares[index] = this.budget.shareOf(who, this.nowMs)?.requests ?? null;
      this.nowMs += BEAT_MS / this.shares.length;
    }
  }
}

test('nobody is limited while one request in a hundred is refused', () => {
  const nodes = new Nodes(4);
  nodes.beats(200, { answered: 990, refused: 10, wanted: 12 });
  assert.equal(nodes.budget.budget, null);
  assert.deepEqual(nodes.shares, [null, null, null, null]);
});

test('one refusal in a hundred takes next to nothing from agents that want more than they get', () => {
  const nodes = new Nodes(4);
  for (let beat = 0; beat < 100; beat += 1) {
    // Each of them can do 16, and has as many under way as its share allows.
    const serving = Math.min(16, ...nodes.shares.map((share) => share ?? 16));
    nodes.beats(1, { serving, answered: 60 * serving, refused: serving / 2, wanted: 40 });
    assert.ok(serving >= 12, `${serving} of 16`);
  }
  assert.ok((nodes.budget.budget ?? 64) >= 64);
});

test('where many are refused the budget is a little less than what the host serves', () => {
  const nodes = new Nodes(4);
  nodes.beats(3, { serving: 15, answered: 300 });
  nodes.beats(1, { serving: 12, answered: 300, refused: 100 });
  const budget = nodes.budget.budget ?? 0;
  assert.ok(budget >= 45 && budget < 60, `${budget} of 60`);
  assert.equal(nodes.lowered[0]?.from, null);
  nodes.beats(1, { serving: 12 });
  assert.equal(
    nodes.shares.reduce<number>((sum, share) => sum + (share ?? 0), 0),
    budget,
  );
});

test('refusals lower it once for all that were sent before they could be heard of', () => {
  const nodes = new Nodes(2);
  nodes.beats(3, { serving: 50 });
  nodes.beats(1, { serving: 50, answered: 100, refused: 100 });
  assert.equal(nodes.lowered.length, 1);
  nodes.beats(1, { serving: 42, answered: 100, refused: 50 });
  assert.equal(nodes.lowered.length, 1);
});

test('the first budget is a guess, which grows fast until the host refuses again', () => {
  const nodes = new Nodes(2);
  nodes.beats(3, { serving: 10, wanted: 1000 });
  nodes.beats(1, { serving: 10, wanted: 1000, refused: 50 });
  const guess = nodes.budget.budget ?? 0;
  for (let beat = 0; beat < 12; beat += 1) {
    nodes.beats(1, { serving: (nodes.budget.budget ?? 0) / 2, wanted: 1000 });
  }
  assert.ok((nodes.budget.budget ?? 0) >= 2 * guess, `${nodes.budget.budget ?? 0} of ${guess}`);
});

test('it grows back to where the host refused, rests there, and goes on ever faster', () => {
  const nodes = new Nodes(2);
  nodes.beats(3, { serving: 50, wanted: 1000 });
  nodes.beats(1, { serving: 50, wanted: 1000, refused: 50 });
  // What comes of a first guess is another matter.
  nodes.beats(4, { serving: 50, wanted: 10 });
  nodes.beats(1, { serving: 50, wanted: 1000, refused: 50 });
  const known = (nodes.budget.budget ?? 0) / 0.85;
  const budgets: number[] = [];
  for (let beat = 0; beat < 40; beat += 1) {
    nodes.beats(1, { serving: (nodes.budget.budget ?? 0) / 2, wanted: 1000 });
    budgets.push(nodes.budget.budget ?? 0);
  }
  const at = (beat: number): number => budgets[beat] ?? 0;
  assert.ok(at(0) <= 0.9 * known, `${at(0)}`);
  assert.ok(Math.abs(at(11) - known) <= 2, `${at(11)} of ${known}`);
  assert.ok(at(15) - at(9) <= 3, budgets.join(' '));
  assert.ok(at(39) > 2 * known, budgets.join(' '));
  for (const [beat, budget] of budgets.entries()) assert.ok(budget >= at(beat - 1));
});

test('a budget that is not used does not grow', () => {
  const nodes = new Nodes(2);
  nodes.beats(3, { serving: 50 });
  nodes.beats(1, { serving: 50, refused: 50 });
  const before = nodes.budget.budget;
  nodes.beats(60, { serving: 5, wanted: 5 });
  assert.equal(nodes.budget.budget, before);
});

test('an operator’s bound holds from the first heartbeat on and is never passed', () => {
  const nodes = new Nodes(3, 20);
  nodes.beats(3, {});
  const sum = (): number => nodes.shares.reduce<number>((all, share) => all + (share ?? 0), 0);
  assert.equal(sum(), 20);
  nodes.beats(1, { serving: 6, refused: 60 });
  assert.ok((nodes.budget.budget ?? 0) < 20);
  for (let beat = 0; beat < 60; beat += 1) {
    nodes.beats(1, { serving: 6 });
    assert.ok((nodes.budget.budget ?? 0) <= 20 && sum() <= 20);
  }
  assert.equal(nodes.budget.budget, 20);
});

test('where most are refused everybody waits as long as the host asks, at most two minutes', () => {
  const nodes = new Nodes(2);
  nodes.beats(3, { serving: 50 });
  nodes.beats(1, { serving: 50, answered: 100, refused: 60, pauseMs: 9000 });
  assert.equal(nodes.lowered[0]?.pauseMs, 0, 'others are served meanwhile');
  nodes.beats(3, { serving: 30 });
  nodes.beats(1, { serving: 5, answered: 0, refused: 300, pauseMs: 4000 });
  assert.equal(nodes.lowered[1]?.pauseMs, 4000);
  const paused = nodes.budget.shareOf(member('n0'), nodes.nowMs)?.pauseMs ?? 0;
  assert.ok(paused > 2000 && paused <= 4000, `${paused}`);
  nodes.nowMs += 4000;
  assert.equal(nodes.budget.shareOf(member('n0'), nodes.nowMs)?.pauseMs, 0);
  nodes.beats(3, { serving: 1, answered: 0, refused: 90, pauseMs: 10_000_000 });
  assert.equal(nodes.lowered.at(-1)?.pauseMs, 120_000);
});

test('a host that was away says nothing of how much it can do', () => {
  const nodes = new Nodes(2);
  nodes.beats(3, { serving: 100, wanted: 1000 });
  nodes.beats(1, { serving: 100, refused: 30, wanted: 1000 });
  const known = nodes.budget.budget ?? 0;
  nodes.beats(60, { serving: 0, answered: 0, refused: 50, wanted: 1000 });
  const away = nodes.budget.budget ?? 0;
  assert.ok(away >= 1 && away < known / 4, `${away} of ${known}`);
  for (let beat = 0; beat < 25; beat += 1) {
    nodes.beats(1, { serving: (nodes.budget.budget ?? 0) / 2, wanted: 1000 });
  }
  assert.ok((nodes.budget.budget ?? 0) >= known, `${nodes.budget.budget ?? 0} of ${known}`);
});

test('answers that begin much later than they once did take something back, until that is what is usual', () => {
  const nodes = new Nodes(2);
  nodes.beats(4, { serving: 50, firstByteMs: 20 });
  assert.equal(nodes.budget.budget, null);
  nodes.beats(3, { serving: 50, firstByteMs: 400 });
  assert.ok((nodes.budget.budget ?? 0) < 100);
  nodes.beats(80, { serving: 50, firstByteMs: 400 });
  const least = nodes.lowered.at(-1)?.to ?? 0;
  assert.ok(least >= 20, `${least}`);
  assert.ok((nodes.budget.budget ?? 0) > least, 'it grows again');
});

test('writes say how much the host does, and nothing of how late it answers', () => {
  const nodes = new Nodes(2);
  nodes.beats(4, { serving: 50, firstByteMs: 30, untimed: 900 });
  nodes.beats(20, { serving: 50, firstByteMs: 120 });
  assert.equal(nodes.budget.budget, null, 'ranges take as long as ever');
  assert.equal(nodes.budget.view(JOB, nodes.nowMs).firstByteUs, 120_000);
  nodes.beats(1, { serving: 50, answered: 0, untimed: 100, refused: 30 });
  assert.ok((nodes.budget.budget ?? Infinity) < 100, 'a write that is refused counts as a range');
});

test('a report that comes twice, or of a process that was started anew, is counted once', () => {
  const nodes = new Nodes(1);
  nodes.beats(4, { serving: 10 });
  const report: StoreReport = {
    ...{ host: HOST, wanted: 10, inFlight: 10, servingMilli: 10_000, pauseMs: 0, share: null },
    ...{ answeredTotal: 500, refusedTotal: 3, firstByteUsTotal: 0, untimedTotal: 0 },
  };
  for (let time = 0; time < 40; time += 1) {
    nodes.budget.heard(member('n0'), report, nodes.nowMs);
    nodes.nowMs += 100;
  }
  // Its first report says what happened before anybody listened.
  nodes.budget.heard(member('n0', 'another'), { ...report, refusedTotal: 900 }, nodes.nowMs);
  assert.equal(nodes.budget.view(JOB, nodes.nowMs).refusedTotal, 3);
});

test('another coordinator finds the budget in the shares that are in force', () => {
  const nodes = new Nodes(3);
  nodes.beats(3, { serving: 20 });
  nodes.beats(4, { serving: 17, refused: 10 });
  const before = nodes.budget.budget ?? 0;
  const sum = nodes.shares.reduce<number>((all, share) => all + (share ?? 0), 0);
  const next = new StoreBudget(HOST, BEAT_MS, null, 0);
  for (const [index, share] of nodes.shares.entries()) {
    const report: StoreReport = {
      ...{ host: HOST, wanted: 40, inFlight: share ?? 0, servingMilli: 1000, pauseMs: 0, share },
      ...{ answeredTotal: 9, refusedTotal: 5000, firstByteUsTotal: 0, untimedTotal: 0 },
    };
    assert.equal(next.heard(member(`n${index}`), report, 300 * index), null);
    assert.equal(next.shareOf(member(`n${index}`), 300 * index)?.requests, share);
  }
  assert.equal(next.budget, sum);
  assert.ok(sum <= before && sum >= before - 3);
});

test('the share of a node that is gone or silent goes to the others', () => {
  const nodes = new Nodes(3);
  nodes.beats(3, { serving: 20 });
  nodes.beats(4, { serving: 17, refused: 10 });
  nodes.budget.prune(JOB, (id) => id !== 'n2', nodes.nowMs);
  nodes.shares.length = 2;
  nodes.beats(3, { serving: 17 });
  const sum = nodes.shares.reduce<number>((all, share) => all + (share ?? 0), 0);
  const budget = nodes.budget.budget ?? 0;
  assert.ok(sum >= 0.85 * budget, `${sum} of ${budget}`);
  nodes.budget.prune(JOB, () => true, nodes.nowMs + 5000);
  assert.deepEqual(nodes.budget.jobs, []);
});

test('jobs at one host share its budget, and each is shown what is its own of it', () => {
  const [one, two] = [jobId('one'), jobId('two')];
  const budget = new StoreBudget(HOST, BEAT_MS, 20, 0);
  const report = (wanted: number, answeredTotal: number): StoreReport => ({
    ...{ host: HOST, wanted, inFlight: 4, servingMilli: 4000, pauseMs: 0, share: null },
    ...{ answeredTotal, refusedTotal: 0, firstByteUsTotal: 0, untimedTotal: 0 },
  });
  const beat = (of: JobId, id: string, beats: number, nowMs: number): number => {
    budget.heard(member(id, 'i', of), report(40, 100 * beats), nowMs);
    return budget.shareOf(member(id, 'i', of), nowMs)?.requests ?? -1;
  };
  const shares = new Map<string, number>();
  for (let beats = 0; beats < 4; beats += 1) {
    const nowMs = beats * BEAT_MS;
    // Two nodes of one name are two.
    shares.set('one/n', beat(one, 'n', beats, nowMs));
    shares.set('two/n', beat(two, 'n', beats, nowMs + 1));
    shares.set('two/m', beat(two, 'm', beats, nowMs + 2));
  }
  assert.equal(
    [...shares.values()].reduce((sum, share) => sum + share, 0),
    20,
    JSON.stringify([...shares]),
  );
  assert.ok(Math.min(...shares.values()) >= 6);
  const [first, second] = [budget.view(one, 3003), budget.view(two, 3003)];
  assert.deepEqual([first.jobs, first.agents, first.wanted, first.answeredTotal], [2, 1, 40, 300]);
  assert.deepEqual([second.jobs, second.agents, second.inFlight], [2, 2, 8]);
  assert.deepEqual([first.budget, second.budget], [20, 20]);

  budget.prune(two, () => false, 3003);
  assert.deepEqual(budget.jobs, [one]);
  assert.equal(beat(one, 'n', 5, 4000), 20);
  assert.equal(budget.view(two, 4000).agents, 0);
});

test('of jobs with different heartbeats the slower one tells how long a share lasts', () => {
  const budget = new StoreBudget(HOST, BEAT_MS, 20, 0);
  budget.keepTime(4 * BEAT_MS);
  budget.keepTime(BEAT_MS);
  assert.equal(budget.shareOf(member('n'), 0)?.ttlMs, 20 * BEAT_MS);
});
