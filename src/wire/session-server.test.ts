import assert from 'node:assert/strict';
import test from 'node:test';
import { Mx8Error } from '../core/base/errors.ts';
import { jobId, nodeId } from '../core/base/units.ts';
import type { Reply } from '../core/job/protocol.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { TEST_CAPS } from '../testing/test-coordinator.ts';
import type { CoordinatorBackend } from './backend.ts';
import type { SessionCall, SessionReceiver } from './grpc-service.ts';
import { AWAY_INTERVAL_MS, AWAY_INTERVALS_MAX, AWAY_SESSIONS_MIN } from './limits.ts';
import { unbatched } from './message-batcher.ts';
import type { WireMessage } from './schema.ts';
import { Sessions } from './session-server.ts';
import { commandMessage, refusalFrom } from './v1-session.ts';

const AWAY = new Mx8Error('not_leader', 'not here', { leader: 'b:1' });

/** A coordinator that has handed over: what it is asked it refuses. */
const backend = {
  meter: { started: () => () => undefined },
  submit: () => Promise.reject<Reply>(AWAY),
  subscribe: () => () => undefined,
  onInternalError: (error: Error) => assert.fail(error),
} as unknown as CoordinatorBackend;

class FakeCall implements SessionCall {
  readonly isPaused = false;
  readonly refusals: Mx8Error[] = [];
  readonly session: SessionReceiver;

  constructor(sessions: Sessions) {
    this.session = sessions.accept(this);
  }

  write(message: WireMessage, done: () => void): void {
    for (const one of unbatched(message)) {
      const refusal = refusalFrom(one);
      if (refusal !== null) this.refusals.push(refusal);
    }
    done();
  }

  pause(): void {
    assert.fail('so little is asked that it is read on');
  }

  resume(): void {
    assert.fail('it never paused');
  }

  end(): void {
    this.session.over();
  }

  refuse(error: Mx8Error): void {
    assert.fail(error);
  }
}

/** What was asked or said is answered and written. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

function toldOf(calls: readonly FakeCall[]): number {
  return calls.filter(({ refusals }) => refusals.length > 0).length;
}

test('sessions are sent away a few at a time, the last after so many intervals', async () => {
  const [clock, sessions] = [new FakeClock(), new Sessions(backend)];
  const count = AWAY_INTERVALS_MAX * AWAY_SESSIONS_MIN * 2;
  const calls = Array.from({ length: count }, () => new FakeCall(sessions));
  const all = sessions.sendAway(AWAY, clock);
  const told: number[] = [];
  for (let interval = 0; interval < AWAY_INTERVALS_MAX; interval += 1) {
    await settled();
    told.push(toldOf(calls));
    await clock.advance(AWAY_INTERVAL_MS);
  }
  await all;
  const each = count / AWAY_INTERVALS_MAX;
  assert.deepEqual(
    told,
    told.map((_, interval) => each * (interval + 1)),
  );
  for (const { refusals } of calls) assert.deepEqual(refusals[0]?.details, { leader: 'b:1' });
});

test('one that was refused so meanwhile is not told again', async () => {
  const [clock, sessions] = [new FakeClock(), new Sessions(backend)];
  const calls = Array.from({ length: AWAY_SESSIONS_MIN + 1 }, () => new FakeCall(sessions));
  const all = sessions.sendAway(AWAY, clock);
  const last = calls.at(-1);
  assert.ok(last !== undefined);
  const node = { jobId: jobId('job'), nodeId: nodeId('n'), instanceId: 'i' };
  const hello = { ...node, caps: TEST_CAPS, resumeFrom: new Uint8Array(0) };
  last.session.message(commandMessage(1, { type: 'register', ...hello }));
  await settled();
  assert.equal(toldOf(calls), calls.length);
  await clock.advance(AWAY_INTERVAL_MS);
  await all;
  await settled();
  assert.deepEqual(
    calls.map(({ refusals }) => refusals.length),
    calls.map(() => 1),
  );
});
