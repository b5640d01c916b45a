/** Data sets packed into stores of every kind and verified there; the lock that packers take turns with. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';

import { Mx8Error } from '../../src/core/base/errors.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import { pack, type PackResult } from '../../src/snapshots/index.ts';
import { encodeHolder } from '../../src/snapshots/lock-holder.ts';
import type { HeldLock } from '../../src/snapshots/lock-file.ts';
import { acquireObjectLock } from '../../src/snapshots/object-lock.ts';
import { thisProcess } from '../../src/snapshots/process-identity.ts';
import type { ObjectOutputs } from '../support/object-outputs.ts';
import { eachStore, isWrite } from '../support/store-kinds.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';
import { verified } from '../support/verified.ts';

const SHARD_BYTES = 12 * 1024 ** 2;
const { onEach } = eachStore();

function packed(
  { places }: ObjectOutputs,
  input: string,
  output: string,
  onPacked?: () => Promise<void>,
): Promise<PackResult> {
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

function namesBelow(world: ObjectOutputs, location: string): Promise<readonly string[]> {
  return world.all(world.open(location));
}

onEach(
  'a folder and a prefix are packed into a store as into a folder, and verify finds them whole',
  async (world) => {
    await using folder = await temporaryFolder();
    const input = await samples(folder);
    const local = await packed(world, input, folder.join('local'));
    const remote = await packed(world, input, world.at('packed/'));
    assert.deepEqual({ ...remote, output: '', hash: '' }, { ...local, output: '', hash: '' });
    assert.equal(remote.output, world.at('packed'));
    const again = await packed(world, world.at('packed-loose'), world.at('again')).catch(
      () => null,
    );
    assert.equal(again, null, 'nothing is there yet');
    const out = world.open(world.at('packed'));
    const shards = await readdir(folder.join('local/shards'));
    assert.ok(shards.length > 1);
    assert.deepEqual(await namesBelow(world, world.at('packed')), [
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
    assert.equal(manifest.replaceAll(world.at('packed'), local.output), here);

    const whole = await verified(world, world.at('packed'), folder);
    assert.deepEqual([whole.differenceCount, whole.bytes], [0, remote.bytes]);
    const occupied = await refusal(packed(world, input, world.at('packed')));
    assert.match(
      occupied.message,
      /Cannot pack into \w+:\/\/\w+\/packed: a packed data set is there/,
    );
    const inside = await refusal(packed(world, world.at('loose'), world.at('loose/x')));
    assert.match(inside.message, /pack itself/);
  },
);

onEach(
  'a shard of more parts than the store takes gets larger ones, or the way out before anything is packed',
  async (world) => {
    await using folder = await temporaryFolder();
    const input = await samples(folder);
    const local = await packed(world, input, folder.join('local'));
    const { uploadPartsMax } = world.place;
    using _ = {
      [Symbol.dispose]: () =>
        Object.defineProperty(world.place, 'uploadPartsMax', { value: uploadPartsMax }),
    };
    // 12 MiB are 2 parts of 8 MiB; in one part they are one of 16.
    Object.defineProperty(world.place, 'uploadPartsMax', { value: 1, configurable: true });
    const remote = await packed(world, input, world.at('few'));
    assert.equal(remote.shardCount, local.shardCount);
    const out = world.open(world.at('few'));
    for (const name of await readdir(folder.join('local/shards'))) {
      const bytes = Buffer.from((await out.read(`shards/${name}`)) ?? []);
      assert.equal(Buffer.compare(bytes, await readFile(folder.join('local/shards', name))), 0);
    }
    await folder.write({ 'in/cats/large.bin': Buffer.alloc(17 * 1024 ** 2, 1) });
    const error = await refusal(packed(world, input, world.at('none')));
    assert.equal(error.code, 'flag_invalid');
    assert.match(
      error.message,
      /shard-0000\d\.tar would have 178\d+ bytes, of 1 samples; the store takes 1 parts of an object, and parts of 16777216 bytes fit into memory\. Give --max-inflight-bytes 125829120 or more\. Nothing has been packed/,
    );
    assert.deepEqual(await namesBelow(world, world.at('none')), []);
  },
);

onEach(
  'objects are packed from a store into a store, and what differs afterwards is told by kind',
  async (world) => {
    await using folder = await temporaryFolder();
    const loose = world.open(world.at('loose-in'));
    for (let index = 0; index < 40; index += 1) {
      await loose.create(`${String(index).padStart(3, '0')}.txt`, `sample ${index} `.repeat(50));
    }
    const result = await packed(world, world.at('loose-in'), world.at('loose-out'));
    assert.equal(result.sampleCount, 40);
    assert.equal((await verified(world, world.at('loose-in'), folder)).differenceCount, 0);
    assert.equal((await verified(world, world.at('loose-out'), folder)).differenceCount, 0);
    await world.place.remove(world.at('loose-in/003.txt'));
    await world.place.write(world.at('loose-in/005.txt'), Buffer.from('short'), { type: 'any' });
    const same = Buffer.from((await loose.read('007.txt')) ?? []).reverse();
    await world.place.write(world.at('loose-in/007.txt'), same, { type: 'any' });
    const { differences } = await verified(world, world.at('loose-in'), folder);
    assert.deepEqual(
      differences.map(({ sampleId, kind }) => [sampleId, kind]),
      [
        [3, 'missing'],
        [5, 'resized'],
        [7, 'modified'],
      ],
    );
    assert.match(differences[0]?.what ?? '', /\w+:\/\/\w+\/loose-in\/003\.txt/);
    const shard = world.at('loose-out/shards/shard-00000.tar');
    const bytes = Buffer.from(
      (await world.open(world.at('loose-out')).read('shards/shard-00000.tar')) ?? [],
    );
    // The first sample's header names another.
    bytes.write('9', 19);
    await world.place.write(shard, bytes, { type: 'any' });
    const all = await verified(world, world.at('loose-out'), folder);
    assert.deepEqual([all.differenceCount, all.differences[0]?.kind], [40, 'modified']);
    const anew = await verified(world, world.at('loose-out@refresh'), folder);
    assert.deepEqual(
      anew.differences.map(({ kind }) => kind),
      ['header'],
    );
  },
);

onEach(
  'a pack goes through resets, refusals and lost answers, and is gone on with when it was denied',
  async (world) => {
    await using folder = await temporaryFolder();
    const input = await samples(folder);
    const tries = new Map<string, number>();
    world.troubled.troubles.length = 0;
    world.troubled.decide = ({ method, url }) => {
      if (!isWrite({ method, url })) return 'none';
      // The first try of each write: every so many of all requests, two writers may be in step for ever.
      const before = tries.get(url) ?? 0;
      tries.set(url, before + 1);
      const kinds = ['refused', 'reset', 'unheard'] as const;
      return before % 2 === 0 ? (kinds[world.troubled.troubles.length % 3] ?? 'none') : 'none';
    };
    const { bytes } = await packed(world, input, world.at('troubled'));
    assert.deepEqual([...new Set(world.troubled.troubles)].sort(), ['refused', 'reset', 'unheard']);
    world.troubled.decide = () => 'none';
    const whole = await verified(world, world.at('troubled'), folder);
    assert.deepEqual([whole.differenceCount, whole.bytes], [0, bytes]);
    world.troubled.decide = ({ method, url }) =>
      isWrite({ method, url }) && url.includes('shard-00001') ? 'denied' : 'none';
    const denied = await refusal(packed(world, input, world.at('denied-pack')));
    assert.match(denied.message, /\/denied-pack\/shards\/shard-00001\.tar is .*403/);
    assert.ok(denied.message.includes(world.kind.deniedWord), denied.message);
    assert.equal(await world.place.abandonUploads(world.at('denied-pack/')), 0);
    const out = world.open(world.at('denied-pack'));
    const first = 'shards/shard-00000.tar';
    assert.ok((await namesBelow(world, world.at('denied-pack'))).includes(first));
    world.troubled.decide = ({ method, url }) =>
      isWrite({ method, url }) && url.includes('shard-00000') ? 'denied' : 'none';
    const own = ['_mx8/packing/plan.json', '_mx8/packing/input.jsonl'];
    const kept = await Promise.all(
      own.map(async (name) => (await out.read(name)) ?? assert.fail()),
    );
    const { resumedShardCount } = await packed(world, input, world.at('denied-pack'));
    assert.ok(resumedShardCount > 0, 'and the first shard is not written again');
    world.troubled.decide = () => 'none';
    // Killed when only its own things were to be removed, it removes them the next time.
    for (const [index, name] of own.entries()) {
      const bytes = kept[index] ?? Buffer.of();
      await world.place.write(world.at(`denied-pack/${name}`), bytes, { type: 'create' });
    }
    const again = await packed(world, input, world.at('denied-pack'));
    assert.equal(again.resumedShardCount, again.shardCount);
    const names = await namesBelow(world, world.at('troubled'));
    assert.deepEqual(await namesBelow(world, world.at('denied-pack')), names);
    for (const name of names) {
      if (!name.startsWith('shards/')) continue;
      const bytes = Buffer.from((await out.read(name)) ?? []);
      const whole = (await world.open(world.at('troubled')).read(name)) ?? Buffer.of();
      assert.ok(bytes.equals(whole), name);
    }
  },
);

onEach(
  'what an interrupted pack left is replaced, and who packs now or has packed something else is not',
  async (world) => {
    await using folder = await temporaryFolder();
    const input = await samples(folder);
    const root = world.at('interrupted');
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    const holder = { ...thisProcess(), pid: dead, startTime: '1', nonce: 'a'.repeat(32) };
    const out = world.open(root);
    await out.create('_mx8/packing.lock', encodeHolder(holder));
    await out.create('shards/shard-00000.tar', 'half of a shard');
    await out.create('shards/shard-00099.tar', 'of a larger input');
    await (await world.place.upload(`${root}/shards/shard-00001.tar`)).put(0, Buffer.from('half'));
    await packed(world, input, root);
    assert.equal((await verified(world, root, folder)).differenceCount, 0);
    assert.equal((await namesBelow(world, root)).includes('shards/shard-00099.tar'), false);
    assert.equal(await world.place.abandonUploads(`${root}/`), 0);

    const busy = world.at('busy');
    const lock = await locked(world, `${busy}/_mx8/packing.lock`);
    const refused = await refusal(packed(world, input, busy));
    assert.match(refused.message, /process \d+ on .* is packing into it right now/);
    await lock.release();
    await world.open(world.at('foreign')).create('letter.txt', 'dear');
    const foreign = await refusal(packed(world, input, world.at('foreign')));
    assert.match(foreign.message, /it holds "letter\.txt"/);
  },
);

onEach('a packer that lost its lock meanwhile ends without a manifest', async (world) => {
  await using folder = await temporaryFolder();
  const input = await samples(folder);
  const location = world.at('lost/_mx8/packing.lock');
  const other = encodeHolder({ ...thisProcess(), nonce: 'b'.repeat(32) });
  const lost = await refusal(
    packed(world, input, world.at('lost'), async () => {
      await world.place.write(location, Buffer.from(other), { type: 'any' });
    }),
  );
  assert.equal(lost.code, 'output_occupied');
  assert.match(lost.message, /another mx8 pack has taken it over/);
  const names = await namesBelow(world, world.at('lost'));
  assert.ok(!names.includes('_mx8/manifest.tsv') && names.includes('_mx8/packing.lock'));
  await rm(folder.join('in'), { recursive: true });
});

function locked(
  { place }: ObjectOutputs,
  location: string,
  waitMsMax = 0,
  silentMsMax = 60_000,
): Promise<HeldLock> {
  const [clock, random] = [nodeClock(), nodeRandom()];
  return acquireObjectLock({ place, location, clock, random, waitMsMax, silentMsMax });
}

onEach('of many who want a lock one has it, and the next when it is given back', async (world) => {
  const location = world.at('locks/raced');
  const tries = await Promise.allSettled(Array.from({ length: 8 }, () => locked(world, location)));
  const held = tries.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  assert.equal(held.length, 1);
  const next = locked(world, location, 10_000);
  await held[0]?.release();
  const lock = await next;
  assert.equal(await lock.isHeld(), true);
  await lock.release();
  assert.equal(await lock.isHeld(), false);
});

onEach(
  'a holder that nobody can see and that is silent loses its lock, and notices',
  async (world) => {
    const location = world.at('locks/silent');
    const lock = await locked(world, location);
    const elsewhere = { ...thisProcess(), machineId: 'another', bootId: 'another', host: 'far' };
    const far = encodeHolder({ ...elsewhere, nonce: 'c'.repeat(32) });
    await world.place.write(location, Buffer.from(far), { type: 'any' });
    assert.equal(await lock.isHeld(), false);
    const waits = await refusal(locked(world, location, 0));
    assert.match(waits.message, /held by process \d+ on far/);
    const taken = await locked(world, location, 5_000, 400);
    assert.equal(await taken.isHeld(), true);
    // Whoever lost it takes nothing away from the new holder.
    await lock.release();
    assert.equal(await taken.isHeld(), true);
    await taken.release();
    const strange = world.at('locks/strange');
    await world.place.write(strange, Buffer.from('of another program'), { type: 'any' });
    const left = await refusal(locked(world, strange, 700, 100));
    assert.match(left.message, /a program that left no name/);
  },
);
