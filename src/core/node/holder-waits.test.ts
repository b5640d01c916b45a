/** How long a node that has nothing to do waits before it asks again, as transcripts. The coordinator is the test. */
import assert from 'node:assert/strict';
import test from 'node:test';

import { HolderScript } from '../../../test/support/holder-script.ts';
import { jobId, leaseId, manifestHash, nodeId } from '../base/units.ts';
import type { LeasesGranted } from '../job/protocol.ts';
import type { HolderAnswer } from './holder-protocol.ts';

const ELASTIC = {
  ...{ transitionPending: false, transitionsTotal: 0, lastTransitionReason: '' },
  ...{ currentWorldSize: 1, targetWorldSize: 1, lastTransitionUnixMs: 0 },
};
const SPEC = {
  ...{ jobId: jobId('job'), manifestHash: manifestHash('0'.repeat(64)), sampleCount: 1e6 },
  ...{ blockSize: 10, worldSize: 2, minWorldSize: 1, shuffle: false, seed: 0n, epoch: 0 },
  ...{ leaseTtlMs: 1e6, heartbeatIntervalMs: 1e6, commitsOutputs: false },
  adoptsFirstJobId: false,
};
const LEASE = {
  ...{ leaseId: leaseId({ epoch: 1, seq: 1, index: 0 }), nodeId: nodeId('n') },
  ...{ range: { start: 0, end: 10 }, cursor: 0 },
};

function answerOf(waitMaxMs: number | null, leases: LeasesGranted['leases'] = []): LeasesGranted {
  const waits = { waitMs: 200, ...(waitMaxMs === null ? {} : { waitMaxMs }) };
  return {
    type: 'leases',
    leases,
    ...waits,
    jobDrained: false,
    phase: 'running',
    elastic: ELASTIC,
  };
}

/** A node that wants two leases; what it asks for is a line. */
class Script extends HolderScript {
  #ms = 0;

  constructor() {
    const options = { want: 2, progressIntervalMs: 1e6, finalizes: true, seed: 1 };
    super({ ...options, nodeIdBusyMaxMs: null }, (effect) => {
      const asked = effect.type === 'call' ? effect.call.type : '';
      return asked === 'register' || asked === 'request_leases' ? [asked] : [];
    });
    this.tell({ type: 'start' });
  }

  register(jobReady: boolean, waitMaxMs = 0): string[] {
    const rest = { assignedRank: 0, registeredNodes: 1, jobReady, elastic: ELASTIC, waitMaxMs };
    const answer: HolderAnswer = { type: 'registered', spec: SPEC, phase: 'running', ...rest };
    return this.answer('register', answer);
  }

  /** How long it waits until it asks again, to the millisecond below 5 s. */
  waitedMs(): number {
    const sinceMs = this.#ms;
    for (; this.#ms < sinceMs + 5000; this.#ms += 1) {
      if (this.at(this.#ms).tell({ type: 'tick' }).length > 0) return this.#ms - sinceMs;
    }
    return Infinity;
  }

  waitsAfter(answers: readonly LeasesGranted[]): readonly number[] {
    return answers.map((answer) => {
      this.answer('request_leases', answer);
      return this.waitedMs();
    });
  }
}

test('a node that is told of work waits twice as long each time, up to what the coordinator says', () => {
  const script = new Script();
  script.register(true);
  const waits = script.waitsAfter(Array.from({ length: 6 }, () => answerOf(1600)));
  assert.deepEqual(waits, [200, 400, 800, 1600, 1600, 1600]);
});

test('a node of a coordinator that does not tell asks as often as ever', () => {
  const script = new Script();
  script.register(true);
  const waits = script.waitsAfter(Array.from({ length: 4 }, () => answerOf(null)));
  assert.deepEqual(waits, [200, 200, 200, 200]);
});

test('a node that got work begins with short waits again', () => {
  const script = new Script();
  script.register(true);
  script.waitsAfter([answerOf(1600), answerOf(1600), answerOf(1600)]);
  assert.deepEqual(script.waitsAfter([answerOf(null, [LEASE]), answerOf(1600)]), [200, 200]);
});

test('a node that hears of work asks at once, and is as patient as at first if it gets none', () => {
  const script = new Script();
  script.register(true);
  script.waitsAfter([answerOf(1600), answerOf(1600), answerOf(1600)]);
  script.answer('request_leases', answerOf(1600));
  assert.deepEqual(script.tell({ type: 'work_waits' }), ['request_leases']);
  assert.deepEqual(script.waitsAfter([answerOf(1600)]), [200]);
});

test('a node that hears of work while it asks does not take an answer from before for the last word', () => {
  const script = new Script();
  script.register(true);
  script.waitsAfter([answerOf(1600), answerOf(1600)]);
  assert.deepEqual(script.tell({ type: 'work_waits' }), []);
  assert.deepEqual(script.waitsAfter([answerOf(1600), answerOf(1600)]), [50, 200]);
});

test('a node asks another coordinator at once, however long it was to wait', () => {
  const script = new Script();
  script.register(true);
  script.waitsAfter([answerOf(1600), answerOf(1600), answerOf(1600)]);
  script.answer('request_leases', answerOf(1600));
  script.tell({ type: 'disconnected' });
  assert.deepEqual(script.tell({ type: 'connected' }), ['register']);
  assert.deepEqual(script.register(true), ['request_leases']);
});

test('a node that waits for others asks ever more rarely, and at once when it hears that they are there', () => {
  const script = new Script();
  const waits = Array.from({ length: 5 }, () => {
    script.register(false, 1600);
    return script.waitedMs();
  });
  assert.deepEqual(waits, [200, 400, 800, 1600, 1600]);
  script.register(false, 1600);
  assert.deepEqual(script.tell({ type: 'work_waits' }), ['register']);
  assert.deepEqual(script.register(true), ['request_leases']);
});

test('a node that waits for others at a coordinator that does not tell asks as often as ever', () => {
  const script = new Script();
  const waits = Array.from({ length: 3 }, () => {
    script.register(false);
    return script.waitedMs();
  });
  assert.deepEqual(waits, [200, 200, 200]);
});
