import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../core/base/errors.ts';
import { errorJson, errorText } from './error-report.ts';
import { EXIT_CODES, exitCodeOf } from './exit-codes.ts';

const missing = new Mx8Error('input_missing', 'the folder data/x is not there', { link: 'data/x' });

test('a mistake is said in a sentence with the way out and without a stack', () => {
  assert.equal(
    errorText(missing, false),
    'mx8: the folder data/x is not there [input_missing]\n     Correct the path: it counts from the folder in which the command runs, and on a cluster every machine must see it.\n',
  );
});

test('a bug shows its stack only when asked', () => {
  const bug = new Error('state went wrong');
  assert.doesNotMatch(errorText(bug, false), /\bat .*error-report\.test/);
  assert.match(errorText(bug, false), /MX8_LOG=debug/);
  assert.match(errorText(bug, true), /\bat .*error-report\.test/);
});

test('a program gets code, remedy and details as one line of JSON', () => {
  const line = errorJson(missing);
  assert.match(line, /^[^\n]+\n$/);
  assert.deepEqual(JSON.parse(line), {
    event: 'error',
    code: 'input_missing',
    message: 'the folder data/x is not there',
    remedy:
      'Correct the path: it counts from the folder in which the command runs, and on a cluster every machine must see it.',
    retryable: false,
    details: { link: 'data/x' },
  });
  assert.match(errorJson(new Error('odd')), /"code":"internal"/);
});

test('secrets in a message are not shown', () => {
  const error = new Mx8Error('input_missing', 'cannot read https://me:pw@host/a?sig=abc');
  assert.doesNotMatch(errorText(error, false) + errorJson(error), /pw|abc/);
});

test('the exit code says what kind of failure it was', () => {
  const cases: readonly (readonly [unknown, number])[] = [
    [new Mx8Error('job_failed', ''), 1],
    [new Mx8Error('flag_invalid', ''), 2],
    [missing, 3],
    [new Mx8Error('coordinator_unavailable', ''), 4],
    [new Mx8Error('rss_cap_exceeded', ''), 5],
    [new Error('bug'), 70],
    [new Mx8Error('interrupted', '', { signal: 'SIGINT' }), 130],
    [new Mx8Error('interrupted', '', { signal: 'SIGTERM' }), 143],
  ];
  for (const [error, code] of cases) {
    assert.equal(exitCodeOf(error), code);
    assert.ok(EXIT_CODES.some((known) => known.code === code));
  }
});

test('a signed URL in the details of an error is told without its signature', () => {
  const location = 'https://bucket.example.org/x?X-Amz-Signature=0123abcd&part=1';
  const error = new Mx8Error('object_denied', `${location} is not for these credentials.`, {
    location,
  });
  for (const text of [errorJson(error), errorText(error, true)]) {
    assert.ok(!text.includes('0123abcd'), text);
    assert.ok(text.includes('part=1'), text);
  }
});
