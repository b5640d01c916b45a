import assert from 'node:assert/strict';
import test from 'node:test';

import fc from 'fast-check';
import protobuf from 'protobufjs';

import { jobId, nodeId } from '../core/base/units.ts';
import { IDLE_STATS } from '../core/job/job-state.ts';
import type { StoreView } from '../core/job/protocol.ts';
import type { StoreReport, StoreShare } from '../core/transfer/store-report.ts';
import { type WireMessage, wireType } from './schema.ts';
import { commandFrom, commandMessage, replyFrom, replyMessage } from './v1-session.ts';
import {
  sharedFrom,
  sharedMessage,
  shareStoresFrom,
  shareStoresMessage,
  storeViewFrom,
  storeViewMessage,
} from './v1-stores.ts';

const u32 = fc.nat(0xffffffff);
const u53 = fc.maxSafeNat();
const host = fc.stringMatching(/^[\x21-\x7e]{1,300}$/);
const plain = { noNullPrototype: true } as const;

const reports: fc.Arbitrary<StoreReport> = fc.record(
  {
    ...{ host, wanted: u32, inFlight: u32, servingMilli: u32, pauseMs: u32 },
    ...{ answeredTotal: u53, refusedTotal: u53, firstByteUsTotal: u53, untimedTotal: u53 },
    share: fc.option(u32),
  },
  plain,
);
const shares: fc.Arbitrary<StoreShare> = fc.record(
  { host, requests: u32, pauseMs: u32, ttlMs: u32 },
  plain,
);
const views: fc.Arbitrary<StoreView> = fc.record(
  {
    ...{ host, agents: u32, inFlight: u32, wanted: u32, answeredTotal: u53, refusedTotal: u53 },
    budget: fc.option(fc.integer({ min: 1, max: 0xffffffff })),
    jobs: fc.integer({ min: 1, max: 0xffffffff }),
    guests: u32,
    ...{ firstByteUs: u53, pausedMs: u53 },
  },
  plain,
);

const SPEAKER = { jobId: jobId('j'), nodeId: nodeId('n'), instanceId: 'i' };
const HEARTBEAT = { type: 'heartbeat', ...SPEAKER, stats: IDLE_STATS, sentAtUnixMs: 7 } as const;
const REPORT: StoreReport = {
  ...{ host: 'https://store.example', wanted: 9, inFlight: 4, servingMilli: 3500, pauseMs: 0 },
  ...{ answeredTotal: 100, refusedTotal: 3, firstByteUsTotal: 5_000_000 },
  ...{ untimedTotal: 40, share: 4 },
};
const SHARE: StoreShare = { host: REPORT.host, requests: 4, pauseMs: 0, ttlMs: 5000 };

function sent(type: string, message: WireMessage): WireMessage {
  const codec = wireType(`mx8.v1.${type}`);
  return codec.decode(codec.encode(message));
}

test('what a heartbeat says of stores, and is answered, arrives as it was sent', () => {
  fc.assert(
    fc.property(fc.array(reports, { maxLength: 3 }), (stores) => {
      const command = { ...HEARTBEAT, stores };
      const arrived = sent('ClientMessage', commandMessage(1, command));
      assert.deepEqual(commandFrom(arrived, SPEAKER), command);
    }),
  );
  fc.assert(
    fc.property(fc.array(shares, { minLength: 1, maxLength: 3 }), (storeShares) => {
      const reply = { type: 'ok', storeShares } as const;
      assert.deepEqual(replyFrom(sent('ServerMessage', replyMessage(1, reply))), reply);
    }),
  );
  fc.assert(
    fc.property(views, (view) => {
      assert.deepEqual(storeViewFrom(sent('StoreView', storeViewMessage(view))), view);
    }),
  );
});

test('a host that is no text for a log is refused', () => {
  for (const name of ['', 'two words', 'a\nb', 'é', 'x'.repeat(301)]) {
    const message = commandMessage(1, { ...HEARTBEAT, stores: [{ ...REPORT, host: name }] });
    assert.throws(() => commandFrom(sent('ClientMessage', message), SPEAKER), /field host/);
  }
});

/** The messages as versions before shares of stores have them. */
const BEFORE = protobuf.parse(`
  syntax = "proto3";
  message Heartbeat { uint64 sent_at_unix_time_ms = 2; }
  message ClientMessage { uint64 request_id = 1; oneof body { Heartbeat heartbeat = 3; } }
  message Done {}
  message ServerMessage { uint64 request_id = 1; oneof body { Done done = 3; } }
`).root;

test('a coordinator that knows no shares understands the heartbeat, and its answer means that there are none', () => {
  const message = commandMessage(5, { ...HEARTBEAT, stores: [REPORT] });
  const old = BEFORE.lookupType('ClientMessage');
  const heard = old.toObject(old.decode(wireType('mx8.v1.ClientMessage').encode(message)), {
    longs: Number,
  });
  assert.deepEqual(heard, { requestId: 5, heartbeat: { sentAtUnixTimeMs: 7 } });
  const answer = BEFORE.lookupType('ServerMessage');
  const done = answer.encode({ requestId: 5, done: {} }).finish();
  assert.deepEqual(replyFrom(wireType('mx8.v1.ServerMessage').decode(done)), { type: 'ok' });
});

test('an agent that knows no shares is known by its heartbeat, and takes the answer for what it always was', () => {
  const old = BEFORE.lookupType('ClientMessage');
  const bytes = old.encode({ requestId: 5, heartbeat: { sentAtUnixTimeMs: 7 } }).finish();
  const command = commandFrom(wireType('mx8.v1.ClientMessage').decode(bytes), SPEAKER);
  assert.ok(command.type === 'heartbeat' && command.stores === undefined);
  const reply = replyMessage(5, { type: 'ok', storeShares: [SHARE] });
  const answer = BEFORE.lookupType('ServerMessage');
  const heard = answer.decode(wireType('mx8.v1.ServerMessage').encode(reply));
  assert.deepEqual(answer.toObject(heard, { longs: Number }), { requestId: 5, done: {} });
});

test('what a guest says of stores, and is answered, arrives as it was sent', () => {
  fc.assert(
    fc.property(fc.array(reports, { maxLength: 3 }), (stores) => {
      const command = { type: 'share_stores', guestId: nodeId('resolve-1'), stores } as const;
      const arrived = sent('ShareStoresRequest', shareStoresMessage(command));
      assert.deepEqual(shareStoresFrom(arrived), command);
    }),
  );
  fc.assert(
    fc.property(fc.array(shares, { minLength: 1, maxLength: 3 }), u32, (storeShares, beatMs) => {
      const reply = { type: 'ok', storeShares, beatMs } as const;
      assert.deepEqual(sharedFrom(sent('ShareStoresResponse', sharedMessage(reply))), reply);
    }),
  );
  const nothing = sharedFrom(sent('ShareStoresResponse', sharedMessage({ type: 'ok', beatMs: 5 })));
  assert.deepEqual(nothing, { type: 'ok', beatMs: 5 });
});
