/** Data sets on Azure as a person uses them, over Azurite. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { load } from '../../src/index.ts';
import { SasSigner } from '../../src/storage/azure/azure-sas.ts';
import { AZURE_ACCOUNT, AZURE_KEY, AZURITE, AzureService } from '../support/azure-service.ts';
import { FaultStore, answer } from '../support/fault-store.ts';
import { Workbench } from '../support/mx8-process.ts';
import { openAzure } from '../support/open-place.ts';
import { refused } from '../support/place-faults.ts';
import { runningService } from '../support/running-service.ts';

const skip = AZURITE.missing;
const azure = runningService(skip, () => AzureService.start());

test(
  'load() and mx8 resolve read a prefix; what changed or went since is told',
  { skip },
  async () => {
    await using bench = await Workbench.create();
    const names = ['a/1.bin', 'a/2.bin', 'b/1.bin', 'b/2.bin'];
    for (const name of names) await azure().put(`photos/${name}`, Buffer.from(`bytes of ${name}`));
    const link = `az://${azure().container}/photos`;
    const resolved = await bench.run(
      ['resolve', link, '--log', 'debug', '--json'],
      azure().variables,
    );
    assert.equal(resolved.code, 0, resolved.stderr);
    for (const said of [resolved.stderr, resolved.stdout]) {
      assert.ok(!said.includes(AZURE_KEY) && !/sig=(?!\[)/.test(said), 'a secret was said');
    }
    await azure().put('photos/b/1.bin', Buffer.from('other of b/1.bin'));
    await azure().remove('photos/b/2.bin');
    Object.assign(process.env, azure().variables);
    const seen: string[] = [];
    const reading = load(link, {
      manifestStoreRoot: bench.path('manifests'),
      onSampleError: ({ location }, error) => {
        seen.push(`${error.code} ${location}`);
        return 'skip';
      },
    });
    for await (const batch of reading) {
      for (let index = 0; index < batch.sampleCount; index += 1) {
        seen.push(Buffer.from(batch.sample(index)).toString());
      }
    }
    assert.deepEqual(seen.sort(), [
      'bytes of a/1.bin',
      'bytes of a/2.bin',
      `sample_changed ${link}/b/1.bin`,
      `sample_missing ${link}/b/2.bin`,
    ]);
  },
);

test(
  'wrong, missing and expired credentials, and a container that is not there',
  { skip },
  async () => {
    await azure().put('private.bin', Buffer.from('private'));
    const location = `az://${azure().container}/private.bin`;
    const base = { AZURE_STORAGE_ACCOUNT: AZURE_ACCOUNT, AZURE_STORAGE_ENDPOINT: azure().url };
    await using right = openAzure({ ...base, AZURE_STORAGE_KEY: AZURE_KEY });
    assert.equal((await right.place.stat(location)).bytes, 7);
    const nowhere = 'az://no-such-box/private.bin';
    const list = async (prefix: string): Promise<void> => {
      for await (const _ of right.place.list(prefix));
    };
    await refused(right.place.stat(nowhere), 'object_missing', 'no container no-such-box');
    await refused(list('az://no-such-box/'), 'object_missing', 'no container no-such-box');
    await using wrong = openAzure({
      ...base,
      AZURE_STORAGE_KEY: Buffer.from('x').toString('base64'),
    });
    await refused(wrong.place.stat(location), 'object_denied', location, 'AuthorizationFailure');
    await using nobody = openAzure(base);
    await refused(nobody.place.stat(location), 'object_denied', location, 'AZURE_STORAGE_KEY');
    const signer = new SasSigner(AZURE_ACCOUNT, Buffer.from(AZURE_KEY, 'base64'));
    const hour = 3_600_000;
    const given = signer.sign(azure().container, false, Date.now());
    await using shared = openAzure({ ...base, AZURE_STORAGE_SAS_TOKEN: `?${given}` });
    assert.equal((await shared.place.stat(location)).bytes, 7);
    const past = new SasSigner(AZURE_ACCOUNT, Buffer.from(AZURE_KEY, 'base64'));
    const ended = past.sign(azure().container, false, Date.now() - 2 * hour);
    await using late = openAzure({ ...base, AZURE_STORAGE_SAS_TOKEN: ended });
    await refused(late.place.stat(location), 'object_denied', location, 'AuthorizationFailure');
  },
);

test('a listing goes from page to page by the marker that each gives', async () => {
  const blob = (name: string): string =>
    `<Blob><Name>${name}</Name><Properties><Content-Length>1</Content-Length></Properties></Blob>`;
  const page = (name: string, next: string): string =>
    answer(
      '200 OK',
      [],
      `<EnumerationResults><Blobs>${blob(name)}</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`,
    );
  await using store = await FaultStore.start((asked, socket) => {
    const isSecond = asked.target.includes('marker=two%26more');
    socket.write(isSecond ? page('f/b', '') : page('f/a', 'two&amp;more'));
  });
  await using opened = openAzure({ AZURE_STORAGE_ENDPOINT: store.url });
  const names: string[] = [];
  for await (const listed of opened.place.list('az://container/f/')) {
    names.push(...listed.map(({ location }) => location));
  }
  assert.deepEqual(names, ['az://container/f/a', 'az://container/f/b']);
  assert.ok(store.asked.every(({ target }) => target.includes('prefix=f%2F')));
});

test('a few folders with many blobs each are listed beside each other', async () => {
  const made = ['f/a/', 'f/b/'].flatMap((folder) =>
    Array.from({ length: 1_500 }, (_, index) => `${folder}${String(index).padStart(4, '0')}`),
  );
  const body = (names: readonly string[], folders: readonly string[], next: string): string => {
    const blobs = names.map(
      (name) =>
        `<Blob><Name>${name}</Name><Properties><Content-Length>1</Content-Length></Properties></Blob>`,
    );
    const prefixes = folders.map((name) => `<BlobPrefix><Name>${name}</Name></BlobPrefix>`);
    const inside = [...blobs, ...prefixes].join('');
    return answer(
      '200 OK',
      [],
      `<EnumerationResults><Blobs>${inside}</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`,
    );
  };
  await using store = await FaultStore.start((asked, socket) => {
    const query = new URL(asked.target, 'http://store').searchParams;
    const prefix = query.get('prefix') ?? '';
    if (query.get('delimiter') === '/') {
      socket.write(body([], ['f/a/', 'f/b/'], ''));
      return;
    }
    const at = Number(query.get('marker') ?? 0);
    const names = made.filter((name) => name.startsWith(prefix));
    const next = at + 1_000 < names.length ? String(at + 1_000) : '';
    socket.write(body(names.slice(at, at + 1_000), [], next));
  });
  await using opened = openAzure({ AZURE_STORAGE_ENDPOINT: store.url });
  const names: string[] = [];
  for await (const listed of opened.place.list('az://container/f/')) {
    names.push(...listed.map(({ location }) => location));
  }
  assert.deepEqual(
    names,
    made.map((name) => `az://container/${name}`),
  );
  const asked = store.asked.map(({ target }) => new URL(target, 'http://store').searchParams);
  assert.ok(
    asked.some((query) => query.get('prefix') === 'f/b/'),
    'by itself',
  );
});
