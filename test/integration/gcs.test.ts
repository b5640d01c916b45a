/** Data sets on Google's storage as a person uses them, over fake-gcs-server; and tokens. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { load } from '../../src/index.ts';
import { FaultStore, answer, served } from '../support/fault-store.ts';
import { FAKE_GCS, GcsService, TokenServer } from '../support/gcs-service.ts';
import { Workbench } from '../support/mx8-process.ts';
import { openGcs } from '../support/open-place.ts';
import { refused } from '../support/place-faults.ts';
import { runningService } from '../support/running-service.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const skip = FAKE_GCS.missing;
const gcs = runningService(skip, () => GcsService.start());

test(
  'load() and mx8 resolve read a prefix; what changed or went since is told',
  { skip },
  async () => {
    await using bench = await Workbench.create();
    const names = ['a/1.bin', 'a/2.bin', 'b/1.bin', 'b/2.bin'];
    for (const name of names) await gcs().put(`photos/${name}`, Buffer.from(`bytes of ${name}`));
    const link = `gs://${gcs().bucket}/photos`;
    const resolved = await bench.run(['resolve', link], gcs().variables);
    assert.equal(resolved.code, 0, resolved.stderr);
    // The same size: only its generation is another.
    await gcs().put('photos/b/1.bin', Buffer.from('other of b/1.bin'));
    await gcs().remove('photos/b/2.bin');
    const seen: string[] = [];
    const reading = load(link, {
      manifestStoreRoot: bench.path('manifests'),
      stores: { gcs: { endpointUrl: gcs().url, anonymous: true } },
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

test('an object that is kept compressed is read as it is kept', async () => {
  const kept = gzipSync('text '.repeat(10_000));
  await using store = await FaultStore.start((asked, socket) => {
    const asIs = asked.headers.get('accept-encoding') === 'gzip';
    const plain = answer('200 OK', ['X-Goog-Generation: 1'], 'text '.repeat(10_000));
    socket.write(asIs ? served(asked, kept) : plain);
  });
  await using opened = openGcs({ STORAGE_EMULATOR_HOST: store.url });
  const into = new Uint8Array(kept.length);
  await opened.place.readRange('gs://bucket/text.gz', {
    start: 0,
    end: kept.length,
    targets: [{ bytes: kept.length, into }],
    pinnedTag: 0,
    pinnedBytes: kept.length,
  });
  assert.equal(Buffer.compare(into, kept), 0);
});

/** A bucket whose objects are for one token only. */
async function guarded(isRight: (token: string) => boolean): Promise<FaultStore> {
  return FaultStore.start((asked, socket) => {
    const token = asked.headers.get('authorization')?.replace('Bearer ', '') ?? '';
    const object = JSON.stringify({ name: 'x', size: '3', generation: '1' });
    const error = { error: { code: 401, message: 'Invalid Credentials' } };
    socket.write(
      isRight(token)
        ? answer('200 OK', [], object)
        : answer('401 Unauthorized', [], JSON.stringify(error)),
    );
  });
}

test('a service account signs for a token, which is fetched again before it ends and when it is refused', async () => {
  await using folder = await temporaryFolder();
  await using tokens = await TokenServer.start();
  let revoked = 0;
  await using store = await guarded((token) => Number(/^token-(\d+)-/.exec(token)?.[1]) > revoked);
  const path = folder.join('account.json');
  await writeFile(path, JSON.stringify(tokens.serviceAccount));
  const variables = { GOOGLE_APPLICATION_CREDENTIALS: path };
  await using opened = openGcs(variables, { endpointUrl: store.url });
  const { place, setting } = opened;
  await Promise.all(Array.from({ length: 8 }, () => place.stat('gs://bucket/x')));
  assert.equal(tokens.given, 1);
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  revoked = 1;
  await place.stat('gs://bucket/x');
  assert.equal(tokens.given, 2);
  assert.ok(setting.told.some(({ event }) => event === 'object_credentials_renewed'));
  assert.ok(!JSON.stringify(setting.told).includes('no-log-may-hold'));
  tokens.secondsToLive = 200;
  await using brief = openGcs(variables, { endpointUrl: store.url });
  await brief.place.stat('gs://bucket/x');
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  await brief.place.stat('gs://bucket/x');
  assert.equal(tokens.given, 4);
});

test('a login with gcloud, and the machine where that was allowed, give tokens too', async () => {
  await using folder = await temporaryFolder();
  await using tokens = await TokenServer.start();
  await using store = await guarded((token) => token.startsWith('token-'));
  const login = {
    type: 'authorized_user',
    client_id: 'id',
    client_secret: 'secret',
    refresh_token: 'right',
    token_uri: tokens.serviceAccount['token_uri'],
  };
  await writeFile(folder.join('application_default_credentials.json'), JSON.stringify(login));
  await using person = openGcs({ CLOUDSDK_CONFIG: folder.path }, { endpointUrl: store.url });
  assert.equal((await person.place.stat('gs://bucket/x')).bytes, 3);
  const nobody = { CLOUDSDK_CONFIG: folder.join('none'), GCE_METADATA_HOST: tokens.authority };
  await using refusing = openGcs(nobody, { endpointUrl: store.url });
  const words = ['--gs-machine-credentials', '--gs-anonymous'];
  await refused(refusing.place.stat('gs://bucket/x'), 'object_credentials_missing', ...words);
  assert.equal(tokens.given, 1);
  await using machine = openGcs(nobody, { endpointUrl: store.url, machineCredentials: true });
  assert.equal((await machine.place.stat('gs://bucket/x')).bytes, 3);
  await using anonymous = openGcs(nobody, { endpointUrl: store.url, anonymous: true });
  await refused(anonymous.place.stat('gs://bucket/x'), 'object_denied', 'Invalid Credentials');
});

test('credentials that cannot be used are refused with what is wrong, without a word of them', async () => {
  await using folder = await temporaryFolder();
  await using tokens = await TokenServer.start();
  await using store = await guarded(() => false);
  const right = tokens.serviceAccount;
  const wrong: readonly (readonly [string | object, string])[] = [
    ['secret-text', 'no JSON'],
    [{ ...right, type: 'external_account' }, 'external_account'],
    [{ ...right, private_key: 'secret-text' }, 'no RSA key'],
    [{ ...right, client_email: undefined }, 'no client_email'],
    [{ ...right, token_uri: 'nowhere' }, 'no URL'],
    [{ ...right, client_email: 'other@project.example' }, 'account not found'],
  ];
  const path = folder.join('account.json');
  for (const [content, word] of wrong) {
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
    await using opened = openGcs(
      { GOOGLE_APPLICATION_CREDENTIALS: path },
      { endpointUrl: store.url },
    );
    const asking = opened.place.stat('gs://bucket/x');
    await refused(asking, 'object_credentials_missing', word);
    await assert.rejects(asking, (error: Error) => !error.message.includes('secret-text'));
  }
  const metadata = { ...right, token_uri: 'http://169.254.169.254/token' };
  await writeFile(path, JSON.stringify(metadata));
  const variables = { GOOGLE_APPLICATION_CREDENTIALS: path };
  await using opened = openGcs(variables, { endpointUrl: store.url });
  await refused(opened.place.stat('gs://bucket/x'), 'address_refused', 'link-local');
  await using gone = openGcs({ GOOGLE_APPLICATION_CREDENTIALS: folder.join('none') });
  await refused(gone.place.stat('gs://bucket/x'), 'object_credentials_missing', 'ENOENT');
  await using clear = openGcs(variables, { endpointUrl: 'http://storage.example' });
  await refused(clear.place.stat('gs://bucket/x'), 'flag_invalid', '--gs-endpoint-url', 'clear');
});
