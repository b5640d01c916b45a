/** Whatever store a link is of, nothing is read from addresses that answer with the secrets of a machine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../../src/core/base/errors.ts';
import type { Place } from '../../src/ports/place.ts';
import { OpenPlaces, REMOTE_SCHEMES, STORE_DEFAULTS } from '../../src/storage/places.ts';
import { answer, FaultStore } from '../support/fault-store.ts';
import { storeSetting } from '../support/store-setting.ts';

const REFUSED = 'http://169.254.169.254';

/** An object of each kind of place, all of which ask the server at `url`. */
function placesAt(url: string): {
  readonly places: OpenPlaces;
  readonly objects: readonly string[];
} {
  const options = {
    ...STORE_DEFAULTS,
    s3: { ...STORE_DEFAULTS.s3, endpointUrl: url, anonymous: true, forcePathStyle: true },
    gcs: { ...STORE_DEFAULTS.gcs, endpointUrl: url, anonymous: true },
    azure: { ...STORE_DEFAULTS.azure, endpointUrl: `${url}/account` },
    http: { ...STORE_DEFAULTS.http, allowedOrigins: [REFUSED] },
  };
  const places = new OpenPlaces(options, { ...storeSetting(), variables: { HF_ENDPOINT: url } });
  const objects = [
    's3://bucket/object',
    'gs://bucket/object',
    'az://container/object',
    `hf://datasets/owner/name@${'0'.repeat(40)}/object`,
    `${url}/object`,
  ];
  return { places, objects };
}

async function errorOf(work: Promise<unknown>): Promise<Mx8Error> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Mx8Error, `it is refused: ${String(error)}`);
  return error;
}

function read(place: Place, location: string): Promise<unknown> {
  const targets = [{ bytes: 8, into: new Uint8Array(8) }];
  return place.readRange(location, { start: 0, end: 8, targets, pinnedTag: 0, pinnedBytes: -1 });
}

async function list(place: Place, location: string): Promise<void> {
  const prefix = location.slice(0, location.lastIndexOf('/') + 1);
  for await (const _ of place.list(prefix)) assert.fail('nothing is listed');
}

test('a server at a link-local address is asked for nothing, whatever kind of store it is said to be', async () => {
  const { places, objects } = placesAt(REFUSED);
  assert.equal(objects.length, REMOTE_SCHEMES.length - 1, 'http is https in the clear');
  for (const location of objects) {
    const work = async (): Promise<unknown> => read(places.of(location), location);
    const { code, message } = await errorOf(work());
    assert.equal(code, 'address_refused', `${location}: ${message}`);
    const stat = async (): Promise<unknown> => places.of(location).stat(location);
    assert.equal((await errorOf(stat())).code, 'address_refused', location);
  }
  await places.close();
});

test('no store redirects a reading, a head or a listing to such an address', async () => {
  for (const status of ['301 Moved Permanently', '302 Found', '307 Temporary Redirect']) {
    await using store = await FaultStore.start((_, socket) => {
      socket.write(answer(status, [`Location: ${REFUSED}/latest/meta-data/`]));
    });
    const { places, objects } = placesAt(store.url);
    for (const location of objects) {
      const place = places.of(location);
      for (const work of [read, list, (of: Place, at: string) => of.stat(at)]) {
        if (work === list && location.startsWith('http')) continue;
        const { code, message } = await errorOf(work(place, location));
        assert.equal(code, 'address_refused', `${status}, ${location}: ${message}`);
      }
    }
    await places.close();
  }
});
