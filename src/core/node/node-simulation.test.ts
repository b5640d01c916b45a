/**
 * Agents' machines against the coordinator's, in virtual time, over a network that loses, delays and
 * reorders, with workers that die, stand still and choke on a sample, and a coordinator that restarts.
 */
import test from 'node:test';
import fc from 'fast-check';
import { CALM, checkEnd, play, type Scene } from '../../../test/support/node-world.ts';

const QUIET: Scene = {
  seed: 1,
  samples: 40,
  blockSize: 8,
  nodes: 2,
  want: 2,
  workers: 2,
  stages: true,
  batchMsMax: 40,
  slowness: 1,
  relief: 'double',
  faults: CALM,
  calmAfterMs: 0,
};

test('two agents commit every sample and one of them publishes the outputs', () => {
  checkEnd(play(QUIET));
});

test('a sample that ends its worker each time is found among its batch and quarantined', () => {
  const world = play({ ...QUIET, faults: { ...CALM, poison: [5, 6, 17] }, calmAfterMs: 1e9 });
  checkEnd(world);
});

test('under any losses, deaths, standstills and restarts no lease is worked on past its time and the job ends', () => {
  const faults = fc.record({
    loss: fc.double({ min: 0, max: 0.4, noNaN: true }),
    delayMsMax: fc.integer({ min: 1, max: 600 }),
    death: fc.double({ min: 0, max: 0.1, noNaN: true }),
    standstill: fc.double({ min: 0, max: 0.1, noNaN: true }),
    restart: fc.double({ min: 0, max: 0.05, noNaN: true }),
    poison: fc.constant([]),
  });
  const scene = fc.record({
    seed: fc.integer({ min: 0, max: 2 ** 31 }),
    samples: fc.integer({ min: 1, max: 60 }),
    blockSize: fc.integer({ min: 1, max: 12 }),
    nodes: fc.integer({ min: 1, max: 3 }),
    want: fc.integer({ min: 1, max: 4 }),
    workers: fc.integer({ min: 1, max: 3 }),
    stages: fc.boolean(),
    batchMsMax: fc.constantFrom(40, 200),
    slowness: fc.constantFrom(1, 10),
    relief: fc.constantFrom('off', 'split', 'double'),
    faults,
    calmAfterMs: fc.integer({ min: 0, max: 4_000 }),
  });
  fc.assert(
    fc.property(scene, (given) => checkEnd(play(given))),
    { numRuns: 60 },
  );
});
