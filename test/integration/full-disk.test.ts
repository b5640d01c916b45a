/** A disk that fills up in mid-job: the run ends with a sentence, and goes on once there is room. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { encodeHeader, encodeRecords } from '../../src/core/manifest/encode.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import { FsManifestStore } from '../../src/snapshots/index.ts';
import { RecordingEvents } from '../../src/testing/recording-events.ts';
import { checkOutput } from '../support/check-output.ts';
import { inChunks, recordsOf } from '../support/manifest-store-suite.ts';
import { Workbench } from '../support/mx8-process.ts';
import { smallDisk } from '../support/small-disk.ts';

const JOB = fileURLToPath(new URL('../support/jobs/padded.job.ts', import.meta.url));
const SAMPLES = 256;

test('a disk that has room for a manifest, and none for its columns, stores the manifest', async (t) => {
  await using bench = await Workbench.create();
  const records = Array.from({ length: 100_000 }, (_, sampleId) => ({
    sampleId,
    location: '/data/packed/shard-00000.tar',
    byteOffset: 512 + sampleId * 2048,
    byteLength: 1500,
    decodeHint: '',
  }));
  const bytes = Buffer.concat([encodeHeader(), encodeRecords(records)]);
  const disk = smallDisk(bench.path('disk'), bytes.length + 1024 ** 2);
  if (disk === null) {
    t.skip('this user may not mount a file system');
    return;
  }
  try {
    const root = bench.path('disk', 'store');
    const events = new RecordingEvents();
    const store = new FsManifestStore({ root, clock: nodeClock(), random: nodeRandom(), events });
    const { hash } = await store.put(inChunks(bytes, 100_000));
    const reader = await store.open(hash);
    assert.deepEqual(await recordsOf(reader, 99_000, 100_000), records.slice(99_000));
    await reader.close();
    assert.deepEqual(await readdir(join(root, 'tmp')), []);
    assert.ok(!existsSync(join(root, 'columns')));
  } finally {
    disk.remove();
  }
});

test('a full disk ends the run with a sentence, loses nothing, and --resume finishes', async (t) => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', SAMPLES);
  const disk = smallDisk(bench.path('disk'), 3 * 1024 ** 2);
  if (disk === null) {
    t.skip('this user may not mount a file system');
    return;
  }
  try {
    const out = bench.path('disk', 'out');
    const args = [
      'run',
      JOB,
      '--out',
      out,
      '--nodes',
      '2',
      '--ram-gb',
      '1.5',
      '--block-size',
      '16',
    ];
    const ended = await bench.run([...args, '--data', data]);
    assert(ended.code !== 0 && ended.code !== 70, `exit code ${ended.code}: ${ended.stderr}`);
    assert.match(ended.stderr, /disk is full|no space left/i);
    assert.match(ended.stderr, /--resume/);
    assert.doesNotMatch(ended.stderr, /^\s+at .*\.ts:\d+/m, 'no stack');

    disk.grow(64 * 1024 ** 2);
    const resumed = await bench.run([...args, '--resume']);
    assert.equal(resumed.code, 0, resumed.stderr);
    const claim = JSON.parse(await readFile(join(out, '_mx8', 'job.json'), 'utf8')) as {
      readonly input_manifest_hash: string;
    };
    const manifest = bench.path('manifests', 'by-hash', claim.input_manifest_hash);
    const { rows, missing, repeated, altered } = checkOutput(manifest, out);
    assert.deepEqual(
      { rows, missing, repeated, altered },
      { rows: SAMPLES, missing: [], repeated: [], altered: [] },
    );
  } finally {
    disk.remove();
  }
});
