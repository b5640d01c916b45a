import assert from 'node:assert/strict';
import { test } from 'node:test';

import { benchChoice, benchHelp, firstSentence } from '../bench/choice.ts';

const ALL = ['data', 'etcd', 'listing', 'control-plane'];

test('without a word every benchmark runs, and a word picks those that have it in their names', () => {
  const nothing = { type: 'run', json: false, check: false, objects: null };
  assert.deepEqual(benchChoice([], ALL), { ...nothing, names: ALL });
  assert.deepEqual(benchChoice(['data', 'control', '--check', '--objects', '20'], ALL), {
    ...{ ...nothing, check: true, objects: 20 },
    names: ['data', 'control-plane'],
  });
});

test('help is given and not run, and a mistake gets the names that there are', () => {
  assert.deepEqual(benchChoice(['--help'], ALL), { type: 'help' });
  assert.deepEqual(benchChoice(['data', '-h'], ALL), { type: 'help' });
  for (const [argv, why] of [
    [['listig'], /"listig" .*data, etcd, listing, control-plane \(did you mean listing\?\)/],
    [['data', 'nothing-like-it'], /"nothing-like-it" .*there are data, etcd/],
    [['--jsn'], /--jsn/],
    [['--objects', 'many'], /--objects takes a whole number .*"many"/],
  ] as const) {
    const choice = benchChoice(argv, ALL);
    assert(choice.type === 'refused', argv.join(' '));
    assert.match(choice.message, why);
    assert.match(choice.message, /npm run bench -- --help/);
  }
});

test('the help has each benchmark with the first sentence of its file', () => {
  const what = firstSentence('/**\n * What it costs\n * to read: of 1.5 files. And more.\n */\nx');
  assert.equal(what, 'What it costs to read: of 1.5 files');
  assert.match(
    benchHelp(new Map([['data', what]])),
    /^ {2}data {2}What it costs to read: of 1\.5 files$/m,
  );
});
