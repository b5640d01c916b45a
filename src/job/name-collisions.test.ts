/** Output names that two committed pieces want: told once, then settled, after whatever interruption. */
import assert from 'node:assert/strict';
import { link, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { type LeaseId, leaseId } from '../core/base/units.ts';
import type { StagedPiece } from '../core/node/holder-protocol.ts';
import { LocalOutputStore } from '../storage/local-output-store.ts';
import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import { JobBatch } from './batch.ts';
import type { FileRow } from './file-rows.ts';
import { files } from './files-sink.ts';
import { finalizeOutput } from './finalize.ts';
import { publishPiece } from './publish.ts';
import { StagedPart } from './staged-part.ts';

const LEASES = [1, 2, 3].map((index) => leaseId({ epoch: 1, seq: 1, index }));

function at(out: string): LocalOutputStore {
  return new LocalOutputStore(out);
}

/** The output of sample `id`, staged under a lease of its own, or the one given. */
async function stage(
  out: string,
  id: number,
  rows: readonly FileRow[],
  lease: LeaseId | undefined = LEASES[id],
): Promise<StagedPiece> {
  assert.ok(lease !== undefined);
  const { signal } = new AbortController();
  const staging = { out: at(out), leaseId: lease, nonce: `n${id}`, signal };
  const part = await StagedPart.open(files(), staging, id);
  const record = { sampleId: id, location: `/in/f${id}.txt`, byteOffset: null, byteLength: null };
  const batch = new JobBatch({
    sampleIds: Float64Array.of(id),
    payload: new Uint8Array(1),
    offsets: Float64Array.of(0, 1),
    labelIds: Int32Array.of(-1),
    records: [{ ...record, decodeHint: '' }],
  });
  await part.write(
    rows.map((row) => ({ ...row, sampleId: id })),
    batch,
  );
  return part.finish(id + 1);
}

async function visible(out: string): Promise<Record<string, string>> {
  const entries = await readdir(out, { recursive: true, withFileTypes: true });
  const found: Record<string, string> = {};
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name).slice(out.length + 1);
    if (entry.isFile() && !path.startsWith('_mx8')) {
      found[path] = await readFile(join(out, path), 'utf8');
    }
  }
  return found;
}

async function locations(out: string): Promise<string[]> {
  const manifest = await readFile(join(out, '_mx8/manifest.tsv'), 'utf8');
  const lines = manifest.split('\n').slice(1, -1);
  return lines.map((line) => (line.split('\t')[1] ?? '').slice(out.length + 1));
}

async function* chunksOf(
  pieces: readonly StagedPiece[],
): AsyncGenerator<readonly StagedPiece[], void, undefined> {
  yield pieces;
}

test('files of one name in several folders get names of their own, or are told of; none is written over', async () => {
  await using folder = await temporaryFolder();
  const out = folder.path;
  const batch = new JobBatch({
    sampleIds: Float64Array.of(0, 1),
    payload: Buffer.from('meowwoof'),
    offsets: Float64Array.of(0, 4, 8),
    labelIds: Int32Array.of(0, 1),
    records: ['/in/cat/1.txt', '/in/dog/1.txt'].map((location, sampleId) => {
      return { sampleId, location, byteOffset: null, byteLength: null, decodeHint: '' };
    }),
  });
  const { signal } = new AbortController();
  const open = (lease: LeaseId | undefined): Promise<StagedPart> => {
    assert(lease !== undefined);
    return StagedPart.open(files(), { out: at(out), leaseId: lease, nonce: 'n', signal }, 0);
  };
  const named = Array.from(batch, (sample) => ({ data: sample.text(), name: sample.name }));
  assert.deepEqual(
    named.map(({ name }) => name),
    ['1.txt', '1.txt'],
  );
  const refused = await open(LEASES[1]);
  await assert.rejects(async () => refused.write(named, batch), {
    code: 'row_invalid',
    message:
      /sample 1 and sample 0 both name their output "1\.txt".* a row without a name gets one/,
  });
  const unnamed = Array.from(batch, (sample) => ({ data: sample.text() }));
  const part = await open(LEASES[0]);
  await part.write(unnamed, batch);
  await publishPiece(at(out), await part.finish(2));
  const own = { '1-000000000000.txt': 'meow', '1-000000000001.txt': 'woof' };
  assert.deepEqual(await visible(out), own);
});

test('a name that two committed pieces have is an error once, and then the later one gets its own', async () => {
  await using folder = await temporaryFolder();
  const out = folder.path;
  const first = await stage(out, 0, [{ data: 'of 0', name: 'a/same.txt' }]);
  const second = await stage(out, 1, [
    { data: 'of 1', name: 'a/same.txt' },
    { data: 'more of 1', name: 'free.txt' },
  ]);
  await publishPiece(at(out), first);
  await assert.rejects(publishPiece(at(out), second), {
    code: 'row_invalid',
    message:
      /sample 1 and sample 0 both name their output "a\/same\.txt".*--resume gives the second a name/,
  });
  // As two nodes do after a resume.
  const [one, other] = await Promise.all([
    publishPiece(at(out), second),
    publishPiece(at(out), second),
  ]);
  assert.deepEqual(one, other);
  assert.deepEqual(await visible(out), {
    'a/same.txt': 'of 0',
    'a-same.sample-1.txt': 'of 1',
    'free.txt': 'more of 1',
  });
  const pieces = chunksOf([first, second]);
  await finalizeOutput({ out: at(out), pieces, sampleCount: 2, nonce: 'f' });
  assert.deepEqual(await locations(out), ['a/same.txt', 'a-same.sample-1.txt', 'free.txt']);
});

test('a folder that another output is in the way of is settled the same way', async () => {
  await using folder = await temporaryFolder();
  const out = folder.path;
  const pieces = [
    await stage(out, 0, [{ data: 'of 0', name: 'x' }]),
    await stage(out, 1, [{ data: 'of 1', name: 'x/y.txt' }]),
  ];
  const [first, second] = pieces;
  assert.ok(first !== undefined && second !== undefined);
  await publishPiece(at(out), first);
  await assert.rejects(publishPiece(at(out), second), { code: 'row_invalid', message: /--resume/ });
  await finalizeOutput({ out: at(out), pieces: chunksOf(pieces), sampleCount: 2, nonce: 'f' });
  assert.deepEqual(await visible(out), { x: 'of 0', 'x-y.sample-1.txt': 'of 1' });
});

test('settling a name goes on from wherever it was cut short', async () => {
  const cuts = ['before anything', 'after the new name', 'after the staged file went'] as const;
  for (const cut of cuts) {
    await using folder = await temporaryFolder();
    const out = folder.path;
    const first = await stage(out, 0, [{ data: 'of 0', name: 'same' }]);
    const second = await stage(out, 1, [{ data: 'of 1', name: 'same' }]);
    await publishPiece(at(out), first);
    await assert.rejects(publishPiece(at(out), second), { code: 'row_invalid' });
    const staged = join(out, '_mx8/staging', second.leaseId, '000000000001.n1', '1');
    if (cut !== 'before anything') await link(staged, join(out, 'same.sample-1'));
    if (cut === 'after the staged file went') await unlink(staged);
    const index = await publishPiece(at(out), second);
    assert.deepEqual(
      index?.files.map(({ final }) => final),
      ['same.sample-1'],
      cut,
    );
    assert.deepEqual(await visible(out), { same: 'of 0', 'same.sample-1': 'of 1' }, cut);
  }
});

test('a node that works on a sample whose output another has published fails nothing', async () => {
  await using folder = await temporaryFolder();
  const out = folder.path;
  await publishPiece(at(out), await stage(out, 0, [{ data: 'of the first', name: 'x' }]));
  const late = await stage(out, 0, [{ data: 'of the second', name: 'x' }], LEASES[2]);
  assert.equal(late.rows, 1);
  assert.deepEqual(await visible(out), { x: 'of the first' });
  await assert.rejects(stage(out, 1, [{ data: 'of another', name: 'x' }]), { code: 'row_invalid' });
});
