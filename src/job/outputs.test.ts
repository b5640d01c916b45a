/** From rows to a published data set, with every crash on the way. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { jobId, leaseId, manifestHash, type LeaseId } from '../core/base/units.ts';
import type { CommittedPiece } from '../core/job/protocol.ts';
import type { StagedPiece } from '../core/node/holder-protocol.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { decodeUstarHeader } from '../core/base/ustar.ts';
import { LocalOutputStore } from '../storage/local-output-store.ts';
import { outputLocation } from '../storage/output-stores.ts';
import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import { JobBatch } from './batch.ts';
import type { FileRow } from './file-rows.ts';
import { files } from './files-sink.ts';
import { finalizeOutput, type Finalized } from './finalize.ts';
import { jsonl } from './jsonl-sink.ts';
import { claimOutput, inspectOutput } from './output-folder.ts';
import { decodePieceIndex } from './piece-index.ts';
import { publishPiece } from './publish.ts';
import type { Sink } from './sink.ts';
import { StagedPart } from './staged-part.ts';
import { tar } from './tar-sink.ts';

const LEASE = leaseId({ epoch: 1, seq: 2, index: 0 });
const OTHER = leaseId({ epoch: 1, seq: 9, index: 0 });

function batchOf(...ids: readonly number[]): JobBatch {
  const payload = new TextEncoder().encode(ids.map((id) => String(id % 10)).join(''));
  return new JobBatch({
    sampleIds: Float64Array.from(ids),
    payload,
    offsets: Float64Array.from([...ids.keys(), ids.length]),
    labelIds: new Int32Array(ids.length).fill(-1),
    records: ids.map((sampleId) => ({
      sampleId,
      location: `/in/f${sampleId}.txt`,
      byteOffset: null,
      byteLength: null,
      decodeHint: '',
    })),
  });
}

function at(out: string): LocalOutputStore {
  return new LocalOutputStore(out);
}

function row(id: number): FileRow {
  return { data: `data of ${id}` };
}

let nonces = 0;

function open(out: string, sink: Sink<never>, lease: LeaseId, start: number): Promise<StagedPart> {
  nonces += 1;
  const { signal } = new AbortController();
  return StagedPart.open(
    sink,
    { out: at(out), leaseId: lease, nonce: `n${nonces}`, signal },
    start,
  );
}

async function stage(
  out: string,
  sink: Sink<never>,
  ids: readonly number[],
  rows: readonly unknown[],
  lease: LeaseId = LEASE,
): Promise<StagedPiece> {
  const [first = 0] = ids;
  const part = await open(out, sink, lease, first);
  await part.write(rows, batchOf(...ids));
  return part.finish(first + ids.length);
}

async function* chunksOf(
  pieces: readonly StagedPiece[],
): AsyncGenerator<readonly CommittedPiece[], void, undefined> {
  for (const piece of pieces) yield [piece];
}

function finalize(out: string, pieces: readonly StagedPiece[]): Promise<Finalized> {
  nonces += 1;
  const sampleCount = pieces.at(-1)?.end ?? 0;
  return finalizeOutput({
    out: at(out),
    pieces: chunksOf(pieces),
    sampleCount,
    nonce: `f${nonces}`,
  });
}

/** The records of the output as its manifest lists them. */
async function records(out: string): Promise<string[]> {
  const manifest = await readFile(join(out, '_mx8/manifest.tsv'), 'utf8');
  const texts: string[] = [];
  for (const line of manifest.split('\n').slice(1, -1)) {
    const [, location = '', offset, length] = line.split('\t');
    const bytes = await readFile(location);
    const from = Number(offset);
    texts.push((offset === '' ? bytes : bytes.subarray(from, from + Number(length))).toString());
  }
  return texts;
}

async function visible(out: string): Promise<string[]> {
  const names = await readdir(out, { recursive: true });
  return names.filter((name) => !name.startsWith('_mx8')).sort();
}

async function refusal(body: () => Promise<unknown>): Promise<Mx8Error> {
  try {
    await body();
  } catch (error) {
    assert(error instanceof Mx8Error, String(error));
    return error;
  }
  return assert.fail('it was accepted');
}

test('rows of every sink become a data set in input order', async () => {
  const cases: readonly (readonly [Sink<never>, (id: number) => unknown, string, string[]])[] = [
    [
      jsonl(),
      (id) => ({ id }),
      '{"id":1}',
      ['part-000000000000-000000000003.jsonl', 'part-000000000003-000000000005.jsonl'],
    ],
    [
      tar(),
      row,
      'data of 1',
      ['part-000000000000-000000000003.tar', 'part-000000000003-000000000005.tar'],
    ],
    [files(), row, 'data of 1', [0, 1, 2, 3, 4].map((id) => `f${id}-00000000000${id}.txt`)],
  ];
  for (const [sink, make, second, names] of cases) {
    await using folder = await temporaryFolder();
    const late = await stage(folder.path, sink, [3, 4], [make(3), make(4)], OTHER);
    const early = await stage(folder.path, sink, [0, 1, 2], [make(0), make(1), make(2)]);
    assert.deepEqual(await visible(folder.path), [], 'nothing shows before it is committed');
    const { outputManifestHash } = await finalize(folder.path, [early, late]);
    const manifest = await readFile(folder.join('_mx8/manifest.tsv'));
    assert.equal(outputManifestHash, createHash('sha256').update(manifest).digest('hex'));
    assert.deepEqual(await visible(folder.path), names);
    const texts = await records(folder.path);
    assert.equal(texts.length, 5);
    assert.equal(texts[1], second);
    assert.deepEqual(await readdir(folder.join('_mx8')), ['manifest.tsv']);
  }
});

test('a tar part is an archive whose entries carry the rows’ names', async () => {
  await using folder = await temporaryFolder();
  const piece = await stage(folder.path, tar(), [0, 1], [{ data: 'a', name: 'x/a.txt' }, row(1)]);
  await publishPiece(at(folder.path), piece);
  const bytes = await readFile(folder.join('part-000000000000-000000000002.tar'));
  assert.deepEqual(decodeUstarHeader(bytes.subarray(0, 512)), { name: 'x/a.txt', size: 1 });
  assert.equal(decodeUstarHeader(bytes.subarray(1024, 1536))?.name, 'f1-000000000001.txt');
  assert.equal(bytes.length, 4 * 512 + 1024);
});

/** Each leaves the output as a crash at that point would. */
const CRASHES: Readonly<Record<string, (out: string, pieces: StagedPiece[]) => Promise<unknown>>> =
  {
    'before anything is published': async () => undefined,
    'after some files are published': (out) =>
      rename(stagedFile(out, LEASE), join(out, 'f0-000000000000.txt')),
    'between the two names of a file': (out) =>
      link(stagedFile(out, LEASE), join(out, 'f0-000000000000.txt')),
    'after all files, before the index is marked': async (out, pieces) => {
      await publishPiece(at(out), pieces[0] ?? assert.fail());
      const base = join(out, '_mx8/staging', LEASE, '000000000000-000000000002');
      await rename(`${base}.published`, `${base}.staged`);
    },
    'after one piece is published': (out, pieces) =>
      publishPiece(at(out), pieces[0] ?? assert.fail()),
    'while the manifest is written': (out) =>
      writeFile(join(out, '_mx8/staging/manifest.crashed.tmp'), 'schema_vers'),
    'before the staging folder is cleared': async (out, pieces) => {
      await finalize(out, pieces);
      await mkdir(join(out, '_mx8/staging', OTHER), { recursive: true });
    },
  };

function stagedFile(out: string, lease: LeaseId): string {
  return join(out, '_mx8/staging', lease, `000000000000.n${firstNonce}`, '1');
}

let firstNonce = 0;

test('after a crash at any point the next finalizer gives the same output', async () => {
  for (const [when, crash] of Object.entries(CRASHES)) {
    await using folder = await temporaryFolder();
    firstNonce = nonces + 1;
    const pieces = [
      await stage(folder.path, files(), [0, 1], [row(0), row(1)]),
      await stage(folder.path, files(), [2], [row(2)], OTHER),
    ];
    await stage(folder.path, files(), [2], [{ data: 'never committed' }]);
    await crash(folder.path, pieces);
    const { outputManifestHash } = await finalize(folder.path, pieces);
    assert.deepEqual(await records(folder.path), ['data of 0', 'data of 1', 'data of 2'], when);
    assert.deepEqual(await readdir(folder.join('_mx8')), ['manifest.tsv'], when);
    const again = await finalize(folder.path, pieces);
    assert.deepEqual(again, { outputManifestHash, wasDone: true }, when);
  }
});

test('finalizers and publishers at the same time give one output', async () => {
  await using folder = await temporaryFolder();
  const pieces: StagedPiece[] = [];
  for (let id = 0; id < 30; id += 3) {
    pieces.push(
      await stage(folder.path, files(), [id, id + 1, id + 2], [row(id), row(id + 1), row(id + 2)]),
    );
  }
  const results = await Promise.all([
    finalize(folder.path, pieces),
    ...pieces.map((piece) => publishPiece(at(folder.path), piece)),
    finalize(folder.path, pieces),
    finalize(folder.path, pieces),
  ]);
  const hashes = results.flatMap((result) =>
    result !== null && 'outputManifestHash' in result ? [result.outputManifestHash] : [],
  );
  assert.equal(hashes.length, 3);
  assert.equal(new Set(hashes).size, 1);
  assert.equal((await records(folder.path)).length, 30);
});

test('the first staging of a token and range stands, whoever repeats it', async () => {
  await using folder = await temporaryFolder();
  const first = await stage(folder.path, jsonl(), [0, 1], ['first', 'first']);
  const second = await stage(folder.path, jsonl(), [0, 1], ['second']);
  assert.deepEqual(second, first);
  await finalize(folder.path, [second]);
  assert.deepEqual(await records(folder.path), ['"first"', '"first"']);
});

test('a batch that fails half-way leaves nothing of itself behind', async () => {
  const big = 'x'.repeat(300_000);
  const cases: readonly (readonly [Sink<never>, readonly unknown[], readonly unknown[]])[] = [
    [jsonl(), [big, 'b'], ['c', 10n]],
    [tar(), [{ data: big }, row(1)], [{ data: big }, { data: big, name: 'n'.repeat(250) }]],
    [files(), [row(0), row(1)], [row(2), { data: 'x', name: '../out' }]],
  ];
  for (const [sink, good, bad] of cases) {
    await using folder = await temporaryFolder();
    const part = await open(folder.path, sink, LEASE, 0);
    await part.write(good, batchOf(0, 1));
    const error = await refusal(() => part.write(bad, batchOf(2, 3)));
    assert.equal(error.code, 'row_invalid', sink.kind);
    part.quarantine({ sampleId: 2, location: '/in/f2.txt', code: 'row_invalid', message: 'bad' });
    await part.write(sink.kind === 'jsonl' ? ['d'] : [row(3)], batchOf(3));
    const piece = await part.finish(4);
    assert.deepEqual(piece.quarantined, [2]);
    await finalize(folder.path, [piece]);
    const texts = await records(folder.path);
    assert.equal(texts.length, 3, sink.kind);
    assert.equal(texts[2], sink.kind === 'jsonl' ? '"d"' : 'data of 3');
    const quarantine = await readFile(folder.join('_mx8/quarantine.jsonl'), 'utf8');
    assert.deepEqual(JSON.parse(quarantine), {
      sample_id: 2,
      location: '/in/f2.txt',
      code: 'row_invalid',
      message: 'bad',
    });
  }
});

test('two samples with one output name are both named, wherever they meet', async () => {
  const same = { data: 'x', name: 'same.txt' };
  await using folder = await temporaryFolder();
  for (const sink of [files(), tar()]) {
    const { message, code } = await refusal(() =>
      stage(folder.path, sink, [0, 1], [same, same], OTHER),
    );
    assert.equal(code, 'row_invalid');
    assert.match(message, /sample 1 and sample 0 both name their output "same\.txt"/);
  }
  const first = await stage(folder.path, files(), [0], [same]);
  const racing = await stage(folder.path, files(), [1], [same]);
  await publishPiece(at(folder.path), first);
  const staged = await refusal(() => stage(folder.path, files(), [2], [same]));
  assert.match(staged.message, /sample 2 and sample 0 both name/);
  const published = await refusal(() => publishPiece(at(folder.path), racing));
  assert.match(published.message, /sample 1 and sample 0 both name/);
  assert.equal(await readFile(folder.join('same.txt'), 'utf8'), 'x');
});

test('staged files that are gone are an error that names the samples and the folder', async () => {
  await using folder = await temporaryFolder();
  const piece = await stage(folder.path, jsonl(), [0], [1]);
  await unlink(folder.join('_mx8/staging', LEASE, '000000000000-000000000001.staged'));
  const error = await refusal(() => publishPiece(at(folder.path), piece));
  assert.equal(error.code, 'output_write_failed');
  assert.match(error.message, /output of samples \[0, 1\).* is not in .*staging/);
});

test('JSON that would lose something of a row is refused with the place', async () => {
  await using folder = await temporaryFolder();
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [undefined, /the row of sample 0 cannot be written as JSON: it is undefined/],
    [{ a: { b: [1, NaN] } }, /a\.b\[1\] is NaN/],
    [{ v: new Float32Array(2) }, /v is a Float32Array; make it an array/],
    [{ m: new Map() }, /m is a Map/],
    [{ n: 10n }, /BigInt/],
  ];
  for (const [value, message] of cases) {
    const error = await refusal(() => stage(folder.path, jsonl(), [0], [value]));
    assert.equal(error.code, 'row_invalid');
    assert.match(error.message, message);
  }
  const kept = await stage(folder.path, jsonl(), [0], [{ a: null, b: undefined, c: new Date(0) }]);
  assert.equal(kept.bytes, '{"a":null,"c":"1970-01-01T00:00:00.000Z"}'.length);
});

test('a sink of one’s own needs no more than the interface says', async () => {
  const shout: Sink<string> = {
    kind: 'shout',
    dir: null,
    async openPart(part) {
      const file = await part.appendFile(({ start, end }) => `loud/${start}-${end}.txt`);
      return {
        async write(rows, batch) {
          for (const [index, text] of rows.entries()) {
            const bytes = new TextEncoder().encode(text.toUpperCase());
            const sampleId = batch.sampleIds[index] ?? null;
            file.record({ offset: file.sizeBytes, length: bytes.length, sampleId });
            await file.append(bytes);
          }
        },
        finish: () => file.append(new TextEncoder().encode('!')),
      };
    },
  };
  await using folder = await temporaryFolder();
  const piece = await stage(folder.path, shout, [0, 1], ['hey', 'you']);
  await finalize(folder.path, [piece]);
  assert.deepEqual(await records(folder.path), ['HEY', 'YOU']);
  assert.equal(await readFile(folder.join('loud/0-2.txt'), 'utf8'), 'HEYYOU!');
});

test('claims that begin one after the other, each while another is being written, all succeed', async () => {
  const claim = {
    jobId: jobId('one'),
    inputManifestHash: manifestHash('a'.repeat(64)),
    sink: 'jsonl',
    jobName: null,
    input: null,
    state: null,
  };
  await using folder = await temporaryFolder();
  for (let round = 0; round < 20; round += 1) {
    const out = folder.join(`out-${round}`);
    const claims = Array.from({ length: 12 }, async (_, turns) => {
      // Staggered by turns of the event loop, so that some look while the claim appears.
      for (let turn = 0; turn < turns * 2; turn += 1) await nextTurn();
      return claimOutput(at(out), claim);
    });
    const before = await Promise.all(claims);
    assert.equal(before.filter((wasThere) => !wasThere).length, 1);
  }
});

test('an output folder belongs to one job, and its claims may race', async () => {
  const claim = {
    jobId: jobId('one'),
    inputManifestHash: manifestHash('a'.repeat(64)),
    sink: 'jsonl',
    jobName: null,
    input: null,
    state: null,
  };
  await using folder = await temporaryFolder();
  const out = folder.join('out');
  assert.deepEqual(await inspectOutput(at(out)), { type: 'free' });
  const before = await Promise.all(Array.from({ length: 8 }, () => claimOutput(at(out), claim)));
  assert.equal(before.filter((wasThere) => !wasThere).length, 1);
  const state = { type: 'job', claim, outputManifestHash: null } as const;
  assert.deepEqual(await inspectOutput(at(out)), state);
  const other = await refusal(() => claimOutput(at(out), { ...claim, jobId: jobId('two') }));
  assert.equal(other.code, 'output_occupied');
  assert.match(other.message, /holds the output of job one, not of two/);
  const sink = await refusal(() => claimOutput(at(out), { ...claim, sink: 'tar' }));
  assert.match(sink.message, /sink jsonl, not of tar/);
  // Who claimed without a token may have been anybody.
  assert.equal(await claimOutput(at(out), { ...claim, jobToken: '1.9.0' }), true);
  const named = folder.join('named');
  for (const jobToken of ['1.2.0', '1.2.0']) await claimOutput(at(named), { ...claim, jobToken });
  await claimOutput(at(named), claim);
  const again = await refusal(() => claimOutput(at(named), { ...claim, jobToken: '1.9.0' }));
  assert.equal(again.code, 'output_occupied');
  assert.match(again.message, /holds the output of another job one: its coordinator has forgotten/);
  await folder.write({ 'full/letter.txt': 'dear' });
  const foreign = await refusal(() => claimOutput(at(folder.join('full')), claim));
  assert.match(foreign.message, /files that no MX8 job wrote, such as letter\.txt/);
  assert.throws(() => outputLocation('hf://datasets/b/x'), { code: 'scheme_unsupported' });
  assert.throws(() => outputLocation('s3://'), { code: 'link_invalid' });
  assert.equal(outputLocation('s3://bucket/x//'), 's3://bucket/x');
});

test('the index of a piece says how many bytes were read for it, and an older one that it does not know', async () => {
  await using folder = await temporaryFolder();
  const part = await open(folder.path, jsonl(), LEASE, 0);
  await part.write([{ id: 0 }, { id: 1 }], batchOf(0, 1));
  part.countInput(700);
  part.countInput(77);
  const piece = await part.finish(2);
  assert.equal(piece.inputBytes, 777);
  const older = `mx8-piece\t1\t${LEASE}\t0\t2\nend\t1\n`;
  assert.equal(decodePieceIndex(older, 'x').inputBytes, 0);
});
