import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { decodeFromWorker } from './worker-messages.ts';

const PIECE = {
  leaseId: '1.2.0',
  start: 0,
  end: 4,
  rows: 4,
  bytes: 9,
  inputBytes: 70,
  quarantined: [2],
};
const STATS = {
  inflightBytes: 0,
  rssHighWaterBytes: 1,
  fetchQueueDepth: 0,
  decodeQueueDepth: 0,
  packQueueDepth: 0,
};

const STORE = {
  ...{ host: 'https://store.example', wanted: 4, inFlight: 2, servingMilli: 1500, pauseMs: 0 },
  ...{ answeredTotal: 9, refusedTotal: 1, firstByteUsTotal: 90_000 },
  ...{ untimedTotal: 3, share: null },
};

const GOOD: readonly Readonly<Record<string, unknown>>[] = [
  { type: 'ready', sinkKind: 'jsonl', input: './docs' },
  { type: 'ready', sinkKind: null, input: null },
  { type: 'failed', workId: 1, code: 'process_failed', message: 'no' },
  { type: 'batch_begun', workId: 1, start: 0, end: 4 },
  { type: 'batch_done', workId: 1, cursor: 4, samples: 4, bytes: 10, readUs: 5, processUs: 7 },
  { type: 'piece_staged', workId: 1, piece: PIECE, stageUs: 3 },
  { type: 'work_done', workId: 1 },
  { type: 'need_records', requestId: 1, start: 0, end: 4 },
  { type: 'stats', stats: STATS, stores: [STORE, { ...STORE, share: 3 }] },
  { type: 'log', level: 'info', event: 'hello', fields: { a: 1, b: 'x', c: null } },
];

test('every message of a worker is taken as it is', () => {
  for (const message of GOOD) assert.deepEqual(decodeFromWorker(message), message);
});

test('a message with a field missing or of another kind is refused', () => {
  for (const message of GOOD) {
    for (const key of Object.keys(message)) {
      const { [key]: _, ...without } = message;
      assert.equal(decodeFromWorker(without), null, `${String(message['type'])} without ${key}`);
      assert.equal(decodeFromWorker({ ...message, [key]: Symbol.iterator }), null);
    }
  }
  const bad = {
    type: 'piece_staged',
    workId: 1,
    stageUs: 3,
    piece: { ...PIECE, leaseId: '../etc' },
  };
  assert.equal(decodeFromWorker(bad), null);
  for (const store of [{ ...STORE, host: 'two words' }, { ...STORE, share: -1 }, 7]) {
    assert.equal(decodeFromWorker({ type: 'stats', stats: STATS, stores: [store] }), null);
  }
});

test('whatever user code sends, nothing but our own messages is taken', () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      assert.equal(decodeFromWorker(value), null);
    }),
  );
});
