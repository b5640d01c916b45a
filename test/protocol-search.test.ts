/** The exhaustive search at small bounds; `npm run search` has the large ones. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { FULL_BOUNDS, QUICK_BOUNDS } from './search/bounds.ts';
import type * as SearchModule from './search/search.ts';
import { VARIANTS } from './search/variants.ts';
import { importMutated, staleEdits } from './support/mutations/mutation-loader.ts';

type Search = typeof SearchModule;

for (const { name, bounds, shape } of QUICK_BOUNDS) {
  test(`no state is wrong with ${name}`, async () => {
    const { search } = await importMutated<Search>(shape, 'test/search/search.ts');
    const { violation, states } = search(bounds);
    assert.equal(violation, null, violation?.transcript.join('\n'));
    assert(states > 1000, `only ${states} states`);
  });
}

test('every edit of a variant or shape still finds its text once', () => {
  const shapes = [...QUICK_BOUNDS, ...FULL_BOUNDS].flatMap(({ shape }) => shape ?? []);
  assert.deepEqual(staleEdits([...VARIANTS, ...shapes]), []);
});

for (const variant of VARIANTS) {
  test(`the search finds it bad when ${variant.breaks} (${variant.name})`, async () => {
    const mutated = await importMutated<Search>(variant, 'test/search/search.ts');
    const { violation } = mutated.search(variant.bounds);
    assert.match(violation?.message ?? 'no violation', variant.found);
  });
}

test('a story of the search can be read', async () => {
  const variant = VARIANTS.find((each) => each.name === 'filled-means-by-me');
  assert(variant !== undefined);
  const mutated = await importMutated<Search>(variant, 'test/search/search.ts');
  const story = mutated.search(variant.bounds).violation?.transcript ?? [];
  assert.match(
    story.join('\n'),
    /B1 claim\/write: if epoch changed at 1.*\n.*store: .*\n.*told won: 2 B1\.1/,
  );
  assert.match(story.at(-1) ?? '', /^✖ 3: A1\.2 was told "ok", and slot 2 holds B1\.1$/);
});
