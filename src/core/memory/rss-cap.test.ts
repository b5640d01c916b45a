import assert from 'node:assert/strict';
import { test } from 'node:test';

import { capAboveLimit, effectiveRssCap, rssBreachMessage } from './rss-cap.ts';
import { RssThrottle } from './rss-throttle.ts';

const GIB = 1024 ** 3;
const nothing = { cgroupV2Bytes: null, cgroupV1Bytes: null, machineBytes: 16 * GIB };
const unasked = { maxRamBytes: null, maxProcessRssBytes: null };

test('the smaller of the two caps asked for counts, and is not called derived', () => {
  const cap = effectiveRssCap({ maxRamBytes: 2 * GIB, maxProcessRssBytes: GIB }, nothing);
  assert.deepEqual(cap, { capBytes: GIB, source: 'max_process_rss_bytes', derived: false });
});

test('a cap is derived from the control group where it limits more than the machine', () => {
  const v2 = effectiveRssCap(unasked, { ...nothing, cgroupV2Bytes: 4 * GIB });
  assert.deepEqual(v2, { capBytes: Math.floor(3.6 * GIB), source: 'cgroup_v2', derived: true });
  const v1 = effectiveRssCap(unasked, { ...nothing, cgroupV1Bytes: GIB });
  assert.deepEqual(v1, { capBytes: Math.floor(0.9 * GIB), source: 'cgroup_v1', derived: true });
});

test('a version 1 group without a limit says 2^63 and does not count', () => {
  const cap = effectiveRssCap(unasked, { ...nothing, cgroupV1Bytes: 2 ** 63 });
  assert.deepEqual(cap, { capBytes: Math.floor(12.8 * GIB), source: 'machine', derived: true });
});

test('processes that start together share what is derived', () => {
  const cap = effectiveRssCap({ ...unasked, processes: 4 }, nothing);
  assert.equal(cap.capBytes, Math.floor((12.8 * GIB) / 4));
});

test('the sentence of a breach begins with the figures and names every knob with its value', () => {
  const knobs = { maxInflightBytes: 64, prefetchBatches: 2, maxQueueBatches: 4, want: 1 };
  const message = rssBreachMessage(11, 10, knobs);
  assert.ok(message.startsWith('process rss 11 exceeds max_process_rss_bytes 10'));
  assert.match(
    message,
    /max_inflight_bytes \(now 64\).*prefetch_batches \(now 2\).*max_queue_batches \(now 4\).*want \(now 1\)/,
  );
});

test('throttling starts above 90 % of the cap and ends at 85 %', () => {
  const throttle = new RssThrottle(1000);
  assert.equal(throttle.update(900), 'open');
  assert.equal(throttle.update(901), 'throttled');
  assert.equal(throttle.update(870), 'throttled');
  assert.equal(throttle.update(850), 'open');
  assert.equal(throttle.update(870), 'open');
  assert.equal(throttle.update(1000), 'throttled');
  assert.equal(throttle.update(1001), 'breached');
});

test('a cap above what the control group or the machine has is told, with both', () => {
  const asked = { name: '--ram-gb', bytes: 2 * GIB };
  const group = { ...nothing, cgroupV1Bytes: GIB };
  assert.deepEqual(capAboveLimit(asked, group), {
    cap_bytes: 2 * GIB,
    limit_bytes: GIB,
    source: 'cgroup_v1',
    message:
      '--ram-gb is 2147483648 bytes, more than the 1073741824 that the control group of this process has: the kernel ends processes (SIGKILL) before that cap is reached; lower it, or give it more memory',
  });
  assert.equal(capAboveLimit({ ...asked, bytes: 17 * GIB }, nothing)?.['source'], 'machine');
  for (const bytes of [null, GIB, 16 * GIB]) {
    assert.equal(capAboveLimit({ ...asked, bytes }, bytes === GIB ? group : nothing), null);
  }
});
