import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../../core/base/errors.ts';
import { parseBlobPage } from './azure-answers.ts';
import { SasSigner } from './azure-sas.ts';
import { AZURE_DEFAULTS, azureSettings } from './azure-settings.ts';
import { parseAzureLocation } from './azure-location.ts';

const KEY = Buffer.from('some key').toString('base64');

test('the account, its server and its credentials are found as Azure’s tools find them', () => {
  const connection = `DefaultEndpointsProtocol=https;AccountName=photos;AccountKey=${KEY};EndpointSuffix=core.chinacloudapi.cn`;
  const given: readonly (readonly [Record<string, string>, string, string])[] = [
    [{ AZURE_STORAGE_ACCOUNT: 'photos' }, 'https://photos.blob.core.windows.net/', 'anonymous'],
    [
      { AZURE_STORAGE_ACCOUNT: 'photos', AZURE_STORAGE_KEY: KEY },
      'https://photos.blob.core.windows.net/',
      'key',
    ],
    [
      { AZURE_STORAGE_ACCOUNT: 'photos', AZURE_STORAGE_SAS_TOKEN: '?sv=1&sig=x%3D' },
      'https://photos.blob.core.windows.net/',
      'sas',
    ],
    [
      { AZURE_STORAGE_CONNECTION_STRING: connection },
      'https://photos.blob.core.chinacloudapi.cn/',
      'key',
    ],
    [
      { AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true' },
      'http://127.0.0.1:10000/devstoreaccount1',
      'key',
    ],
    [
      {
        AZURE_STORAGE_CONNECTION_STRING:
          'BlobEndpoint=https://photos.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=x',
      },
      'https://photos.blob.core.windows.net/',
      'sas',
    ],
  ];
  for (const [variables, href, type] of given) {
    const settings = azureSettings(AZURE_DEFAULTS, variables);
    assert.equal(settings.endpoint.href, href);
    assert.equal(settings.credential.type, type);
    if (settings.credential.type === 'sas') assert.ok(settings.credential.sas.startsWith('sv=1'));
    assert.match(settings.account, /^(photos|devstoreaccount1)$/);
  }
});

test('settings that cannot be meant are refused by name, without the secret in them', () => {
  const secret = 'no+base64 at all';
  const wrong: readonly (readonly [Record<string, string>, string, RegExp])[] = [
    [{}, 'object_credentials_missing', /AZURE_STORAGE_ACCOUNT/],
    [{ AZURE_STORAGE_ACCOUNT: 'a.b' }, 'flag_invalid', /account/],
    [{ AZURE_STORAGE_ACCOUNT: 'abc', AZURE_STORAGE_KEY: secret }, 'flag_invalid', /Base64/],
    [{ AZURE_STORAGE_ACCOUNT: 'abc', AZURE_STORAGE_SAS_TOKEN: secret }, 'flag_invalid', /sig=/],
    [{ AZURE_STORAGE_CONNECTION_STRING: secret }, 'flag_invalid', /NAME=VALUE/],
    [
      { AZURE_STORAGE_ENDPOINT: 'http://blobs.example', AZURE_STORAGE_SAS_TOKEN: 'sig=x' },
      'flag_invalid',
      /in the clear/,
    ],
  ];
  for (const [variables, code, text] of wrong) {
    assert.throws(
      () => azureSettings(AZURE_DEFAULTS, variables),
      (error: unknown) => {
        assert.ok(error instanceof Mx8Error);
        assert.equal(error.code, code, error.message);
        assert.match(error.message, text);
        assert.ok(!error.message.includes(secret));
        return true;
      },
    );
  }
});

test('one signature serves a container until a quarter of an hour before it ends', () => {
  const signer = new SasSigner('photos', Buffer.from('key'));
  const start = 1_800_000_000_000;
  const minute = 60_000;
  const first = signer.sign('one', true, start);
  assert.equal(new URLSearchParams(first).get('se'), '2027-01-15T09:00:00Z');
  assert.equal(signer.sign('one', true, start + 44 * minute), first);
  assert.notEqual(signer.sign('one', true, start + 46 * minute), first);
  assert.notEqual(signer.sign('two', true, start), first);
});

test('pages of listings are read as they are: encoded names, folders, and what is none', () => {
  const blob = (name: string, more = ''): string =>
    `<Blob>${name}<Properties><Content-Length>5</Content-Length><Etag>0x8D</Etag>${more}</Properties></Blob>`;
  const page = (inside: string, next = ''): string =>
    `<?xml version="1.0"?><EnumerationResults><Blobs>${inside}</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`;
  const blobs = [
    blob('<Name>a &amp; b</Name>'),
    blob('<Name Encoded="true">c%EF%BF%BF</Name>'),
    blob('<Name>folder</Name>', '<ResourceType>directory</ResourceType>'),
  ];
  assert.deepEqual(parseBlobPage(page(blobs.join(''), 'more')), {
    objects: [
      { key: 'a & b', bytes: 5, etag: '0x8D' },
      { key: 'c\uffff', bytes: 5, etag: '0x8D' },
    ],
    next: 'more',
  });
  assert.deepEqual(parseBlobPage('<EnumerationResults><Blobs /><NextMarker />'), {
    objects: [],
    next: null,
  });
  assert.match(JSON.stringify(parseBlobPage('<html>')), /no listing/);
  assert.match(JSON.stringify(parseBlobPage(page(blob('')))), /name or size/);
  assert.match(
    JSON.stringify(parseBlobPage(page(blob('<Name Encoded="true">%E</Name>')))),
    /name or size/,
  );
});

test('what names no container is refused with how to write one', () => {
  assert.deepEqual(parseAzureLocation('az://box-1/a/b?c'), { container: 'box-1', blob: 'a/b?c' });
  for (const location of ['az://', 'az://A/b', 'az://a_b/c', 'az://ac..ount/x']) {
    assert.throws(() => parseAzureLocation(location), /az:\/\/CONTAINER\/PATH/);
  }
});
