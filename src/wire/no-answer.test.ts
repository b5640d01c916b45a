import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../core/base/errors.ts';
import { noAnswer, saysSilence, withAnswerBefore } from './no-answer.ts';
import { unavailable } from './status.ts';

const [A, B, C] = ['http://a:1', 'http://b:1', 'http://c:1'] as const;
const away = (address: string): Mx8Error => unavailable(address, 'connection refused');

test('with one address in the list its own failure is what is said', () => {
  const last = away(A);
  assert.equal(noAnswer(last, new Map([[A, last]]), [A]), last);
});

test('each address of the list is named, with what came of it there', () => {
  const error = noAnswer(
    away(B),
    new Map([
      [A, away(A)],
      [B, away(B)],
    ]),
    [A, B, C],
  );
  assert.equal(
    error.message,
    `no answer from any coordinator: ${A}: connection refused; ${B}: connection refused; ${C} was not asked, as the time was over`,
  );
  assert.equal(error.code, 'coordinator_unavailable');
  assert.equal(error.details['address'], `${A},${B},${C}`);
});

test('a standby that answers is told apart from those that do not, and so is a leader outside the list', () => {
  const standby = new Mx8Error('not_leader', 'not leader for mutating operation', { leader: C });
  const failures = new Map([
    [A, standby],
    [C, away(C)],
  ]);
  const error = noAnswer(away(C), failures, [A]);
  assert.equal(
    error.message,
    `no coordinator carried it out: ${A}: not leader for mutating operation; ${C}: connection refused`,
  );
  assert.equal(error.code, 'coordinator_unavailable');
});

test('each silent address is said once, with why and what is done about it', () => {
  const said: (readonly [string, string, unknown])[] = [];
  const say = saysSilence(
    { emit: (level, event, fields) => said.push([level, event, fields]) },
    'x',
  );
  for (const address of [A, A, B, A]) say(address, away(address).message);
  assert.deepEqual(
    said,
    [A, B].map((address) => [
      'warn',
      'coordinator_wait',
      {
        coord_url: address,
        message: `no answer from the coordinator at ${address}: connection refused`,
        then: 'x asks again until a coordinator answers or it is stopped',
      },
    ]),
  );
});

test('an attempt that the end of the time cuts short does not hide what was answered before', () => {
  const cut = unavailable(A, 'nothing within 10000 ms');
  const refusal = new Mx8Error('not_leader', 'no leader is known yet');
  const both = withAnswerBefore(cut, refusal, A);
  // What came of the last attempt nobody knows: the code stays that of a silence.
  assert.equal(both.code, 'coordinator_unavailable');
  assert.equal(
    both.message,
    `no answer from the coordinator at ${A}: nothing within 10000 ms; before that it answered: no leader is known yet`,
  );
  assert.equal(withAnswerBefore(cut, undefined, A), cut);
  assert.equal(withAnswerBefore(cut, away(A), A), cut);
  assert.equal(withAnswerBefore(refusal, refusal, A), refusal);
});
