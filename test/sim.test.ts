import assert from 'node:assert/strict';
import test from 'node:test';
import { MUTATIONS } from './sim/mutations/all.ts';
import { type Played, playSeeds, type Run } from './sim/run/play-seeds.ts';
import { importMutated, staleEdits } from './support/mutations/mutation-loader.ts';

interface Entry {
  playSeeds(run: Run): Promise<void>;
}

async function play(from: number, count: number): Promise<Played[]> {
  const all: Played[] = [];
  await playSeeds({ from, count, onPlayed: (played) => all.push(played) > 0 });
  return all.sort((a, b) => a.seed - b.seed);
}

test('worlds with faults keep their promises, and come to an end once they are healed', async () => {
  const all = await play(1, 10);
  assert.equal(all.length, 10);
  assert.deepEqual(
    all.map(({ violation }) => violation),
    all.map(() => null),
  );
});

test('a seed gives the same world alone and after others', async () => {
  const [together, alone] = [await play(3, 4), await play(5, 1)];
  assert.deepEqual(
    alone,
    together.filter(({ seed }) => seed === 5),
  );
});

test('each known bug can still be put in, and there are more than forty', () => {
  assert.deepEqual(staleEdits(MUTATIONS), []);
  assert(MUTATIONS.length > 40);
  assert.equal(new Set(MUTATIONS.map(({ name }) => name)).size, MUTATIONS.length);
});

test('an answer before its append is found, by the checker of answers', async () => {
  const bug = MUTATIONS.find(({ name }) => name === 'answer-before-append');
  assert(bug !== undefined);
  const mutated = await importMutated<Entry>(bug, 'test/sim/run/play-seeds.ts');
  let found: string | null = null;
  await mutated.playSeeds({
    from: 1,
    count: 20,
    onPlayed: ({ violation }) => {
      found ??= violation?.checker ?? null;
      return found === null;
    },
  });
  assert.equal(found, 'answered is durable');
});
