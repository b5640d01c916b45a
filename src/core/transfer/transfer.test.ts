import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { refusedAddress, refusedHostName } from './addresses.ts';
import { etagTag } from './etag-tag.ts';
import { HostLimit } from './host-limit.ts';
import { httpDateMs } from './http-date.ts';
import { RANGE_BYTES_MAX, RANGE_GAP_BYTES_MAX, planRanges } from './plan-ranges.ts';
import { bodyFraming, parseContentRange, parseResponseHead } from './response-head.ts';
import { RetryBudget, retryAfterMs } from './retry-budget.ts';

test('link-local and metadata addresses are refused in every spelling', () => {
  const refused = [
    '169.254.169.254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '[fe80::1%eth0]',
    'fd00:ec2::254',
    '100.100.100.200',
    '0.0.0.0',
    '::',
    '224.0.0.1',
  ];
  for (const address of refused) assert.notEqual(refusedAddress(address), null, address);
  for (const address of ['127.0.0.1', '10.0.0.5', '52.95.110.1', '::1', '2600:1f00::1']) {
    assert.equal(refusedAddress(address), null, address);
  }
  assert.notEqual(refusedHostName('Metadata.Google.Internal.'), null);
  assert.equal(refusedHostName('s3.amazonaws.com'), null);
});

test('neighbours travel together and a wide gap parts them', () => {
  const ranges = planRanges([
    { index: 0, object: 0, start: 512, bytes: 100, at: 0 },
    { index: 1, object: 0, start: 1536, bytes: 100, at: 100 },
    { index: 2, object: 0, start: 1636, bytes: 50, at: 200 },
    { index: 3, object: 0, start: 1686 + RANGE_GAP_BYTES_MAX + 1, bytes: 10, at: 250 },
    { index: 4, object: 1, start: 0, bytes: 10, at: 260 },
  ]);
  assert.deepEqual(
    ranges.map(({ object, start, end, samples }) => ({ object, start, end, samples })),
    [
      { object: 0, start: 512, end: 1686, samples: [0, 1, 2] },
      {
        object: 0,
        start: 1687 + RANGE_GAP_BYTES_MAX,
        end: 1697 + RANGE_GAP_BYTES_MAX,
        samples: [3],
      },
      { object: 1, start: 0, end: 10, samples: [4] },
    ],
  );
  assert.deepEqual(ranges[0]?.pieces, [
    { bytes: 100, at: 0 },
    { bytes: 924, at: -1 },
    { bytes: 150, at: 100 },
  ]);
});

test('every byte of every sample is in exactly one piece, and no range is longer than it may be', () => {
  const sample = fc.record({
    object: fc.nat(2),
    gap: fc.oneof(fc.nat(3000), fc.nat(200_000)),
    bytes: fc.oneof(
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 1, max: 3 * RANGE_BYTES_MAX }),
    ),
  });
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 40 }), (specs) => {
      const ends = new Map<number, number>();
      let at = 0;
      const samples = specs.map(({ object, gap, bytes }, index) => {
        const start = (ends.get(object) ?? 0) + gap;
        ends.set(object, start + bytes);
        const placed = { index, object, start, bytes, at };
        at += bytes;
        return placed;
      });
      let next = 0;
      for (const { start, end, pieces } of planRanges(samples)) {
        assert.ok(end - start <= RANGE_BYTES_MAX);
        assert.equal(
          pieces.reduce((sum, piece) => sum + piece.bytes, 0),
          end - start,
        );
        for (const piece of pieces) {
          if (piece.at === -1) continue;
          assert.equal(piece.at, next);
          next += piece.bytes;
        }
      }
      assert.equal(next, at);
    }),
  );
});

test('waits grow to their bound, are at least what the store asks for, and end with the budget', () => {
  const budget = new RetryBudget({ baseMs: 100, maxMs: 1000, budgetMs: 10_000 }, 0);
  assert.equal(budget.waitMs(0, 0.5), 50);
  assert.equal(budget.waitMs(50, 0.5), 100);
  assert.equal(budget.waitMs(150, 0), 0);
  assert.equal(budget.waitMs(150, 0.999), 799.2);
  assert.equal(budget.waitMs(1000, 0, 3000), 3000);
  assert.equal(budget.waitMs(9000, 0, 3000), null);
  budget.progressed(9000);
  assert.equal(budget.failures, 0);
  assert.equal(budget.waitMs(9000, 0, 3000), 3000);
});

test('a store that is waited for is told of soon, then now and then, and anew after progress', () => {
  const budget = new RetryBudget({ baseMs: 100, maxMs: 1000, budgetMs: 300_000 }, 0);
  const told = (nowMs: number): boolean => budget.mustTell(nowMs);
  assert.deepEqual([0, 4999, 5000, 5001, 64_999, 65_000].map(told), [
    false,
    false,
    true,
    false,
    false,
    true,
  ]);
  assert.equal(budget.silentMs(65_000), 65_000);
  budget.progressed(66_000);
  assert.deepEqual([66_000, 71_000].map(told), [false, true]);
});

test('Retry-After is seconds or a date', () => {
  const date = 'Wed, 21 Oct 2026 07:28:00 GMT';
  assert.equal(httpDateMs(date), Date.parse(date));
  assert.equal(retryAfterMs('7', NaN, 0), 7000);
  assert.equal(retryAfterMs(date, httpDateMs(date), httpDateMs(date) - 1500), 1500);
  assert.equal(retryAfterMs('soon', httpDateMs('soon'), 0), 0);
});

test('a host gets more as long as it answers, half after refusals, and one halving for one burst', () => {
  const limit = new HostLimit({ start: 4, min: 1, max: 32 });
  for (let answer = 0; answer < 12; answer += 1) limit.answered(5, limit.limit);
  assert.equal(limit.limit, 16);
  for (let refusal = 0; refusal < 8; refusal += 1) limit.refused(16);
  assert.equal(limit.limit, 8);
  for (let round = 0; round < 200; round += 1) limit.refused(1);
  assert.equal(limit.limit, 1);
});

test('one refusal in a hundred takes nothing away', () => {
  const limit = new HostLimit({ start: 8, min: 1, max: 64 });
  for (let request = 0; request < 5_000; request += 1) {
    // What is refused begins as an answer too.
    limit.answered(50, limit.limit);
    if (request % 100 === 99) limit.refused(limit.limit);
  }
  assert.equal(limit.limit, 64);
});

test('answers that begin much later than they once did take some of the limit back', () => {
  const limit = new HostLimit({ start: 16, min: 1, max: 64 });
  limit.answered(10, 16);
  for (let answer = 0; answer < 100; answer += 1) limit.answered(900, 16);
  assert.ok(limit.limit < 16, String(limit.limit));
});

test('a head that could be read in two ways is refused', () => {
  const lines = (...headers: string[]): string =>
    ['HTTP/1.1 206 Partial Content', ...headers].join('\r\n');
  const bad = [
    lines('Content-Length: 5', 'Content-Length: 6'),
    lines('Content-Length : 5'),
    lines(' folded: yes'),
    'HTTP/2 200',
    lines('no colon'),
  ];
  for (const text of bad) assert.equal(typeof parseResponseHead(text), 'string', text);
  const both = parseResponseHead(lines('Content-Length: 5', 'Transfer-Encoding: chunked'));
  assert.ok(typeof both !== 'string');
  assert.equal(typeof bodyFraming(both), 'string');
  const good = parseResponseHead(lines('Content-Length: 5', 'Connection: close'));
  assert.ok(typeof good !== 'string');
  assert.deepEqual(bodyFraming(good), { type: 'length', bytes: 5 });
  assert.equal(good.keepsAlive, false);
  assert.deepEqual(parseContentRange('bytes 5-9/*'), { start: 5, end: 10, total: -1 });
  assert.equal(parseContentRange('bytes 5-9'), null);
});

test('tags of ETags are positive whole numbers that differ', () => {
  const etags = Array.from({ length: 20_000 }, (_, index) => `${index.toString(16)}-${index % 7}`);
  const tags = new Set(etags.map(etagTag));
  assert.equal(tags.size, etags.length);
  for (const tag of tags) assert.ok(Number.isSafeInteger(tag) && tag > 0);
  assert.equal(etagTag(''), 0);
});
