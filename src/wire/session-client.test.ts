import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import test from 'node:test';
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { jobId, manifestHash, nodeId } from '../core/base/units.ts';
import { Mx8Error } from '../core/base/errors.ts';
import type { Registered, Reply } from '../core/job/protocol.ts';
import type { Push } from '../ports/coordinator-client.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { TEST_CAPS, testSpec } from '../testing/test-coordinator.ts';
import type { CallConnection } from './connection.ts';
import type { CoordAddress } from './coord-url.ts';
import { Dialer } from './dialer.ts';
import { requiredChild, text, uint64 } from './fields.ts';
import { BACKOFF_MS_MIN, SESSION_LEFT_MS } from './limits.ts';
import { unbatched } from './message-batcher.ts';
import type { WireMessage } from './schema.ts';
import { SessionClient } from './session-client.ts';
import { v1Method } from './unary-caller.ts';
import { refusedMessage, replyMessage, type SessionCommand } from './v1-session.ts';

type Stream = ClientDuplexStream<WireMessage, WireMessage>;

const { request, response } = v1Method('Session');
const NODE = { jobId: jobId('job'), nodeId: nodeId('n1'), instanceId: 'this process' };
const REGISTER: SessionCommand = {
  type: 'register',
  ...NODE,
  caps: TEST_CAPS,
  resumeFrom: new Uint8Array(0),
};
const RELEASE: SessionCommand = { type: 'release', ...NODE, leaseId: '1-2-3' };
const REGISTERED: Registered = {
  type: 'registered',
  spec: testSpec(manifestHash('0'.repeat(64))),
  jobToken: '1.2.0',
  assignedRank: 0,
  registeredNodes: 1,
  jobReady: true,
  phase: 'running',
  elastic: {
    transitionPending: false,
    transitionsTotal: 0,
    lastTransitionReason: '',
    currentWorldSize: 1,
    targetWorldSize: 1,
    lastTransitionUnixMs: 0,
  },
};

/** The coordinator's end of a session. */
class FakeSession extends Duplex {
  readonly asked: WireMessage[] = [];
  isCancelled = false;

  constructor() {
    super({ objectMode: true });
  }

  get bodies(): readonly string[] {
    return this.asked.map((message) => text(message, 'body'));
  }

  override _read(): void {
    // What is said is pushed when it is said.
  }

  override _write(message: WireMessage, _encoding: string, done: () => void): void {
    this.asked.push(...unbatched(request.decode(request.encode(message))));
    done();
  }

  cancel(): void {
    this.isCancelled = true;
  }

  answerAll(): void {
    for (const message of this.asked) {
      const isHello = text(message, 'body') === 'hello';
      this.#say(replyMessage(uint64(message, 'requestId'), isHello ? REGISTERED : { type: 'ok' }));
    }
  }

  sendAway(requestId: number, leader: string): void {
    this.#say(refusedMessage(requestId, new Mx8Error('not_leader', 'not here', { leader })));
  }

  #say(message: WireMessage): void {
    this.push(response.decode(response.encode(message)));
  }
}

class FakeConnection implements CallConnection {
  readonly address: CoordAddress;
  readonly isReady = true;
  readonly client: Client;

  constructor(address: CoordAddress, onSession: (session: FakeSession) => void) {
    this.address = address;
    this.client = new Client(address.target, credentials.createInsecure());
    this.client.makeBidiStreamRequest = () => {
      const session = new FakeSession();
      onSession(session);
      return session as unknown as Stream;
    };
  }

  keepOpen(): void {
    // It is open.
  }

  close(): void {
    this.client.close();
  }
}

class Bed implements Disposable {
  readonly clock = new FakeClock();
  readonly pushes: Push[] = [];
  /** With the address that each went to, in the order in which they were opened. */
  readonly opened: { readonly at: string; readonly session: FakeSession }[] = [];
  readonly client: SessionClient;
  readonly #dialer: Dialer;

  constructor(coordUrl: string) {
    const { clock } = this;
    const dial = (address: CoordAddress): CallConnection =>
      new FakeConnection(address, (session) => this.opened.push({ at: address.text, session }));
    const random = { fraction: () => 0.5, bytes: (count: number) => new Uint8Array(count) };
    this.#dialer = new Dialer({ coordUrl, clock, random, dial });
    this.client = new SessionClient({
      dialer: this.#dialer,
      clock,
      callTimeoutMs: 10_000,
      onPush: (push) => this.pushes.push(push),
    });
  }

  get addresses(): readonly string[] {
    return this.opened.map(({ at }) => at);
  }

  get last(): FakeSession {
    const last = this.opened.at(-1);
    assert.ok(last !== undefined);
    return last.session;
  }

  async register(): Promise<void> {
    const answer = this.client.ask(REGISTER);
    await this.settled();
    this.last.answerAll();
    assert.equal((await answer).type, 'registered');
  }

  /** What was said has been heard; no time passes. */
  async settled(): Promise<void> {
    for (let turn = 0; turn < 4; turn += 1) await this.clock.advance(0);
  }

  [Symbol.dispose](): void {
    this.client.close();
    this.#dialer.close();
  }
}

test('a leader that leaves is left at once for the one it names, with what it has not answered', async () => {
  using bed = new Bed('a:1,b:1,c:1');
  await bed.register();
  const answer: Promise<Reply> = bed.client.ask(RELEASE);
  await bed.settled();
  const { last: left } = bed;
  left.sendAway(2, 'c:1');
  await bed.settled();
  assert.deepEqual(bed.addresses, ['a:1', 'c:1']);
  assert.deepEqual(bed.last.bodies, ['hello', 'release']);
  bed.last.answerAll();
  assert.equal((await answer).type, 'ok');
  assert.deepEqual(
    bed.pushes.map(({ type }) => type),
    ['connected', 'disconnected', 'connected'],
  );
  // The leader that leaves ends the session itself; one that does not is not waited for.
  assert.equal(left.isCancelled, false);
  await bed.clock.advance(SESSION_LEFT_MS);
  assert.equal(left.isCancelled, true);
  assert.equal(bed.last.isCancelled, false);
});

test('a session that was left is ended with its client', async () => {
  using bed = new Bed('a:1,b:1');
  await bed.register();
  const { last: left } = bed;
  left.sendAway(0, 'b:1');
  await bed.settled();
  bed.client.close();
  assert.equal(left.isCancelled, true);
});

test('a node that asked nothing goes along when the leader says that it leaves', async () => {
  using bed = new Bed('a:1,b:1');
  await bed.register();
  bed.last.sendAway(0, 'b:1');
  await bed.settled();
  assert.deepEqual(bed.addresses, ['a:1', 'b:1']);
  assert.deepEqual(bed.last.bodies, ['hello']);
  const [hello] = bed.last.asked;
  assert(hello !== undefined);
  // To no other job that may have the name by then.
  assert.equal(text(requiredChild(hello, 'hello'), 'jobToken'), '1.2.0');
});

test('one that never answered may be wrong about the leader: it is followed after a wait', async () => {
  using bed = new Bed('a:1,b:1');
  await bed.register();
  bed.last.sendAway(0, 'b:1');
  await bed.settled();
  bed.last.sendAway(0, 'a:1');
  await bed.settled();
  assert.deepEqual(bed.addresses, ['a:1', 'b:1']);
  await bed.clock.advance(BACKOFF_MS_MIN * 2);
  assert.deepEqual(bed.addresses, ['a:1', 'b:1', 'a:1']);
});
