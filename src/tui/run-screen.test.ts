import assert from 'node:assert/strict';
import { test } from 'node:test';

import { jobSnapshot, LIMITS, liveLease } from '../../test/support/tui-models.ts';
import type { JobSnapshot, LeaseChoice } from '../core/job/protocol.ts';
import { FakeClock } from '../testing/index.ts';
import { HURRY_MS } from './limits.ts';
import { runScreen } from './run-screen.ts';

const LEASES = 10_000;
const POLL_MS = 1000;
const never = (): Promise<never> => new Promise(() => undefined);

/** A coordinator with many leases that lists those that are chosen, and a terminal without colours. */
class World {
  readonly clock: FakeClock = new FakeClock();
  readonly asked: LeaseChoice[] = [];
  readonly written: string[] = [];
  #type: (text: string) => void = () => undefined;
  readonly ended: Promise<string>;

  constructor() {
    const client = {
      snapshot: async (_: unknown, choice?: LeaseChoice): Promise<JobSnapshot> => {
        assert(choice !== undefined);
        this.asked.push(choice);
        return manyLeases(choice);
      },
      listJobs: async (): Promise<readonly JobSnapshot[]> => [jobSnapshot(2)],
    };
    this.ended = runScreen({
      ...{ client, clock: this.clock, jobId: null, limits: LIMITS, pollMs: POLL_MS },
      ...{ target: 'here', colour: false, search: null, rowsPerPage: null },
      manifest: { client: { manifestRecords: never }, file: null, wantedHash: null },
      signal: new AbortController().signal,
      terminal: {
        size: () => ({ columns: 120, rows: 24 }),
        write: (text) => this.written.push(text),
        onInput: (listener) => (this.#type = listener),
        onResize: () => undefined,
        onEnd: () => undefined,
      },
    });
  }

  /** What is written in this time after a key. */
  async after(keys: string, spanMs: number): Promise<string> {
    this.written.length = 0;
    this.#type(keys);
    await this.clock.advance(spanMs);
    return this.written.join('');
  }
}

function manyLeases({ part }: LeaseChoice): JobSnapshot {
  assert(part.type === 'places');
  const length = Math.max(0, Math.min(part.count, LEASES - part.from));
  const liveLeases = Array.from({ length }, (_, index) => liveLease(part.from + index));
  const leases = { count: LEASES, stalledCount: 0, leastStillMs: 0, stalled: [] };
  return jobSnapshot(2, { liveLeases, leases });
}

test('of many leases those in sight are asked for, at once where a key brought them there', async () => {
  const world = new World();
  await world.clock.advance(2 * POLL_MS);
  assert.deepEqual(world.asked.at(-1)?.part, { type: 'places', from: 0, count: 0 });
  assert.match(await world.after('3', HURRY_MS), /1\.5\.0 .*node-0 /);
  const last = await world.after('G', HURRY_MS);
  assert.match(last, /1\.5\.9999 .*node-9999/);
  const polls = world.asked.length;
  const { part } = world.asked.at(-1) ?? {};
  assert(part?.type === 'places' && part.from > LEASES - 50 && part.count < 60);
  // What is known is moved over without asking.
  assert.match(await world.after('k', HURRY_MS), /1\.5\.9998/);
  assert.equal(world.asked.length, polls);
  await world.clock.advance(POLL_MS);
  assert.equal(world.asked.length, polls + 1);
  await world.after('q', 0);
  assert.equal(await world.ended, 'quit');
});
