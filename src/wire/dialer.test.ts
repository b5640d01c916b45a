import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import type { Connection } from './connection.ts';
import type { CoordAddress } from './coord-url.ts';
import { Dialer } from './dialer.ts';
import { SPARE_DELAY_MS_MAX, SPARES_MAX } from './limits.ts';

class FakeConnection implements Connection {
  readonly address: CoordAddress;
  isReady = false;
  isKeptOpen = false;
  isClosed = false;

  constructor(address: CoordAddress) {
    this.address = address;
  }

  /** Connects, as a real one would in a moment. */
  keepOpen(): void {
    this.isKeptOpen = true;
    this.isReady = true;
  }

  close(): void {
    this.isClosed = true;
    this.isReady = false;
  }
}

interface Bed {
  readonly dialer: Dialer<FakeConnection>;
  readonly clock: FakeClock;
  readonly dialled: readonly FakeConnection[];
  /** Addresses of what is open. */
  readonly open: () => readonly string[];
}

function bed(coordUrl: string): Bed {
  const clock = new FakeClock();
  const dialled: FakeConnection[] = [];
  const dial = (address: CoordAddress): FakeConnection => {
    const connection = new FakeConnection(address);
    dialled.push(connection);
    return connection;
  };
  const random = { fraction: () => 0.5, bytes: (count: number) => new Uint8Array(count) };
  const open = (): readonly string[] =>
    dialled.filter(({ isClosed }) => !isClosed).map(({ address }) => address.text);
  return { dialer: new Dialer({ coordUrl, clock, random, dial }), clock, dialled, open };
}

const notLeader = (leader: string) => ({ code: 'not_leader', details: { leader } }) as const;
const AWAY = { code: 'coordinator_unavailable' } as const;

test('spares are connected some time after they are asked for, and no more than there is room for', async () => {
  const { dialer, clock, open } = bed('a:1,b:1,c:1,d:1,e:1');
  dialer.connection();
  dialer.keepSpares();
  dialer.keepSpares();
  assert.deepEqual(open(), ['a:1']);
  await clock.advance(SPARE_DELAY_MS_MAX);
  assert.equal(SPARES_MAX, 2);
  assert.deepEqual(open(), ['a:1', 'b:1', 'c:1']);
  dialer.keepSpares();
  await clock.advance(SPARE_DELAY_MS_MAX);
  assert.deepEqual(open(), ['a:1', 'b:1', 'c:1']);
});

test('the connection to the leader that a refusal names is the spare, and the old one becomes a spare', async () => {
  const { dialer, clock, dialled, open } = bed('a:1,b:1,c:1');
  const first = dialer.connection();
  dialer.keepSpares();
  await clock.advance(SPARE_DELAY_MS_MAX);
  dialer.failed(first, notLeader('c:1'));
  assert.equal(dialer.isHinted, true);
  assert.equal(dialer.connection(), dialled[2]);
  assert.equal(dialer.isHinted, true);
  assert.deepEqual([first.isClosed, first.isKeptOpen], [false, true]);
  // And back, without a further connection.
  dialer.failed(dialer.connection(), notLeader('a:1'));
  assert.equal(dialer.connection(), first);
  assert.deepEqual(open(), ['a:1', 'b:1', 'c:1']);
  assert.equal(dialled.length, 3);
});

test('a spare that has lost its connection is no use: another is dialled in its place', async () => {
  const { dialer, clock, dialled, open } = bed('a:1,b:1');
  const first = dialer.connection();
  dialer.keepSpares();
  await clock.advance(SPARE_DELAY_MS_MAX);
  const [, spare] = dialled;
  if (spare !== undefined) spare.isReady = false;
  dialer.failed(first, notLeader('b:1'));
  assert.notEqual(dialer.connection(), spare);
  assert.equal(dialer.connection().address.text, 'b:1');
  assert.deepEqual(open(), ['a:1', 'b:1']);
});

test('a connection that failed is closed, and the next of the list is the spare that is connected', async () => {
  const { dialer, clock, dialled } = bed('a:1,b:1');
  const first = dialer.connection();
  dialer.keepSpares();
  await clock.advance(SPARE_DELAY_MS_MAX);
  dialer.failed(first, AWAY);
  assert.equal(dialer.isHinted, false);
  assert.equal(first.isClosed, true);
  assert.equal(dialer.connection(), dialled[1]);
});

test('a client that never asked for spares closes what does not lead', () => {
  const { dialer, clock, open } = bed('a:1,b:1');
  dialer.failed(dialer.connection(), notLeader('b:1'));
  assert.equal(dialer.connection().address.text, 'b:1');
  assert.deepEqual(open(), ['b:1']);
  assert.equal(clock.timerCount, 0);
});

test('a coordinator that is not in the list is no spare', async () => {
  const { dialer, clock, open } = bed('a:1,b:1');
  dialer.failed(dialer.connection(), notLeader('z:1'));
  assert.equal(dialer.connection().address.text, 'z:1');
  dialer.keepSpares();
  await clock.advance(SPARE_DELAY_MS_MAX);
  assert.deepEqual(open(), ['z:1', 'a:1', 'b:1']);
  dialer.failed(dialer.connection(), notLeader('b:1'));
  assert.deepEqual(open(), ['a:1', 'b:1']);
});

test('with the dialer close the spares and the plan to connect them', async () => {
  const { dialer, clock, dialled, open } = bed('a:1,b:1,c:1');
  dialer.connection();
  dialer.keepSpares();
  await clock.advance(SPARE_DELAY_MS_MAX);
  dialer.keepSpares();
  dialer.close();
  assert.deepEqual(open(), []);
  await clock.advance(SPARE_DELAY_MS_MAX);
  assert.deepEqual([dialled.length, clock.timerCount], [3, 0]);
});
