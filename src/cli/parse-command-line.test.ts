import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../core/base/errors.ts';
import { flag, optionalFlag, required } from './flag.ts';
import { bytes, choice, count, durationMs, onOff, path } from './kinds.ts';
import { parseCommandLine } from './parse-command-line.ts';

const texts = (
  name: string,
  variable: string,
): { name: string; variable: string; doc: string } => ({
  name,
  variable,
  doc: 'Made for this test.',
});

const out = optionalFlag(path('DIR', 'a folder'), texts('out', 'MX8_OUT'), 'none');
const flags = {
  batchSize: flag(count('samples', { min: 1 }), texts('batch-size', 'MX8_BATCH_SIZE_SAMPLES'), 512),
  inflight: flag(bytes(), texts('max-inflight-bytes', 'MX8_MAX_INFLIGHT_BYTES'), 0),
  ttlMs: flag(durationMs(), texts('lease-ttl-ms', 'MX8_LEASE_TTL_MS'), 10_000),
  shuffle: flag(onOff(), texts('shuffle', 'MX8_SHUFFLE'), false),
  onError: flag(choice(['fail', 'quarantine']), texts('on-error', 'MX8_ON_ERROR'), 'fail'),
  out,
};
const job = { name: 'JOB.ts', doc: 'The job.', isRequired: true };

function parse(words: string, environment: Record<string, string> = {}): Record<string, unknown> {
  const argv = words.split(' ').filter((word) => word !== '');
  return parseCommandLine({ name: 'run', argument: null, flags }, argv, environment).options;
}

function refusal(act: () => unknown): Mx8Error {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof Mx8Error, String(error));
    return error;
  }
  return assert.fail('nothing was refused');
}

test('a flag wins over its variable, and a variable over the default', () => {
  const environment = { MX8_BATCH_SIZE_SAMPLES: '7' };
  assert.equal(parse('', {})['batchSize'], 512);
  assert.equal(parse('', environment)['batchSize'], 7);
  assert.equal(parse('--batch-size 9', environment)['batchSize'], 9);
  assert.equal(parse('--batch-size=9')['batchSize'], 9);
});

test('a flag answers to the name of its variable', () => {
  assert.equal(parse('--batch-size-samples 3')['batchSize'], 3);
});

test('the last of a repeated flag counts', () => {
  assert.equal(parse('--batch-size 1 --batch-size 2')['batchSize'], 2);
});

test('an empty variable counts as unset', () => {
  assert.equal(parse('', { MX8_BATCH_SIZE_SAMPLES: '' })['batchSize'], 512);
});

test('switches need no value and have a negation', () => {
  assert.equal(parse('--shuffle')['shuffle'], true);
  assert.equal(parse('--shuffle=off', { MX8_SHUFFLE: '1' })['shuffle'], false);
  assert.equal(parse('--no-shuffle', { MX8_SHUFFLE: '1' })['shuffle'], false);
  assert.equal(parse('', { MX8_SHUFFLE: 'yes' })['shuffle'], true);
});

test('what was said is told from what was defaulted', () => {
  const line = parseCommandLine({ name: 'run', argument: null, flags }, ['--batch-size', '512'], {
    MX8_OUT: 'x',
  });
  assert.deepEqual([...line.given].sort(), ['batchSize', 'out']);
});

test('a value of the wrong kind is refused with its source, itself and what is taken', () => {
  const byFlag = refusal(() => parse('--batch-size many'));
  assert.equal(byFlag.code, 'flag_invalid');
  assert.equal(
    byFlag.message,
    '--batch-size says "many", but takes a whole number of samples, 1 or more',
  );
  const byVariable = refusal(() => parse('', { MX8_LEASE_TTL_MS: 'soon' }));
  assert.match(byVariable.message, /^MX8_LEASE_TTL_MS says "soon", but takes a time in milli/);
});

test('a flag that is last, or followed by a flag, lacks its value', () => {
  assert.match(refusal(() => parse('--batch-size')).message, /but nothing follows it/);
  assert.match(refusal(() => parse('--batch-size --shuffle')).message, /but --shuffle follows it/);
});

test('an unknown flag is refused with the nearest one', () => {
  const error = refusal(() => parse('--bach-size 3'));
  assert.equal(error.code, 'flag_unknown');
  assert.equal(error.message, 'mx8 run has no flag --bach-size; did you mean --batch-size?');
  assert.match(refusal(() => parse('--zzz')).message, /has no flag --zzz; see mx8 run --help/);
});

test('a command gets its argument, and no second one', () => {
  const takes = { name: 'run', argument: job, flags };
  assert.equal(parseCommandLine(takes, ['--shuffle', 'a.ts'], {}).argument, 'a.ts');
  assert.equal(parseCommandLine(takes, ['--', '--odd.ts'], {}).argument, '--odd.ts');
  assert.match(refusal(() => parseCommandLine(takes, ['a', 'b'], {})).message, /got "b" as well/);
  assert.match(refusal(() => parseCommandLine(takes, [], {})).message, /needs JOB\.ts: the job\./);
  const link = {
    ...takes,
    argument: { ...takes.argument, name: 'LINK', doc: 'BASE or BASE@refresh.' },
  };
  assert.match(refusal(() => parseCommandLine(link, [], {})).message, /needs LINK: BASE or BASE@/);
  assert.match(refusal(() => parse('a.ts')).message, /takes no argument, but got "a.ts"/);
});

test('a required flag that is missing is named with its variable', () => {
  const takes = { name: 'pack', argument: null, flags: { out: required(out) } };
  assert.match(
    refusal(() => parseCommandLine(takes, [], {})).message,
    /^mx8 pack needs --out \(or MX8_OUT\), which takes a folder$/,
  );
  assert.equal(parseCommandLine(takes, ['--out', 'x'], {}).options['out'], 'x');
});

test('a fallback variable is read where the own one is unset', () => {
  const level = {
    ...flag(choice(['info', 'debug']), texts('log', 'MX8_LOG'), 'info'),
    fallback: { variable: 'RUST_LOG', kind: choice(['debug', 'trace']) },
  };
  const takes = { name: 'run', argument: null, flags: { level } };
  assert.equal(parseCommandLine(takes, [], { RUST_LOG: 'trace' }).options['level'], 'trace');
  const both = { RUST_LOG: 'trace', MX8_LOG: 'debug' };
  assert.equal(parseCommandLine(takes, [], both).options['level'], 'debug');
  assert.match(
    refusal(() => parseCommandLine(takes, [], { RUST_LOG: 'odd' })).message,
    /^RUST_LOG says "odd"/,
  );
});
