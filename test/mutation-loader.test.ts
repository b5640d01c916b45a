import assert from 'node:assert/strict';
import test from 'node:test';
import * as plain from '../src/core/base/units.ts';
import { importMutated, type Mutation, staleEdits } from './support/mutations/mutation-loader.ts';

type Units = typeof plain;

/** In what the entry module imports, so that the test shows that a whole graph is loaded. */
const renamed: Mutation = {
  name: 'renamed-assertion',
  breaks: 'nothing',
  edits: [
    {
      file: 'src/core/base/assert.ts',
      find: "readonly name: string = 'AssertionFailed'",
      replace: "readonly name: string = 'Mutated'",
    },
  ],
};

function nameOfFailure(units: Units): string {
  try {
    units.jobId('');
  } catch (error) {
    return error instanceof Error ? error.name : '';
  }
  return 'none';
}

test('a mutation reaches what the entry module imports, and nobody else', async () => {
  const path = 'src/core/base/units.ts';
  const mutated = await importMutated<Units>(renamed, path);
  const without = await importMutated<Units>(null, path);
  assert.equal(nameOfFailure(mutated), 'Mutated');
  assert.equal(nameOfFailure(without), 'AssertionFailed');
  assert.equal(nameOfFailure(plain), 'AssertionFailed');
  assert.equal(await importMutated<Units>(renamed, path), mutated);
});

test('an edit whose text is missing, repeated or unchanged is said and not loaded', async () => {
  const edited = (find: string, replace: string): Mutation => ({
    name: `edit-${find.length}`,
    breaks: 'nothing',
    edits: [{ file: 'src/core/base/assert.ts', find, replace }],
  });
  assert.match(staleEdits([edited('no such text', '')])[0] ?? '', /0 times, not once/);
  assert.match(staleEdits([edited('assert', '')])[0] ?? '', /[2-9]\d* times, not once/);
  assert.match(
    staleEdits([edited('export class AssertionFailed', 'export class AssertionFailed')])[0] ?? '',
    /by itself/,
  );
  assert.deepEqual(staleEdits([renamed]), []);
  await assert.rejects(
    importMutated(edited('no such text', ''), 'src/core/base/assert.ts'),
    /not once/,
  );
});
