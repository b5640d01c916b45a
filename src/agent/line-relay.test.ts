import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import test from 'node:test';
import { LAST_WORDS_MARK } from './last-words.ts';
import { LAST_WORDS_CHARS_MAX, OUTPUT_LINE_CHARS_MAX } from './limits.ts';
import { LineRelay } from './line-relay.ts';

async function relay(...chunks: readonly string[]): Promise<{ lines: string[]; last: string }> {
  const lines: string[] = [];
  const relayed = new LineRelay('[w] ', (line) => lines.push(line));
  const stream = new PassThrough();
  relayed.attach(stream);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await setImmediate();
  await setImmediate();
  return { lines, last: relayed.lastWords };
}

test('lines are passed on whole with a prefix, however they arrive', async () => {
  const { lines, last } = await relay('on', 'e\ntwo\n\nthr', 'ee');
  assert.deepEqual(lines, ['[w] one\n', '[w] two\n', '[w] \n', '[w] three\n']);
  assert.equal(last, 'one two three');
});

test('a line without an end is cut once and the rest of it dropped', async () => {
  const long = 'x'.repeat(OUTPUT_LINE_CHARS_MAX + 10);
  const { lines } = await relay(long, long, '\nnext\n');
  assert.deepEqual(lines, [`[w] ${'x'.repeat(OUTPUT_LINE_CHARS_MAX)}…\n`, '[w] next\n']);
});

const stack = (message: string): string[] => [
  `RangeError: ${message}`,
  '    at Object.inspect (node:util:1:1)',
  ...Array.from({ length: 30 }, (_, line) => `    at deep (file:///jobs/a.job.ts:${line + 8}:7)`),
];

test('what the worker says to be its last words stands alone, and its mark is not passed on', async () => {
  const words = 'nobody caught: RangeError: too wide (at /jobs/a.job.ts:8:7)';
  const { lines, last } = await relay(
    'half a line',
    [...stack('too wide'), `${LAST_WORDS_MARK}${words}`, 'late'].join('\n'),
  );
  assert.equal(last, words);
  assert.ok(lines.includes(`[w] ${words}\n`));
});

test('of a stack trace that is printed the message and where it was stay, and no half of it', async () => {
  const trace = stack('too wide');
  const { lines, last } = await relay([...stack('an older one'), ...trace, ''].join('\n'));
  assert.equal(lines.length, 2 * trace.length);
  assert.equal(
    last,
    'RangeError: an older one at deep (file:///jobs/a.job.ts:8:7) RangeError: too wide at deep (file:///jobs/a.job.ts:8:7)',
  );
  const long = 'y'.repeat(LAST_WORDS_CHARS_MAX - 20);
  assert.equal((await relay([...trace, long, 'bye'].join('\n'))).last, `${long} bye`);
});

test('of a line that is too long the beginning and the end are the last words', async () => {
  const { last } = await relay(`begin ${'x'.repeat(2 * LAST_WORDS_CHARS_MAX)} end\n`);
  assert.ok(last.length <= LAST_WORDS_CHARS_MAX);
  assert.match(last, /^begin x+ … x+ end$/);
});
