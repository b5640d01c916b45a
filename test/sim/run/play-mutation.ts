/**
 * A process of its own for one mutation: plays seeds with the bug put in until a checker finds it, and
 * prints what found it as one line of JSON.
 */
import { importMutated } from '../../support/mutations/mutation-loader.ts';
import { MUTATIONS } from '../mutations/all.ts';
import type { Played, Run } from './play-seeds.ts';

const [name, seeds] = process.argv.slice(2);
const mutation = MUTATIONS.find((one) => one.name === name) ?? null;
if (mutation === null) throw new Error(`there is no mutation ${String(name)}`);

const { playSeeds } = await importMutated<{ playSeeds: (run: Run) => Promise<void> }>(
  mutation,
  'test/sim/run/play-seeds.ts',
);
let first: Played | null = null;
let played = 0;
await playSeeds({
  from: 1,
  count: Number(seeds),
  onPlayed: (one) => {
    played += 1;
    if (one.violation !== null && (first === null || one.seed < first.seed)) first = one;
    return first === null;
  },
});
const { user, system } = process.cpuUsage();
const cpuMs = Math.round((user + system) / 1000);
process.stdout.write(`${JSON.stringify({ name, played, found: first, cpuMs })}\n`);
