import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import test from 'node:test';
import { OUTPUT_LINE_CHARS_MAX } from './limits.ts';
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
