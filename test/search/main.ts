/**
 * `npm run search`: every state of the log protocol within some bounds, then each known way to get it
 * wrong, with the shortest story that shows it.
 *
 *     npm run search                     all of it
 *     npm run search -- --variant NAME   one variant, with its story
 */
import { importMutated } from '../support/mutations/mutation-loader.ts';
import { FULL_BOUNDS } from './bounds.ts';
import type * as SearchModule from './search.ts';
import { type Variant, VARIANTS } from './variants.ts';

type Search = typeof SearchModule;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Seconds of a core, which a busy machine does not change much. */
function timed<T>(body: () => T): { readonly value: T; readonly seconds: string } {
  const begun = process.cpuUsage();
  const value = body();
  const { user, system } = process.cpuUsage(begun);
  return { value, seconds: `${((user + system) / 1e6).toFixed(1)} s` };
}

async function showVariant(variant: Variant, isStoryShown: boolean): Promise<boolean> {
  const mutated = await importMutated<Search>(variant, 'test/search/search.ts');
  const { value, seconds } = timed(() => mutated.search(variant.bounds));
  const { violation } = value;
  const isFound = violation !== null && variant.found.test(violation.message);
  say(`${isFound ? '✔' : '✖'} ${variant.name}: ${variant.breaks}`);
  const steps = violation === null ? 'not found' : `found after ${value.depth} steps`;
  say(`    ${steps}, ${value.states} states, ${seconds}`);
  if (violation !== null && (isStoryShown || !isFound)) {
    for (const line of violation.transcript) say(`    ${line}`);
  }
  return isFound;
}

async function showBounds(): Promise<{ readonly states: number; readonly isClean: boolean }> {
  let states = 0;
  for (const { name, bounds, shape } of FULL_BOUNDS) {
    const { search } = await importMutated<Search>(shape, 'test/search/search.ts');
    const { value, seconds } = timed(() => search(bounds));
    states += value.states;
    const figures = `${value.states} states, ${value.transitions} steps, depth ${value.depth}`;
    say(`${value.violation === null ? '✔' : '✖'} ${name}: ${figures}, ${seconds}`);
    if (value.violation === null) continue;
    for (const line of value.violation.transcript) say(`    ${line}`);
    return { states, isClean: false };
  }
  return { states, isClean: true };
}

async function main(args: readonly string[]): Promise<number> {
  const named = args[0] === '--variant' ? args[1] : undefined;
  const chosen = VARIANTS.filter((variant) => named === undefined || variant.name === named);
  if (chosen.length === 0) {
    say(`no variant is named ${String(named)}; there are:`);
    for (const { name } of VARIANTS) say(`  ${name}`);
    return 2;
  }
  const { states, isClean } =
    named === undefined ? await showBounds() : { states: 0, isClean: true };
  let found = 0;
  for (const variant of chosen) found += (await showVariant(variant, named !== undefined)) ? 1 : 0;
  const { user, system } = process.cpuUsage();
  const seconds = `${((user + system) / 1e6).toFixed(0)} s of a core`;
  say(
    `${states} states without a violation, ${found} of ${chosen.length} variants found, ${seconds}`,
  );
  return isClean && found === chosen.length ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
