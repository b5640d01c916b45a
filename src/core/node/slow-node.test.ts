/** What one slow node costs a job, in virtual time: the coordinator's machine and 16 agents' machines. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { CALM, checkEnd, play, type Scene } from '../../../test/support/node-world.ts';

/** 16 nodes, ten leases each, about 100 batches a lease. */
const SIXTEEN: Scene = {
  seed: 1,
  samples: 16 * 10 * 100,
  blockSize: 100,
  nodes: 16,
  want: 2,
  workers: 1,
  stages: true,
  batchMsMax: 200,
  slowness: 1,
  relief: 'double',
  faults: CALM,
  calmAfterMs: 0,
};

function tookMs(scene: Scene): number {
  const world = play(scene);
  checkEnd(world);
  return world.nowMs;
}

test('1 of 16 nodes ten times slower costs the job at most 25 %', (context) => {
  const even = tookMs(SIXTEEN);
  const slowed = tookMs({ ...SIXTEEN, slowness: 10 });
  const alone = tookMs({ ...SIXTEEN, slowness: 10, relief: 'off' });
  const words = (ms: number): string => `${Math.round(ms)} ms, ${(ms / even).toFixed(3)}`;
  context.diagnostic(
    `even ${Math.round(even)} ms; slow ${words(slowed)}; unrelieved ${words(alone)}`,
  );
  assert(slowed <= 1.25 * even, `it took ${words(slowed)} of what it takes without`);
  assert(alone > 1.25 * even, 'without relief it shows');
});
