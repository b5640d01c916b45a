import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { monoMs } from '../base/units.ts';
import {
  type CandidateEffect,
  type CandidateEvent,
  type CandidateState,
  candidateWakeMs,
  mayAnswer,
  mayLead,
  newCandidate,
  stepCandidate,
} from './candidate.ts';

type Event = CandidateEvent extends infer T
  ? T extends unknown
    ? Omit<T, 'nowMs'>
    : never
  : never;

const OTHER = { who: 'b', address: '127.0.0.1:2' };
const AWAY = { code: 'store_unavailable', message: 'no answer' } as const;

class Story {
  readonly state: CandidateState = newCandidate({ ttlMs: 2000, seed: 1 }, monoMs(0));
  nowMs = 0;

  at(nowMs: number, event: Event): CandidateEffect[] {
    this.nowMs = nowMs;
    return stepCandidate(this.state, { ...event, nowMs: monoMs(nowMs) });
  }

  /** Elected at 0 (asked) and 10 (answered), serving epoch 3 from 20 on. */
  leading(): this {
    assert.deepEqual(this.at(0, { type: 'start' }), [{ type: 'campaign', callId: 1 }]);
    const claim = this.at(10, { type: 'campaigned', callId: 1, leader: null });
    assert.deepEqual(claim, [{ type: 'claim' }]);
    assert.deepEqual(this.at(20, { type: 'claimed', epoch: 3 }), [{ type: 'serve', epoch: 3 }]);
    return this;
  }

  get answers(): boolean {
    return mayAnswer(this.state, monoMs(this.nowMs));
  }
}

function only(effects: readonly CandidateEffect[]): CandidateEffect {
  assert.equal(effects.length, 1, JSON.stringify(effects));
  const [effect] = effects;
  assert(effect !== undefined);
  return effect;
}

test('a candidate claims the log only when it was elected, and answers only once it has claimed', () => {
  const story = new Story();
  story.at(0, { type: 'start' });
  assert.equal(story.answers, false);
  story.at(10, { type: 'campaigned', callId: 1, leader: null });
  assert.equal(story.answers, false);
  assert.equal(mayLead(story.state, monoMs(10)), true);
  story.at(20, { type: 'claimed', epoch: 1 });
  assert.equal(story.answers, true);
});

test('a standby asks again at each renewal, and at once when the leader changes', () => {
  const story = new Story();
  story.at(0, { type: 'start' });
  assert.deepEqual(story.at(10, { type: 'campaigned', callId: 1, leader: OTHER }), []);
  assert.deepEqual(story.state.leader, OTHER);
  assert.equal(candidateWakeMs(story.state), 510);
  assert.deepEqual(story.at(100, { type: 'leader_changed' }), [{ type: 'campaign', callId: 2 }]);
  // The change may have come after the call that is on its way: it is asked once more.
  assert.deepEqual(story.at(101, { type: 'leader_changed' }), []);
  const again = story.at(105, { type: 'campaigned', callId: 2, leader: OTHER });
  assert.deepEqual(again, [{ type: 'campaign', callId: 3 }]);
});

test('a leader asks at once whether it still leads when the store says that the leader changed', () => {
  const story = new Story().leading();
  assert.deepEqual(story.at(100, { type: 'leader_changed' }), [{ type: 'renew', callId: 2 }]);
  assert.deepEqual(story.at(101, { type: 'leader_changed' }), []);
  const again = story.at(105, { type: 'renewed', callId: 2, leads: true });
  assert.deepEqual(again, [{ type: 'renew', callId: 3 }]);
  assert.equal(only(story.at(110, { type: 'renewed', callId: 3, leads: false })).type, 'leave');
});

test('one that hands over answers no more once it hears that another leads', () => {
  const story = new Story().leading();
  story.at(510, { type: 'tick' });
  story.at(511, { type: 'stop' });
  assert.equal(mayLead(story.state, monoMs(512)), true);
  story.at(512, { type: 'renewed', callId: 2, leads: false });
  assert.equal(mayLead(story.state, monoMs(512)), false);
});

test('the time of a leader runs from before the renewal was sent, less a margin', () => {
  const story = new Story().leading();
  assert.equal(story.state.deadlineMs, 1800);
  assert.deepEqual(story.at(510, { type: 'tick' }), [{ type: 'renew', callId: 2 }]);
  assert.deepEqual(story.at(900, { type: 'renewed', callId: 2, leads: true }), []);
  assert.equal(story.state.deadlineMs, 510 + 1800);
});

test('a leader whose time is up answers nothing, before any event tells it so', () => {
  const story = new Story().leading();
  assert.equal(mayAnswer(story.state, monoMs(1799)), true);
  assert.equal(mayAnswer(story.state, monoMs(1800)), false);
  assert.equal(only(story.at(1800, { type: 'tick' })).type, 'leave');
});

test('a renewal that is answered after the deadline renews nothing', () => {
  const story = new Story().leading();
  story.at(510, { type: 'tick' });
  assert.equal(only(story.at(1900, { type: 'renewed', callId: 2, leads: true })).type, 'leave');
});

test('a renewal that fails is tried again while there is time, and the deadline stays', () => {
  const story = new Story().leading();
  story.at(510, { type: 'tick' });
  assert.deepEqual(story.at(600, { type: 'election_failed', callId: 2, ...AWAY }), []);
  assert.equal(story.answers, true);
  assert.equal(candidateWakeMs(story.state), 725);
  assert.equal(story.state.deadlineMs, 1800);
});

test('an answer to a call of an earlier term is ignored', () => {
  const story = new Story().leading();
  story.at(510, { type: 'tick' });
  story.at(520, { type: 'writer_failed', code: 'not_leader', message: 'fenced' });
  story.at(530, { type: 'left' });
  assert.deepEqual(story.at(540, { type: 'campaigned', callId: 2, leader: null }), []);
  assert.equal(story.state.phase, 'standby');
});

test('a writer that was fenced leaves and stands by; one that failed for good ends the process', () => {
  const fenced = new Story().leading();
  const left = only(fenced.at(30, { type: 'writer_failed', code: 'not_leader', message: 'x' }));
  assert(left.type === 'leave' && !left.isLast && !left.isPlanned);
  assert.equal(fenced.answers, false);
  fenced.at(40, { type: 'left' });
  assert.equal(fenced.state.phase, 'standby');

  const broken = new Story().leading();
  const code = 'coordinator_state_write_failed';
  const last = only(broken.at(30, { type: 'writer_failed', code, message: 'EIO' }));
  assert(last.type === 'leave' && last.isLast);
  const failure = { code, message: 'EIO' };
  assert.deepEqual(broken.at(40, { type: 'left' }), [{ type: 'ended', failure }]);
});

test('a claim that fails lets others go first, and waits longer each time', () => {
  const story = new Story();
  const waits: number[] = [];
  let nowMs = 0;
  let effects = story.at(nowMs, { type: 'start' });
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    const ask = only(effects);
    assert(ask.type === 'campaign');
    story.at(nowMs, { type: 'campaigned', callId: ask.callId, leader: null });
    assert.equal(only(story.at(nowMs, { type: 'claim_failed', ...AWAY })).type, 'leave');
    assert.deepEqual(story.at(nowMs, { type: 'left' }), []);
    const wakeMs = candidateWakeMs(story.state);
    assert(wakeMs !== null);
    waits.push(wakeMs - nowMs);
    nowMs = wakeMs;
    effects = story.at(nowMs, { type: 'tick' });
  }
  waits.forEach((waitMs, index) => {
    const fullMs = 50 * 2 ** index;
    assert(waitMs >= fullMs / 2 && waitMs <= fullMs, `${waitMs} of ${fullMs}`);
  });
});

test('a stop is planned for a leader, and ends a standby too', () => {
  const leader = only(new Story().leading().at(30, { type: 'stop' }));
  assert(leader.type === 'leave' && leader.isPlanned && leader.isLast);
  const story = new Story();
  story.at(0, { type: 'start' });
  const standby = only(story.at(10, { type: 'stop' }));
  assert(standby.type === 'leave' && !standby.isPlanned && standby.isLast);
  assert.deepEqual(story.at(20, { type: 'left' }), [{ type: 'ended', failure: null }]);
});

test('under any events it never answers past its deadline, and never claims unelected', () => {
  const failure = fc.constantFrom(
    { code: 'not_leader' as const, message: '' },
    { code: 'store_outcome_unknown' as const, message: '' },
  );
  const event = fc.oneof(
    fc.constantFrom<Event>({ type: 'tick' }, { type: 'leader_changed' }, { type: 'left' }),
    fc.nat(8).map((epoch): Event => ({ type: 'claimed', epoch })),
    fc.record({ callId: fc.nat(6), leads: fc.boolean() }).map((one): Event => ({
      type: 'renewed',
      ...one,
    })),
    fc.record({ callId: fc.nat(6), leader: fc.constantFrom(null, OTHER) }).map((one): Event => ({
      type: 'campaigned',
      ...one,
    })),
    failure.map((one): Event => ({ type: 'claim_failed', ...one })),
    failure.map((one): Event => ({ type: 'writer_failed', ...one })),
  );
  const history = fc.array(fc.tuple(fc.nat(1500), event), { maxLength: 60 });
  fc.assert(
    fc.property(history, (events) => {
      const story = new Story();
      story.at(0, { type: 'start' });
      let nowMs = 0;
      let electedAtMs = Number.NEGATIVE_INFINITY;
      for (const [deltaMs, one] of events) {
        nowMs += deltaMs;
        const { asked, phase } = story.state;
        const effects = story.at(nowMs, one);
        const isAnswer = 'callId' in one && asked?.callId === one.callId;
        if (isAnswer && one.type === 'campaigned' && one.leader === null && phase === 'standby') {
          electedAtMs = asked?.atMs ?? 0;
        }
        if (isAnswer && one.type === 'renewed' && one.leads && story.state.phase !== 'leaving') {
          electedAtMs = asked?.atMs ?? 0;
        }
        if (effects.some(({ type }) => type === 'claim')) assert.equal(electedAtMs, asked?.atMs);
        if (story.answers) assert(nowMs < electedAtMs + 2000, 'it answers within its term');
      }
    }),
  );
});

test('a lead that is lost as soon as it is taken is asked for later each time, until one has lasted', () => {
  const story = new Story();
  const waits: number[] = [];
  let atMs = 0;
  const lose = (): void => {
    const { calls } = story.state;
    story.at(atMs, { type: 'campaigned', callId: calls, leader: null });
    story.at(atMs + 1, { type: 'claimed', epoch: calls });
    story.at(atMs + 2, { type: 'writer_failed', ...AWAY });
    story.at(atMs + 3, { type: 'left' });
    waits.push((candidateWakeMs(story.state) ?? 0) - atMs);
    atMs = candidateWakeMs(story.state) ?? 0;
    story.at(atMs, { type: 'tick' });
  };
  story.at(atMs, { type: 'start' });
  for (let time = 0; time < 8; time += 1) lose();
  assert((waits.at(-1) ?? 0) > 900, `the waits were ${waits.join(', ')}`);
  assert((waits[0] ?? 0) < 100);
  story.at(atMs, { type: 'campaigned', callId: story.state.calls, leader: null });
  story.at(atMs + 1, { type: 'claimed', epoch: 100 });
  story.at(atMs + 500, { type: 'tick' });
  story.at(atMs + 501, { type: 'renewed', callId: story.state.calls, leads: true });
  assert.equal(story.state.failures, 0);
});
