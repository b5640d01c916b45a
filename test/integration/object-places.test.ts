/** What places of objects promise to who writes there, and how Google and Azure are asked for it. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';

import { load } from '../../src/index.ts';
import type { ObjectPlace } from '../../src/ports/place.ts';
import { PART_BYTES } from '../../src/storage/object-writer.ts';
import { FaultStore, answer } from '../support/fault-store.ts';
import { TokenServer } from '../support/gcs-service.ts';
import { openAzure, openGcs } from '../support/open-place.ts';
import { ok, refused } from '../support/place-faults.ts';
import { AZ, eachStore, GS, isWrite } from '../support/store-kinds.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const { onEach } = eachStore();
const CREATE = { type: 'create' } as const;
const ANY = { type: 'any' } as const;

async function bytesOf(place: ObjectPlace, location: string): Promise<Buffer> {
  const { bytes } = await place.stat(location);
  const into = Buffer.alloc(bytes);
  const targets = [{ bytes, into }];
  await place.readRange(location, { start: 0, end: bytes, targets, pinnedTag: 0, pinnedBytes: -1 });
  return into;
}

function pattern(bytes: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: bytes }, (_, at) => (at * 31 + (at >> 9)) & 255));
}

async function listed(place: ObjectPlace, prefix: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const page of place.list(prefix)) found.push(...page.map(({ location }) => location));
  return found;
}

onEach(
  'a copy of an object, or of a part of one, has its bytes and its mark, and replaces nothing',
  async (world) => {
    const { place } = world;
    const from = world.at('copies/from');
    const content = pattern(PART_BYTES + 12_345);
    await place.write(from, content, ANY);
    const spans = { whole: [0, content.length], part: [77, PART_BYTES + 99] } as const;
    for (const [name, [start, end]] of Object.entries(spans)) {
      const to = world.at(`copies/${name}`);
      const stat = await place.copy({ location: from, start, end }, to, `mark of ${name}`);
      assert.deepEqual(stat, await place.stat(to));
      assert.equal(Buffer.compare(await bytesOf(place, to), content.subarray(start, end)), 0);
      assert.equal(await place.markOf(to), `mark of ${name}`);
      const again = place.copy({ location: from, start, end }, to, 'another');
      await refused(again, 'object_exists', to);
      assert.equal(await place.markOf(to), `mark of ${name}`);
    }
    const missing = { location: world.at('copies/none'), start: 0, end: 10 };
    await refused(place.copy(missing, world.at('copies/x'), 'm'), 'object_missing');
    assert.equal(await place.markOf(world.at('copies/x')), null);
    assert.equal(await place.abandonUploads(world.at('copies/')), 0);
  },
);

onEach('an answer that was lost hides no success, and the same again is refused', async (world) => {
  const { place } = world;
  const heard = new Set<string>();
  world.troubled.decide = (asked) => {
    if (!isWrite(asked) || heard.has(asked.url)) return 'none';
    heard.add(asked.url);
    return 'unheard';
  };
  const [small, large, copy] = ['small', 'large', 'copy'].map((name) => world.at(`lost/${name}`));
  assert.ok(small !== undefined && large !== undefined && copy !== undefined);
  const first = await place.write(small, Buffer.from('first'), CREATE, 'mark');
  assert.deepEqual(first, await place.stat(small));
  const upload = await place.upload(large, 'mark');
  const part = pattern(5 * 1024 ** 2);
  await upload.add(part);
  await upload.add(Buffer.from('end'));
  assert.deepEqual(await upload.complete(CREATE), await place.stat(large));
  assert.equal(
    Buffer.compare(await bytesOf(place, large), Buffer.concat([part, Buffer.from('end')])),
    0,
  );
  const span = { location: large, start: 0, end: part.length + 3 };
  assert.deepEqual(await place.copy(span, copy, 'of large'), await place.stat(copy));
  const etag = first.etag;
  const second = await place.write(small, Buffer.from('second'), { type: 'replace', etag });
  assert.deepEqual(second, await place.stat(small));
  assert.ok(world.troubled.troubles.length >= 5);
  world.troubled.decide = () => 'none';
  await refused(place.write(small, Buffer.from('x'), CREATE), 'object_exists', small);
  await refused(place.copy(span, copy, 'again'), 'object_exists', copy);
  const late = place.write(small, Buffer.from('x'), { type: 'replace', etag });
  await refused(late, 'object_changed', small);
  const other = await place.upload(large);
  await other.add(Buffer.from('other'));
  await refused(other.complete(CREATE), 'object_exists', large);
  assert.equal(await place.markOf(large), 'mark');
});

onEach(
  'of many parts Google makes one object, of the last of each number, and leaves none behind',
  async (world) => {
    const { place } = world;
    const location = world.at('many/object');
    const upload = await place.upload(location);
    const parts = Array.from({ length: 70 }, (_, index) => Buffer.alloc(100 + index, `${index} `));
    await Promise.all(parts.map((_, index) => upload.put(index, Buffer.from('at first'))));
    upload.forget(60);
    for (const [index, part] of parts.entries()) await upload.put(index, part);
    assert.deepEqual(await listed(place, world.at('many/')), []);
    const { bytes } = await upload.complete(CREATE);
    assert.equal(
      bytes,
      parts.reduce((sum, part) => sum + part.length, 0),
    );
    assert.equal(Buffer.compare(await bytesOf(place, location), Buffer.concat(parts)), 0);
    assert.deepEqual(await listed(place, world.at('many/')), [location]);
    assert.equal(await place.abandonUploads(world.at('many/')), 0);
    for (const name of ['a', 'b']) {
      const begun = await place.upload(world.at(`many/${name}`));
      await begun.add(Buffer.from('one'));
      await begun.add(Buffer.from('two'));
    }
    assert.deepEqual(await listed(place, world.at('many/')), [location]);
    assert.equal(await place.abandonUploads(world.at('many/')), 2);
    assert.equal(await place.abandonUploads(world.at('many/')), 0);
  },
  [GS],
);

onEach(
  'blocks of two uploads of one name do not get mixed, and the second one is refused',
  async (world) => {
    const { place } = world;
    const location = world.at('two/object');
    const [one, other] = [await place.upload(location), await place.upload(location)];
    await one.add(Buffer.from('one '));
    await other.add(Buffer.from('other '));
    await one.add(Buffer.from('and one'));
    await refused(place.stat(location), 'object_missing');
    await one.complete(CREATE);
    await refused(other.complete(CREATE), 'object_exists', location);
    assert.equal((await bytesOf(place, location)).toString(), 'one and one');
    assert.match(place.nameFault(world.at('two/a./b')) ?? '', /ends in a dot/);
  },
  [AZ],
);

test('Google is asked for the rest of a copy until it is done', async () => {
  const object = { size: '20', generation: '7' };
  await using store = await FaultStore.start((asked, socket) => {
    if (asked.method === 'GET') socket.write(ok(object));
    else if (!asked.target.includes('rewriteToken='))
      socket.write(ok({ done: false, rewriteToken: 'a/b' }));
    else socket.write(ok({ done: true, resource: { ...object, generation: '8' } }));
  });
  await using opened = openGcs({ STORAGE_EMULATOR_HOST: store.url });
  const span = { location: 'gs://bucket/from/x', start: 0, end: 20 };
  const stat = await opened.place.copy(span, 'gs://bucket/to/y', 'mark');
  assert.deepEqual(stat, { bytes: 20, etag: '8' });
  const [, first, second] = store.asked;
  assert.match(first?.target ?? '', /\/o\/from%2Fx\/rewriteTo\/b\/bucket\/o\/to%2Fy\?/);
  for (const asked of [first, second]) assert.match(asked?.target ?? '', /ifGenerationMatch=0/);
  assert.match(second?.target ?? '', /rewriteToken=a%2Fb/);
  await using lying = await FaultStore.start((asked, socket) => {
    socket.write(asked.method === 'GET' ? ok(object) : ok({ done: false }));
  });
  await using fooled = openGcs({ STORAGE_EMULATOR_HOST: lying.url });
  await refused(
    fooled.place.copy(span, 'gs://bucket/to/y', 'mark'),
    'object_answer_invalid',
    'how far the copy has come',
  );
});

test('a service account asks for a token to write only where it writes', async () => {
  await using folder = await temporaryFolder();
  await using tokens = await TokenServer.start();
  const object = ok({ size: '3', generation: '1' });
  let isRevoked = false;
  await using store = await FaultStore.start((asked, socket) => {
    const isOld = asked.headers.get('authorization')?.includes('token-2-') === true;
    const error = { error: { code: 401, message: 'Invalid Credentials' } };
    socket.write(
      isRevoked && isOld ? answer('401 Unauthorized', [], JSON.stringify(error)) : object,
    );
  });
  const path = folder.join('account.json');
  await writeFile(path, JSON.stringify(tokens.serviceAccount));
  const variables = { GOOGLE_APPLICATION_CREDENTIALS: path };
  await using opened = openGcs(variables, { endpointUrl: store.url });
  await opened.place.stat('gs://bucket/x');
  await opened.place.write('gs://bucket/x', Buffer.from('abc'), CREATE);
  const scopes = tokens.scopes.map((scope) => scope.split('/').at(-1));
  assert.deepEqual(scopes, ['devstorage.read_only', 'devstorage.read_write']);
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  isRevoked = true;
  await opened.place.write('gs://bucket/x', Buffer.from('abc'), CREATE);
  assert.equal(tokens.given, 3);
  assert.match(store.asked[1]?.target ?? '', /^\/upload\/.*name=x.*ifGenerationMatch=0/);
});

test('Azure’s key signs for writing only where something is written', async () => {
  await using store = await FaultStore.start((_, socket) => {
    socket.write(answer('201 Created', ['ETag: "0x1"']));
  });
  await using opened = openAzure({
    AZURE_STORAGE_ACCOUNT: 'photos',
    AZURE_STORAGE_KEY: Buffer.from('key').toString('base64'),
    AZURE_STORAGE_ENDPOINT: store.url,
  });
  await opened.place.stat('az://container/x');
  await opened.place.write('az://container/x', Buffer.from('abc'), CREATE);
  const upload = await opened.place.upload('az://container/y');
  await upload.add(Buffer.from('abc'));
  await upload.complete(ANY);
  await opened.place.remove('az://container/x');
  const permissions = store.asked.map(({ target }) =>
    new URL(target, store.url).searchParams.get('sp'),
  );
  assert.deepEqual(permissions, ['rl', ...Array.from({ length: 4 }, () => 'rcwdl')]);
});

onEach(
  'a prefix is read while it is listed, in the order that its pinned data have',
  async (world) => {
    await using folder = await temporaryFolder();
    const out = world.open(world.at('streamed'));
    for (let id = 0; id < 40; id += 1) {
      await out.create(`${id % 4}/${String(id).padStart(3, '0')}.txt`, `sample ${id}`);
    }
    const read = async (): Promise<readonly string[]> => {
      const texts: string[] = [];
      const loader = load(world.at('streamed'), {
        streaming: true,
        ...{ shuffle: true, seed: 7, shuffleBufferSize: 10, batchSize: 8 },
        manifestStoreRoot: folder.join('store'),
        stores: world.options,
      });
      for await (const batch of loader) {
        for (let at = 0; at < batch.sampleCount; at += 1) {
          texts.push(Buffer.from(batch.sample(at)).toString());
        }
      }
      return texts;
    };
    const first = await read();
    const all = Array.from({ length: 40 }, (_, id) => `sample ${id}`);
    assert.deepEqual(first.toSorted(), all.toSorted());
    assert.notDeepEqual(first, all, 'it is shuffled');
    assert.deepEqual(await read(), first, 'once it is pinned the order is the same');
  },
);
