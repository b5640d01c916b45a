import assert from 'node:assert/strict';
import { test } from 'node:test';

import { errorText } from './error-text.ts';

const OWN = new URL('./staged-part.ts', import.meta.url).href;

function thrownAt(...places: readonly string[]): Error {
  const error = new RangeError('too wide');
  error.stack = ['RangeError: too wide', ...places.map((place) => `    at work (${place})`)].join(
    '\n',
  );
  return error;
}

test('the place of an error is the first frame in the job module', () => {
  const error = thrownAt('file:///jobs/words.ts:3:1', 'file:///jobs/a.job.ts:8:7', `${OWN}:5:5`);
  assert.equal(errorText(error, '/jobs/a.job.ts'), 'RangeError: too wide (at /jobs/a.job.ts:8:7)');
});

test('an error with no frame in the job module is placed in the module that it imports', () => {
  const error = thrownAt('node:fs:1:1', `${OWN}:5:5`, 'file:///jobs/words.ts:3:1');
  assert.equal(errorText(error, '/jobs/a.job.ts'), 'RangeError: too wide (at /jobs/words.ts:3:1)');
});

test('an error of mx8 alone has no place in the code of a user', () => {
  const error = thrownAt(`${OWN}:5:5`);
  assert.equal(errorText(error, '/jobs/a.job.ts'), 'RangeError: too wide');
});
