import assert from 'node:assert/strict';
import test from 'node:test';
import { Mx8Error } from '../core/base/errors.ts';
import { defineJob, isJobDefinition } from './define-job.ts';
import type { FileRow } from './file-rows.ts';
import { files } from './files-sink.ts';
import { jsonl } from './jsonl-sink.ts';

const GOOD = { batch: 4, process: () => [], output: jsonl('out') };

test('a job has the defaults of what was left out', () => {
  const job = defineJob(GOOD);
  assert(isJobDefinition(job));
  assert.equal(job.retries, 2);
  assert.equal(job.name, null);
  assert.equal(job.input, null);
  assert(Object.isFrozen(job));
});

test('rows are typed by the sink', () => {
  const job = defineJob({
    batch: 1,
    process: (batch) =>
      Array.from(batch, ({ bytes, id }): FileRow => ({ data: bytes, sampleId: id })),
    output: files(),
  });
  assert.equal(job.output.kind, 'files');
  // @ts-expect-error a number is no row of files()
  defineJob({ batch: 1, process: () => [1], output: files() });
});

test('each wrong option is named with what it takes and what it got', () => {
  const cases: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{ batch: 0 }, /batch takes a whole number from 1 to 65536, got 0/],
    [{ batch: '4' }, /batch takes a whole number from 1 to 65536, got "4"/],
    [{ retries: -1 }, /retries takes a whole number from 0 to 100, got -1/],
    [{ process: undefined }, /process takes a function, got undefined/],
    [{ input: '' }, /input takes a text, got ""/],
    [{ name: 7 }, /name takes a text of at most 128 characters, got 7/],
    [{ output: 'out' }, /output takes a sink: jsonl\(dir\), .* got "out"/],
    [{ output: { kind: 'x', dir: null } }, /output\.openPart takes a function/],
    [{ output: { ...jsonl(), kind: 'A b' } }, /output\.kind takes .* got "A b"/],
    [{ output: { ...jsonl(), dir: '' } }, /output\.dir takes a folder/],
    [{ format: 'xml' }, /format takes one of auto, files, jsonl, .*, got "xml"/],
    [
      { batchSize: 4 },
      /no option "batchSize"; it takes name, input, format, columns, rowsPerSample, batch/,
    ],
  ];
  for (const [change, message] of cases) {
    const options = { ...GOOD, ...change };
    assert.throws(
      () => defineJob(options as never),
      (error) => {
        assert(error instanceof Mx8Error);
        assert.equal(error.code, 'job_options_invalid');
        assert.match(error.message, message);
        return true;
      },
    );
  }
});
