/**
 * A process of its own for a range of seeds: prints one line of JSON for each that failed, and one at
 * the end with sums and coverage.
 */
import { Coverage } from '../world/coverage.ts';
import { playSeeds } from './play-seeds.ts';

const [from = '1', count = '1'] = process.argv.slice(2);
const coverage = new Coverage();
let [events, entries, played, midway] = [0, 0, 0, 0];
/** Worlds after which what they run is compiled, and the processor time that those took. */
const WARM_AFTER = 1000;
let coldMs = 0;
/** Of all seeds, whatever the order in which they ended. */
let digest = 0;
const startMs = performance.now();
const startCpu = process.cpuUsage();

function cpuMsSoFar(): number {
  const { user, system } = process.cpuUsage(startCpu);
  return Math.round((user + system) / 1000);
}

await playSeeds({
  from: Number(from),
  count: Number(count),
  onPlayed: (one, { world }) => {
    played += 1;
    if (played === WARM_AFTER) coldMs = cpuMsSoFar();
    if (world.scene.midway !== null) midway += 1;
    events += one.events;
    entries += one.entries;
    digest = (digest + Math.imul(one.hash ^ one.seed, 0x9e3779b1)) >>> 0;
    coverage.add(world.coverage);
    if (one.violation !== null) process.stdout.write(`${JSON.stringify({ failed: one })}\n`);
    return true;
  },
});

const cpuMs = cpuMsSoFar();
const isWarm = played > WARM_AFTER;
const summary = {
  played,
  events,
  entries,
  digest,
  cpuMs,
  midway,
  warm: isWarm ? { played: played - WARM_AFTER, cpuMs: cpuMs - coldMs } : { played: 0, cpuMs: 0 },
  wallMs: Math.round(performance.now() - startMs),
  struck: [...coverage.struck],
  total: [...coverage.total],
};
process.stdout.write(`${JSON.stringify({ summary })}\n`);
