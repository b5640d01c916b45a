/** Data sets packed into a real S3 service and verified there; the lock that packers take turns with. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { Mx8Error } from '../../src/core/base/errors.ts';
import { parquet } from '../../src/job/index.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import { FsManifestStore, pack, verify, type PackResult } from '../../src/snapshots/index.ts';
import { encodeHolder } from '../../src/snapshots/lock-holder.ts';
import type { HeldLock } from '../../src/snapshots/lock-file.ts';
import { acquireObjectLock } from '../../src/snapshots/object-lock.ts';
import { thisProcess } from '../../src/snapshots/process-identity.ts';
import { RecordingEvents } from '../../src/testing/index.ts';
import { ObjectOutputs } from '../support/object-outputs.ts';
import { VERSITYGW } from '../support/s3-service.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

const skip = VERSITYGW.missing;
const SHARD_BYTES = 12 * 1024 ** 2;
let started: ObjectOutputs | null = null;

before(async () => {
  if (skip === false) started = await ObjectOutputs.start();
});

after(async () => {
  await started?.[Symbol.asyncDispose]();
});

/** At the begin of a test: without trouble. */
function world(): ObjectOutputs {
  const s3 = running();
  s3.troubled.decide = () => 'none';
  return s3;
}

function running(): ObjectOutputs {
  if (started === null) throw new Error('the service runs');
  return started;
}

function packed(
  input: string,
  output: string,
  onPacked?: () => Promise<void>,
): Promise<PackResult> {
  const { places } = running();
  let told: Promise<void> | undefined;
  return pack(input, output, {
    places,
    labels: 'auto',
    shardBytes: SHARD_BYTES,
    clock: nodeClock(),
    random: nodeRandom(),
    onProgress: ({ phase }) => {
      if (phase === 'packing') told ??= onPacked?.();
    },
  });
}

async function refusal(work: Promise<unknown>): Promise<Mx8Error> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof Mx8Error, String(error));
    return error;
  }
  return assert.fail('it was refused');
}

/** Two classes; more than one shard, more than one part. */
async function samples(folder: TemporaryFolder): Promise<string> {
  const files: Record<string, Buffer> = {};
  for (let index = 0; index < 60; index += 1) {
    const name = `${index % 2 === 0 ? 'cats' : 'dogs'}/${String(index).padStart(3, '0')}.bin`;
    files[`in/${name}`] = Buffer.alloc(index % 20 === 0 ? 9_000_000 : 1000 + index * 97, name);
  }
  await folder.write(files);
  return folder.join('in');
}

async function namesBelow(location: string): Promise<readonly string[]> {
  return running().all(running().open(location));
}

function verified(
  link: string,
  folder: TemporaryFolder,
  how: { readonly format?: 'jsonl' } = {},
): ReturnType<typeof verify> {
  const events = new RecordingEvents();
  const [clock, random] = [nodeClock(), nodeRandom()];
  const store = new FsManifestStore({ root: folder.join('manifests'), clock, random, events });
  return verify(link, { store, clock, events, places: running().places, ...how });
}

test(
  'a folder and a prefix are packed into a store as into a folder, and verify finds them whole',
  { skip },
  async () => {
    const s3 = world();
    await using folder = await temporaryFolder();
    const input = await samples(folder);
    const local = await packed(input, folder.join('local'));
    const remote = await packed(input, 's3://bucket/packed/');
    assert.deepEqual({ ...remote, output: '', hash: '' }, { ...local, output: '', hash: '' });
    assert.equal(remote.output, 's3://bucket/packed');
    const again = await packed('s3://bucket/packed-loose', 's3://bucket/again').catch(() => null);
    assert.equal(again, null, 'nothing is there yet');
    const out = s3.open('s3://bucket/packed');
    const shards = await readdir(folder.join('local/shards'));
    assert.ok(shards.length > 1);
    assert.deepEqual(await namesBelow('s3://bucket/packed'), [
      '_mx8/labels.tsv',
      '_mx8/manifest.tsv',
      ...shards.map((name) => `shards/${name}`),
    ]);
    for (const name of shards) {
      const bytes = Buffer.from((await out.read(`shards/${name}`)) ?? []);
      assert.equal(Buffer.compare(bytes, await readFile(folder.join('local/shards', name))), 0);
    }
    const manifest = Buffer.from((await out.read('_mx8/manifest.tsv')) ?? []).toString();
    const here = await readFile(folder.join('local/_mx8/manifest.tsv'), 'utf8');
    assert.equal(manifest.replaceAll('s3://bucket/packed', local.output), here);

    const whole = await verified('s3://bucket/packed', folder);
    assert.deepEqual([whole.differenceCount, whole.bytes], [0, remote.bytes]);
    const occupied = await refusal(packed(input, 's3://bucket/packed'));
    assert.match(
      occupied.message,
      /Cannot pack into s3:\/\/bucket\/packed: a packed data set is there/,
    );
    const inside = await refusal(packed('s3://bucket/loose', 's3://bucket/loose/x'));
    assert.match(inside.message, /pack itself/);
  },
);

test(
  'objects are packed from a store into a store, and what differs afterwards is told by kind',
  { skip },
  async () => {
    const s3 = world();
    await using folder = await temporaryFolder();
    const loose = s3.open('s3://bucket/loose-in');
    for (let index = 0; index < 40; index += 1) {
      await loose.create(`${String(index).padStart(3, '0')}.txt`, `sample ${index} `.repeat(50));
    }
    const result = await packed('s3://bucket/loose-in', 's3://bucket/loose-out');
    assert.equal(result.sampleCount, 40);
    assert.equal((await verified('s3://bucket/loose-in', folder)).differenceCount, 0);
    assert.equal((await verified('s3://bucket/loose-out', folder)).differenceCount, 0);
    await s3.place.remove('s3://bucket/loose-in/003.txt');
    await s3.place.write('s3://bucket/loose-in/005.txt', Buffer.from('short'), { type: 'any' });
    const same = Buffer.from((await loose.read('007.txt')) ?? []).reverse();
    await s3.place.write('s3://bucket/loose-in/007.txt', same, { type: 'any' });
    const { differences } = await verified('s3://bucket/loose-in', folder);
    assert.deepEqual(
      differences.map(({ sampleId, kind }) => [sampleId, kind]),
      [
        [3, 'missing'],
        [5, 'resized'],
        [7, 'modified'],
      ],
    );
    assert.match(differences[0]?.what ?? '', /s3:\/\/bucket\/loose-in\/003\.txt/);
    const shard = 's3://bucket/loose-out/shards/shard-00000.tar';
    const bytes = Buffer.from(
      (await s3.open('s3://bucket/loose-out').read('shards/shard-00000.tar')) ?? [],
    );
    // The first sample's header names another.
    bytes.write('9', 19);
    await s3.place.write(shard, bytes, { type: 'any' });
    const all = await verified('s3://bucket/loose-out', folder);
    assert.deepEqual([all.differenceCount, all.differences[0]?.kind], [40, 'modified']);
    const anew = await verified('s3://bucket/loose-out@refresh', folder);
    assert.deepEqual(
      anew.differences.map(({ kind }) => kind),
      ['header'],
    );
  },
);

test(
  'samples that are decompressed are verified in a store, by their sums and by their object',
  { skip },
  async () => {
    const s3 = world();
    await using folder = await temporaryFolder();
    const lines = Array.from({ length: 50 }, (_, id) => `{"id":${id}}\n`).join('');
    const location = 's3://bucket/coded/lines.jsonl.gz';
    await s3.place.write(location, gzipSync(lines), { type: 'any' });
    const coded = { format: 'jsonl' } as const;
    const whole = await verified('s3://bucket/coded', folder, coded);
    assert.deepEqual([whole.link.sampleCount, whole.differenceCount], [50, 0]);
    await s3.place.write(location, gzipSync(lines.replaceAll('4', '5')), { type: 'any' });
    const changed = await verified('s3://bucket/coded', folder, coded);
    assert.deepEqual([changed.differenceCount, changed.differences[0]?.kind], [50, 'modified']);
    await s3.place.remove(location);
    const gone = await verified('s3://bucket/coded', folder, coded);
    assert.deepEqual([gone.differenceCount, gone.differences[0]?.kind], [50, 'missing']);
  },
);

test('rows written into a store as Parquet are found whole by verify', { skip }, async () => {
  const s3 = world();
  await using folder = await temporaryFolder();
  const out = s3.open('s3://bucket/parquet-out');
  const rows = [
    { id: 0, text: 'a' },
    { id: 1, text: 'b' },
  ];
  await s3.finalize(out, [await s3.stage(out, parquet(), [0, 1], rows)]);
  const { link, differenceCount } = await verified(out.location, folder);
  assert.deepEqual([link.sampleCount, link.format, differenceCount], [2, 'parquet', 0]);
});

test(
  'a pack goes through resets, refusals and lost answers, and leaves nothing when it is denied',
  { skip },
  async () => {
    const s3 = world();
    await using folder = await temporaryFolder();
    const input = await samples(folder);
    let asked = 0;
    s3.troubled.troubles.length = 0;
    s3.troubled.decide = ({ method }) => {
      asked += 1;
      if (method === 'GET' || asked % 3 !== 0) return 'none';
      return (['refused', 'reset', 'unheard'] as const)[asked % 4] ?? 'none';
    };
    const { bytes } = await packed(input, 's3://bucket/troubled');
    assert.deepEqual([...new Set(s3.troubled.troubles)].sort(), ['refused', 'reset', 'unheard']);
    s3.troubled.decide = () => 'none';
    const whole = await verified('s3://bucket/troubled', folder);
    assert.deepEqual([whole.differenceCount, whole.bytes], [0, bytes]);
    s3.troubled.decide = ({ method, url }) =>
      method === 'PUT' && url.includes('shard-00001') ? 'denied' : 'none';
    const denied = await refusal(packed(input, 's3://bucket/denied-pack'));
    assert.match(
      denied.message,
      /s3:\/\/bucket\/denied-pack\/shards\/shard-00001\.tar .*403.*AccessDenied/,
    );
    assert.deepEqual(await namesBelow('s3://bucket/denied-pack'), []);
    assert.equal(await s3.place.abandonUploads('s3://bucket/denied-pack/'), 0);
  },
);

test(
  'what an interrupted pack left is replaced, and who packs now or has packed something else is not',
  { skip },
  async () => {
    const s3 = world();
    await using folder = await temporaryFolder();
    const input = await samples(folder);
    const root = 's3://bucket/interrupted';
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    const holder = { ...thisProcess(), pid: dead, startTime: '1', nonce: 'a'.repeat(32) };
    const out = s3.open(root);
    await out.create('_mx8/packing.lock', encodeHolder(holder));
    await out.create('shards/shard-00000.tar', 'half of a shard');
    await out.create('shards/shard-00099.tar', 'of a larger input');
    await (await s3.place.upload(`${root}/shards/shard-00001.tar`)).put(0, Buffer.from('half'));
    await packed(input, root);
    assert.equal((await verified(root, folder)).differenceCount, 0);
    assert.equal((await namesBelow(root)).includes('shards/shard-00099.tar'), false);
    assert.equal(await s3.place.abandonUploads(`${root}/`), 0);

    const busy = 's3://bucket/busy';
    const lock = await locked(`${busy}/_mx8/packing.lock`);
    const refused = await refusal(packed(input, busy));
    assert.match(refused.message, /process \d+ on .* is packing into it right now/);
    await lock.release();
    await s3.open('s3://bucket/foreign').create('letter.txt', 'dear');
    const foreign = await refusal(packed(input, 's3://bucket/foreign'));
    assert.match(foreign.message, /it holds "letter\.txt"/);
  },
);

test('a packer that lost its lock meanwhile ends without a manifest', { skip }, async () => {
  const s3 = world();
  await using folder = await temporaryFolder();
  const input = await samples(folder);
  const location = 's3://bucket/lost/_mx8/packing.lock';
  const other = encodeHolder({ ...thisProcess(), nonce: 'b'.repeat(32) });
  const lost = await refusal(
    packed(input, 's3://bucket/lost', async () => {
      await s3.place.write(location, Buffer.from(other), { type: 'any' });
    }),
  );
  assert.equal(lost.code, 'output_occupied');
  assert.match(lost.message, /another mx8 pack has taken it over/);
  const names = await namesBelow('s3://bucket/lost');
  assert.ok(!names.includes('_mx8/manifest.tsv') && names.includes('_mx8/packing.lock'));
  await rm(folder.join('in'), { recursive: true });
});

function locked(location: string, waitMsMax = 0, silentMsMax = 60_000): Promise<HeldLock> {
  const { place } = world();
  const [clock, random] = [nodeClock(), nodeRandom()];
  return acquireObjectLock({ place, location, clock, random, waitMsMax, silentMsMax });
}

test(
  'of many who want a lock one has it, and the next when it is given back',
  { skip },
  async () => {
    world();
    const location = 's3://bucket/locks/raced';
    const tries = await Promise.allSettled(Array.from({ length: 8 }, () => locked(location)));
    const held = tries.flatMap((outcome) =>
      outcome.status === 'fulfilled' ? [outcome.value] : [],
    );
    assert.equal(held.length, 1);
    const next = locked(location, 10_000);
    await held[0]?.release();
    const lock = await next;
    assert.equal(await lock.isHeld(), true);
    await lock.release();
    assert.equal(await lock.isHeld(), false);
  },
);

test(
  'a holder that nobody can see and that is silent loses its lock, and notices',
  { skip },
  async () => {
    const s3 = world();
    const location = 's3://bucket/locks/silent';
    const lock = await locked(location);
    const elsewhere = { ...thisProcess(), machineId: 'another', bootId: 'another', host: 'far' };
    const far = encodeHolder({ ...elsewhere, nonce: 'c'.repeat(32) });
    await s3.place.write(location, Buffer.from(far), { type: 'any' });
    assert.equal(await lock.isHeld(), false);
    const waits = await refusal(locked(location, 0));
    assert.match(waits.message, /held by process \d+ on far/);
    const taken = await locked(location, 5_000, 400);
    assert.equal(await taken.isHeld(), true);
    // Whoever lost it takes nothing away from the new holder.
    await lock.release();
    assert.equal(await taken.isHeld(), true);
    await taken.release();
    const strange = 's3://bucket/locks/strange';
    await s3.place.write(strange, Buffer.from('of another program'), { type: 'any' });
    const left = await refusal(locked(strange, 700, 100));
    assert.match(left.message, /a program that left no name/);
  },
);
