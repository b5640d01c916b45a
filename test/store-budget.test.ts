/**
 * Fifty agents of a job at one store that refuses what is too much for it, in simulated time: with one budget
 * that the coordinator divides, and with each agent on its own. The figures of both are printed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { StoreModel } from './support/store-model.ts';
import type { StoreModelOptions, Tally } from './support/store-model.ts';

const AGENTS = 50;
const SETTLED_MS = 20_000;
const WATCHED_MS = 60_000;

interface Figures {
  /** Of what the store can serve. */
  readonly served: number;
  /** Of all answers. */
  readonly refused: number;
  /** What the agent that got least was served, as a part of the mean. */
  readonly least: number;
}

function figuresOf(tally: Tally, serves: number): Figures {
  const mean = tally.served / tally.byAgent.length;
  return {
    served: tally.servedMs / WATCHED_MS / serves,
    refused: tally.refused / (tally.served + tally.refused),
    least: Math.min(...tally.byAgent) / mean,
  };
}

function textOf({ served, refused, least }: Figures): string {
  const percent = (part: number): string => `${(part * 100).toFixed(1)} %`;
  return `${percent(served)} of the store's limit served, ${percent(refused)} refused, the least of an agent ${percent(least)} of the mean`;
}

function settled(options: Partial<StoreModelOptions>): StoreModel {
  const usual = { seed: 1, agents: AGENTS, wants: () => 16, serves: () => 120, isShared: true };
  const model = new StoreModel({ ...usual, ...options });
  model.run(SETTLED_MS);
  return model;
}

for (const serves of [60, 200]) {
  test(`fifty agents get what a store of ${serves} at a time can serve, and no agent starves`, (t) => {
    for (const seed of [1, 2, 3]) {
      const own = { seed, serves: () => serves };
      const together = figuresOf(settled(own).run(WATCHED_MS), serves);
      const alone = figuresOf(settled({ ...own, isShared: false }).run(WATCHED_MS), serves);
      t.diagnostic(`seed ${seed}, one budget:  ${textOf(together)}`);
      t.diagnostic(`seed ${seed}, each alone:  ${textOf(alone)}`);
      assert.ok(together.served >= 0.8, textOf(together));
      assert.ok(together.refused <= 0.03, textOf(together));
      assert.ok(together.refused <= alone.refused / 3, `${textOf(together)}; ${textOf(alone)}`);
      assert.ok(together.least >= 0.5, textOf(together));
    }
  });
}

test('agents that want nothing leave the store to those that do', () => {
  const busy = 6;
  const model = settled({ wants: (agent) => (agent < busy ? 48 : 0), serves: () => 150 });
  const { served, byAgent, servedMs } = model.run(WATCHED_MS);
  assert.ok(servedMs / WATCHED_MS / 150 >= 0.8, `${servedMs / WATCHED_MS}`);
  const least = Math.min(...byAgent.slice(0, busy));
  assert.ok(least >= (0.5 * served) / busy, byAgent.slice(0, busy).join(' '));
});

test('the share of an agent that is killed goes to the others', () => {
  const model = settled({ agents: 4, wants: () => 40, serves: () => 60 });
  const before = model.run(20_000);
  model.kill(3);
  model.run(8000);
  const after = model.run(20_000);
  assert.equal(after.byAgent[3], 0);
  assert.ok(after.served >= 0.9 * before.served, `${after.served}, ${before.served} before`);
  const { sum } = model.shares;
  assert.ok(sum >= 0.8 * (model.budget ?? 0), `${sum} of ${model.budget ?? 0}`);
});

test('a coordinator that takes over goes on with the shares that are in force', () => {
  const model = settled({});
  const before = model.shares.sum;
  model.failOver();
  // Before it could have learned anything from refusals.
  const { refused, served } = model.run(2500);
  assert.ok(refused <= 0.03 * served, `${refused} of ${served}`);
  const budget = model.budget ?? Infinity;
  assert.ok(Math.abs(budget - before) <= 0.15 * before, `${budget}, ${before} before`);
});

test('where a store can do less than one request for each agent they take turns', () => {
  const model = settled({ serves: () => 30 });
  const { servedMs, byAgent, refused, served } = model.run(WATCHED_MS);
  assert.ok(servedMs / WATCHED_MS / 30 >= 0.65, `${servedMs / WATCHED_MS} of 30`);
  assert.ok(Math.min(...byAgent) >= 0.3 * (served / AGENTS), byAgent.join(' '));
  assert.ok(refused <= 0.06 * served, `${refused} of ${served}`);
});

test('the budget follows a store that can do less, and one that can do more again', () => {
  const serves = (nowMs: number): number => (nowMs > 40_000 && nowMs < 100_000 ? 60 : 240);
  const model = settled({ serves });
  model.run(40_000);
  const narrow = model.run(40_000);
  assert.ok(narrow.servedMs / 40_000 / 60 >= 0.8);
  assert.ok(narrow.refused <= 0.04 * narrow.served, `${narrow.refused} of ${narrow.served}`);
  model.run(50_000);
  const wide = model.run(30_000);
  assert.ok(wide.servedMs / 30_000 / 240 >= 0.8, `${wide.servedMs / 30_000}`);
});

test('an operator’s bound on requests is kept whatever the store would serve', () => {
  const model = new StoreModel({
    ...{ seed: 1, agents: AGENTS, wants: () => 16, serves: () => 10_000, isShared: true },
    storeRequestsMax: 70,
  });
  model.run(3000);
  const { mostInFlight, served } = model.run(WATCHED_MS);
  assert.ok(mostInFlight <= 70, String(mostInFlight));
  assert.ok(served >= 0.8 * ((70 * WATCHED_MS) / 50), String(served));
});

test('two jobs of a coordinator have one budget, each agent the same, and who is left has all of it', () => {
  const jobs = 2;
  const model = settled({ jobs, serves: () => 150 });
  const tally = model.run(WATCHED_MS);
  const all = figuresOf(tally, 150);
  assert.ok(all.served >= 0.8 && all.refused <= 0.03 && all.least >= 0.5, textOf(all));
  const ofJob = (job: number): number =>
    tally.byAgent.filter((_, index) => index % jobs === job).reduce((sum, one) => sum + one, 0);
  assert.ok(Math.abs(ofJob(0) - ofJob(1)) <= 0.1 * tally.served, `${ofJob(0)} and ${ofJob(1)}`);

  const before = model.shares.sum;
  model.failOver();
  const { refused, served } = model.run(2500);
  assert.ok(refused <= 0.03 * served, `${refused} of ${served}`);
  const budget = model.budget ?? Infinity;
  assert.ok(Math.abs(budget - before) <= 0.15 * before, `${budget}, ${before} before`);

  for (const { index } of model.agents) if (index % jobs === 1) model.kill(index);
  model.run(8000);
  const left = model.run(20_000);
  assert.ok(left.servedMs / 20_000 / 150 >= 0.8, `${left.servedMs / 20_000}`);
});

test('an operator’s bound is kept by all jobs of a coordinator together', () => {
  const model = new StoreModel({
    ...{ seed: 2, agents: AGENTS, jobs: 3, wants: () => 16, serves: () => 10_000, isShared: true },
    storeRequestsMax: 70,
  });
  model.run(3000);
  const { mostInFlight, served } = model.run(WATCHED_MS);
  assert.ok(mostInFlight <= 70, String(mostInFlight));
  assert.ok(served >= 0.8 * ((70 * WATCHED_MS) / 50), String(served));
});

test('writes that go by the budget leave the store to ranges too, and few of both are refused', (t) => {
  const serves = 150;
  const options = { agents: 20, wants: () => 12, writes: 12, serves: () => serves };
  for (const seed of [1, 2]) {
    const counted = settled({ ...options, seed }).run(WATCHED_MS);
    const beside = settled({ ...options, seed, countsWrites: false }).run(WATCHED_MS);
    const [all, apart] = [figuresOf(counted, serves), figuresOf(beside, serves)];
    const ranges = (tally: Tally): number => tally.byAgent.reduce((sum, one) => sum + one, 0);
    t.diagnostic(`seed ${seed}, all by turns:   ${textOf(all)}; ${ranges(counted)} ranges`);
    t.diagnostic(`seed ${seed}, writes beside:  ${textOf(apart)}; ${ranges(beside)} ranges`);
    assert.ok(all.served >= 0.8 && all.refused <= 0.03, textOf(all));
    assert.ok(all.refused < apart.refused, `${textOf(all)}; ${textOf(apart)}`);
    assert.ok(all.least >= 0.25 && apart.least < 0.1, `${textOf(all)}; ${textOf(apart)}`);
    assert.ok(ranges(counted) >= 5 * ranges(beside));
    // They take four times as long and have half of what is under way: a fifth of what is served.
    const writes = counted.served - ranges(counted);
    assert.ok(writes >= 0.1 * counted.served, `${writes} writes of ${counted.served}`);
  }
});

/** A `mx8 verify` and a `mx8 pack` that read as much at a time as they can. */
test('commands beside a job have a part of the budget as an agent has, and leave the job its own where they have none', (t) => {
  const [agents, guests, serves] = [20, 4, 100];
  const options = { agents, guests, serves: () => serves };
  const wants = (agent: number): number => (agent < agents ? 16 : 64);
  for (const seed of [1, 2]) {
    const asking = settled({ ...options, seed, wants });
    const alone = settled({ ...options, seed, wants, guestsShare: false });
    const tallies = [asking.run(WATCHED_MS), alone.run(WATCHED_MS)] as const;
    const [together, apart] = tallies.map((tally) => partsOf(tally, agents, serves));
    assert.ok(together !== undefined && apart !== undefined);
    t.diagnostic(`seed ${seed}, with a part:  ${JSON.stringify(together)}`);
    t.diagnostic(`seed ${seed}, each alone:   ${JSON.stringify(apart)}`);
    assert.ok(together.refused <= 0.03, JSON.stringify(together));
    assert.ok(together.guest >= 0.8 && together.guest <= 1.5, JSON.stringify(together));
    assert.ok(together.leastAgent >= 0.5, JSON.stringify(together));
    // Who is limited by nobody is refused, and then asks for less than who has a share.
    assert.ok(apart.guest <= 1 && apart.leastAgent >= 0.5, JSON.stringify(apart));
    assert.ok(apart.refused >= 1.5 * together.refused, JSON.stringify(apart));
  }
});

/** Of agents and guests: mean of a guest and least of an agent, as parts of the mean of an agent. */
function partsOf(
  { byAgent, served, servedMs, refused }: Tally,
  agents: number,
  serves: number,
): Record<'guest' | 'leastAgent' | 'agents' | 'refused' | 'served', number> {
  const mean = (of: readonly number[]): number => of.reduce((sum, one) => sum + one, 0) / of.length;
  const agent = mean(byAgent.slice(0, agents));
  return {
    guest: mean(byAgent.slice(agents)) / agent,
    leastAgent: Math.min(...byAgent.slice(0, agents)) / agent,
    agents: (agent * agents) / served,
    refused: refused / (served + refused),
    served: servedMs / WATCHED_MS / serves,
  };
}
