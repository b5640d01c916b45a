/** What becomes of samples that cannot be read, with real files. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Mx8Error } from '../../src/core/base/errors.ts';
import type { SampleRecord } from '../../src/core/manifest/record.ts';
import type { PipelineOptions } from '../../src/pipeline/index.ts';
import { writeLooseFiles, writeShards } from '../support/data-files.ts';
import type { Sample } from '../support/data-files.ts';
import { assertDelivers, drain, openOver, sizesOf } from '../support/pipeline-run.ts';

let root = '';

before(() => {
  root = mkdtempSync(join(tmpdir(), 'mx8-pipeline-errors-'));
});

after(() => {
  rmSync(root, { recursive: true, force: true });
});

interface Trouble {
  readonly name: string;
  readonly code: string;
  readonly says: RegExp;
  readonly make: (folder: string) => SampleRecord;
}

function plainRecord(location: string): SampleRecord {
  return { sampleId: 1, location, byteOffset: null, byteLength: null, decodeHint: '' };
}

const troubles: readonly Trouble[] = [
  {
    name: 'vanished',
    code: 'sample_missing',
    says: /^Sample 1 in .*gone\.bin is no longer there \(ENOENT\)/,
    make: (folder) => {
      const [, victim] = writeLooseFiles(folder, [5, 5]);
      assert.ok(victim);
      unlinkSync(victim.record.location);
      return plainRecord(join(folder, 'gone.bin'));
    },
  },
  {
    name: 'shrank after pinning',
    code: 'sample_changed',
    says: /^Sample 1 in .*\.tar at byte 512 has only 40 of the 100 bytes/,
    make: (folder) => {
      const [sample] = writeShards(folder, [100], 1);
      assert.ok(sample);
      truncateSync(sample.record.location, 552);
      return { ...sample.record, sampleId: 1 };
    },
  },
  {
    name: 'is a whole file that shrank after pinning',
    code: 'sample_changed',
    says: /^Sample 1 in .*cut\.bin has 7 bytes, but had 8 when it was pinned: the file has shrunk/,
    make: (folder) => {
      writeFileSync(join(folder, 'cut.bin'), new Uint8Array(7));
      return { ...plainRecord(join(folder, 'cut.bin')), pinnedBytes: 8 };
    },
  },
  {
    name: 'is a whole file that grew after pinning',
    code: 'sample_changed',
    says: /^Sample 1 in .*long\.bin has 9 bytes, but had 8 .* has grown/,
    make: (folder) => {
      writeFileSync(join(folder, 'long.bin'), new Uint8Array(9));
      return { ...plainRecord(join(folder, 'long.bin')), pinnedBytes: 8 };
    },
  },
  {
    name: 'is empty',
    code: 'file_empty',
    says: /^Sample 1 in .*empty\.bin is an empty file/,
    make: (folder) => {
      writeFileSync(join(folder, 'empty.bin'), '');
      return plainRecord(join(folder, 'empty.bin'));
    },
  },
  {
    name: 'is a folder',
    code: 'sample_unreadable',
    says: /^Sample 1 in .* is not a regular file/,
    make: (folder) => plainRecord(folder),
  },
  {
    name: 'is a pipe',
    code: 'sample_unreadable',
    says: /^Sample 1 in .*pipe\.bin is not a regular file \(a folder, a pipe or a device\)/,
    make: (folder) => {
      execFileSync('mkfifo', [join(folder, 'pipe.bin')]);
      return plainRecord(join(folder, 'pipe.bin'));
    },
  },
  {
    name: 'is larger than the cap',
    code: 'sample_too_large',
    says: /^Sample 1 in .*large\.bin has 2000000 bytes, more than max_inflight_bytes 1048576 allows/,
    make: (folder) => {
      writeFileSync(join(folder, 'large.bin'), new Uint8Array(2_000_000));
      return plainRecord(join(folder, 'large.bin'));
    },
  },
  {
    name: 'is pinned larger than the cap',
    code: 'sample_too_large',
    says: /^Sample 1 in .*large\.bin at byte 0 has 2000000 bytes/,
    make: (folder) => ({
      ...plainRecord(join(folder, 'large.bin')),
      byteOffset: 0,
      byteLength: 2_000_000,
    }),
  },
  {
    name: 'lies in a store that is not spoken here',
    code: 'scheme_unsupported',
    says: /^Sample 1 in s3:\/\/bucket\/key is not an absolute path/,
    make: () => plainRecord('s3://bucket/key'),
  },
];

for (const trouble of troubles) {
  test(`a sample that ${trouble.name} is ${trouble.code}; skipped, the others arrive`, async () => {
    const folder = join(root, `trouble-${trouble.name.replaceAll(' ', '-')}`);
    mkdirSync(folder, { recursive: true });
    const good = writeLooseFiles(join(folder, 'good'), [10, 20, 30]);
    const bad: Sample = { record: trouble.make(folder), bytes: new Uint8Array(0) };
    const [first, ...rest] = good.map((sample, index) => ({
      ...sample,
      record: { ...sample.record, sampleId: [0, 2, 3][index] ?? 0 },
    }));
    assert.ok(first);
    const samples = [first, bad, ...rest];

    await assert.rejects(
      () => drain(openOver(samples)),
      (error) => {
        assert.ok(error instanceof Mx8Error);
        assert.equal(error.code, trouble.code);
        assert.match(error.message, trouble.says);
        assert.equal(error.details['sample_id'], 1);
        return true;
      },
    );

    const skipped: number[] = [];
    const onSampleError: PipelineOptions['onSampleError'] = (record, error) => {
      assert.equal(error.code, trouble.code);
      skipped.push(record.sampleId);
      return 'skip';
    };
    const pipeline = openOver(samples, { onSampleError });
    const batches = await drain(pipeline);
    assert.deepEqual(skipped, [1]);
    assertDelivers(batches, [first, ...rest]);
    assert.equal(batches.at(-1)?.streamEnd, 4);
    assert.equal(pipeline.stats().skippedSamples, 1);
  });
}

test('a file that may not be read is sample_unreadable', { skip: isRoot() }, async () => {
  const [sample] = writeLooseFiles(join(root, 'locked'), [10]);
  assert.ok(sample);
  chmodSync(sample.record.location, 0o000);
  await assert.rejects(() => drain(openOver([sample])), { code: 'sample_unreadable' });
});

function isRoot(): string | false {
  return process.getuid?.() === 0 ? 'root may read everything' : false;
}

test('a batch whose samples were all skipped is empty but moves the cursor', async () => {
  const samples = ['a', 'b', 'c', 'd', 'e'].map((name) => ({
    record: plainRecord(join(root, 'nowhere', name)),
    bytes: new Uint8Array(0),
  }));
  const batches = await drain(openOver(samples, { onSampleError: () => 'skip' }));
  assert.deepEqual(
    batches.map(({ sampleIds, streamEnd }) => [sampleIds.length, streamEnd]),
    [
      [0, 4],
      [0, 5],
    ],
  );
});

test('a file that grew long past what was expected arrives whole and in its place', async () => {
  const samples = writeLooseFiles(
    join(root, 'grown'),
    sizesOf(40, () => 100),
  );
  const growth = new Uint8Array(9000).fill(7);
  const grown = samples.map((sample, index) => {
    if (index % 5 !== 3) return sample;
    return { ...sample, bytes: Uint8Array.from([...sample.bytes, ...growth]) };
  });
  /** The first batch teaches the pipeline to expect small files; then every fifth grows. */
  function* source(): Generator<SampleRecord[]> {
    yield samples.slice(0, 4).map(({ record }) => record);
    for (const [index, { record }] of samples.entries()) {
      if (index > 3 && index % 5 === 3) appendFileSync(record.location, growth);
    }
    yield samples.slice(4).map(({ record }) => record);
  }
  const batches = await drain(openOver(samples, { records: source(), prefetchBatches: 1 }));
  assertDelivers(batches, [...samples.slice(0, 4), ...grown.slice(4)]);
});
