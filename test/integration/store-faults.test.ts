import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../../src/core/base/errors.ts';
import type { ErrorCode } from '../../src/core/base/errors.ts';
import { etagTag } from '../../src/core/transfer/etag-tag.ts';
import type { ObjectStat, Place } from '../../src/ports/place.ts';
import { HTTP_DEFAULTS, HttpPlace } from '../../src/storage/http/http-place.ts';
import { guardedLookup } from '../../src/storage/http/origin.ts';
import { RangeClient } from '../../src/storage/http/range-client.ts';
import type { Credentials, CredentialSource } from '../../src/storage/s3/credentials.ts';
import { S3_DEFAULTS } from '../../src/storage/s3/s3-options.ts';
import { S3Place } from '../../src/storage/s3/s3-place.ts';
import { S3Session } from '../../src/storage/s3/s3-session.ts';
import { FaultStore, answer, s3Error, served } from '../support/fault-store.ts';
import type { Script } from '../support/fault-store.ts';
import { storeSetting } from '../support/store-setting.ts';
import type { StoreSetting } from '../support/store-setting.ts';

const OBJECT = Uint8Array.from({ length: 500_000 }, (_, index) => (index * 7) & 255);
const LOCATION = 's3://bucket/folder/object.bin';
const SECRET = 'secret-that-no-log-may-hold';

class Bench implements AsyncDisposable {
  readonly store: FaultStore;
  readonly setting: StoreSetting;
  readonly place: Place;
  readonly http: Place;
  readonly #ranges: RangeClient;

  private constructor(
    store: FaultStore,
    setting: StoreSetting,
    sources: readonly CredentialSource[],
  ) {
    this.store = store;
    this.setting = setting;
    this.#ranges = new RangeClient(setting);
    const options = { ...S3_DEFAULTS, endpointUrl: store.url, region: 'us-east-1' };
    this.place = new S3Place(this.#ranges, new S3Session(options, setting, sources));
    this.http = new HttpPlace(this.#ranges);
  }

  static async start(
    script: Script,
    sources?: readonly CredentialSource[],
    setting?: StoreSetting,
  ): Promise<Bench> {
    const fixed = async (): Promise<Credentials> => ({
      accessKeyId: 'key',
      secretAccessKey: SECRET,
    });
    const store = await FaultStore.start(script);
    return new Bench(store, setting ?? storeSetting(), sources ?? [fixed]);
  }

  async read(
    into = new Uint8Array(OBJECT.length),
    pins: { tag?: number; bytes?: number } = {},
  ): Promise<ObjectStat> {
    const stat = await this.place.readRange(LOCATION, {
      start: 0,
      end: into.length,
      targets: [{ bytes: into.length, into }],
      pinnedTag: pins.tag ?? 0,
      pinnedBytes: pins.bytes ?? -1,
    });
    assert.equal(
      Buffer.compare(into, OBJECT.subarray(0, into.length)),
      0,
      'the bytes are those of the object',
    );
    return stat;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.place.close();
    await this.http.close();
    this.#ranges.close();
    await this.store[Symbol.asyncDispose]();
    assert.ok(!JSON.stringify(this.setting.told).includes(SECRET), 'no secret is told');
  }
}

async function refused(
  work: Promise<unknown>,
  code: ErrorCode,
  ...words: readonly string[]
): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof Mx8Error, String(error));
    assert.equal(error.code, code, error.message);
    for (const word of words)
      assert.ok(error.message.includes(word), `${word} in: ${error.message}`);
    assert.ok(!error.message.includes(SECRET));
    return true;
  });
}

test('a body that breaks off is gone on with at the byte where it broke', async () => {
  const cuts = [130_000, 1, 200_000];
  await using bench = await Bench.start((asked, socket) => {
    const bytes = served(asked, OBJECT);
    const cut = cuts[asked.index];
    if (cut === undefined) socket.write(bytes);
    else socket.end(bytes.subarray(0, bytes.length - (asked.end - asked.start) + cut));
  });
  await bench.read();
  assert.deepEqual(
    bench.store.asked.map(({ start }) => start),
    [0, 130_000, 130_001, 330_001],
  );
});

test('a reset in the middle of a body costs only what was under way', async () => {
  await using bench = await Bench.start((asked, socket) => {
    if (asked.index > 0) socket.write(served(asked, OBJECT));
    else
      socket.write(served(asked, OBJECT).subarray(0, 150_000), () =>
        setTimeout(() => socket.resetAndDestroy(), 30),
      );
  });
  await bench.read();
  assert.equal(bench.store.asked.length, 2);
  assert.ok((bench.store.asked[1]?.start ?? 0) > 0);
});

test('bytes that drip are given up and asked for again', async () => {
  await using bench = await Bench.start(async (asked, socket) => {
    const bytes = served(asked, OBJECT);
    if (asked.index > 0) {
      socket.write(bytes);
      return;
    }
    for (let at = 0; at < bytes.length && !socket.destroyed; at += 1) {
      socket.write(bytes.subarray(at, at + 1));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
  await bench.read();
  assert.equal(bench.store.asked.length, 2);
  assert.ok(
    bench.setting.told.some(
      ({ event, fields }) => event === 'store_retry' && /brought only/.test(String(fields['why'])),
    ),
  );
});

test('an answer that never begins is given up and asked for again', async () => {
  await using bench = await Bench.start((asked, socket) => {
    if (asked.index > 0) socket.write(served(asked, OBJECT));
  });
  await bench.read();
  assert.equal(bench.store.asked.length, 2);
});

test('a late answer is asked for a second time, and the first to begin is taken', async () => {
  const lateMs = 3_000;
  await using bench = await Bench.start((asked, socket) => {
    if (asked.index !== 40) socket.write(served(asked, OBJECT));
    else setTimeout(() => socket.write(served(asked, OBJECT.toReversed())), lateMs);
  });
  for (let read = 0; read < 40; read += 1) await bench.read(new Uint8Array(1000));
  const startMs = performance.now();
  await bench.read();
  assert.ok(performance.now() - startMs < lateMs / 2);
  assert.equal(bench.store.asked.length, 42);
  assert.deepEqual(bench.setting.told, []);
});

test('a connection that was closed while it idled costs no patience', async () => {
  await using bench = await Bench.start((asked, socket) => {
    socket.write(served(asked, OBJECT), () => setTimeout(() => socket.destroy(), 20));
  });
  for (let read = 0; read < 3; read += 1) {
    await bench.read(new Uint8Array(1000));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(bench.setting.told, []);
});

test('throttling is waited out, at least for as long as the store asks', async () => {
  const times: number[] = [];
  await using bench = await Bench.start((asked, socket) => {
    times.push(performance.now());
    if (asked.index === 0)
      socket.write(s3Error('503 Slow Down', 'SlowDown', '', ['Retry-After: 1']));
    else if (asked.index < 4) socket.write(answer('429 Too Many Requests'));
    else socket.write(served(asked, OBJECT));
  });
  await bench.read();
  assert.equal(times.length, 5);
  assert.ok((times[1] ?? 0) - (times[0] ?? 0) >= 990, 'Retry-After is kept to');
});

test('a store that throttles for good is told of with object, offset and reason when patience ends', async () => {
  await using bench = await Bench.start((asked, socket) => {
    if (asked.index === 0) socket.end(served(asked, OBJECT).subarray(0, 100_000));
    else socket.write(s3Error('503 Slow Down', 'SlowDown'));
  });
  await refused(bench.read(), 'object_store_unavailable', LOCATION, 'byte 99', 'SlowDown');
  assert.ok(bench.store.asked.length > 20, 'it was not given up after a few tries');
});

test('a range that is answered with the whole object is refused, unless the whole was asked for', async () => {
  await using bench = await Bench.start((asked, socket) => {
    socket.write(served({ ...asked, start: 0, end: Infinity }, OBJECT));
  });
  await refused(
    bench.read(new Uint8Array(1000)),
    'object_answer_invalid',
    LOCATION,
    'knows no ranges',
  );
  await bench.read();
});

test('answers about other bytes, with a wrong length or without one are refused', async () => {
  const heads = [
    ['Content-Length: 1000', 'Content-Range: bytes 1-1000/500000'],
    ['Content-Length: 1001', 'Content-Range: bytes 0-999/500000'],
    ['Content-Range: bytes 0-999/500000'],
    ['Content-Length: 1000'],
    ['Content-Length: 1000', 'Content-Length: 2000', 'Content-Range: bytes 0-999/500000'],
    ['Transfer-Encoding: chunked', 'Content-Range: bytes 0-999/500000'],
  ];
  for (const head of heads) {
    await using bench = await Bench.start((_, socket) => {
      socket.write(
        `HTTP/1.1 206 Partial Content\r\n${head.join('\r\n')}\r\n\r\n${'x'.repeat(1001)}`,
      );
    });
    await refused(bench.read(new Uint8Array(1000)), 'object_answer_invalid', LOCATION);
  }
});

test('more bytes than were announced are refused, and so is what is no HTTP', async () => {
  for (const bytes of ['more', 'SSH-2.0-OpenSSH_9.6\r\n\r\n']) {
    await using bench = await Bench.start((asked, socket) => {
      socket.write(
        bytes === 'more' ? Buffer.concat([served(asked, OBJECT), Buffer.from('more')]) : bytes,
      );
    });
    await refused(bench.read(new Uint8Array(1000)), 'object_answer_invalid', LOCATION);
  }
});

test('an object that is replaced between two parts of a range is never mixed', async () => {
  await using bench = await Bench.start((asked, socket) => {
    if (asked.index === 0) socket.end(served(asked, OBJECT, 'one').subarray(0, 200_000));
    else socket.write(served(asked, OBJECT, 'two'));
  });
  await refused(bench.read(), 'object_changed', LOCATION, 'while it was read');
});

test('an object with another ETag or size than when it was pinned is refused before a byte is taken', async () => {
  await using bench = await Bench.start(
    (asked, socket) => void socket.write(served(asked, OBJECT, 'two')),
  );
  const into = new Uint8Array(OBJECT.length);
  await refused(bench.read(into, { tag: etagTag('one') }), 'object_changed', LOCATION, 'ETag');
  await refused(
    bench.read(into, { bytes: 500_001 }),
    'object_changed',
    LOCATION,
    '500000',
    '500001',
  );
  assert.ok(into.every((byte) => byte === 0));
  await bench.read(into, { tag: etagTag('two'), bytes: 500_000 });
});

test('one object that is denied or gone is told by its name, at once', async () => {
  const codes = ['403 Forbidden', '404 Not Found'];
  await using bench = await Bench.start((asked, socket) => {
    socket.write(
      s3Error(codes[asked.index] ?? '', asked.index === 0 ? 'AccessDenied' : 'NoSuchKey'),
    );
  });
  await refused(bench.read(), 'object_denied', LOCATION, 'AccessDenied');
  await refused(bench.read(), 'object_missing', LOCATION, 'NoSuchKey');
  assert.equal(bench.store.asked.length, 2);
});

test('a bucket elsewhere is found by what the store says, once for all its objects', async () => {
  const answers = [
    s3Error('301 Moved Permanently', 'PermanentRedirect', '', [
      'x-amz-bucket-region: eu-central-1',
    ]),
    s3Error('400 Bad Request', 'AuthorizationHeaderMalformed', '<Region>ap-south-1</Region>'),
  ];
  for (const wrong of answers) {
    await using bench = await Bench.start((asked, socket) => {
      const isRight = !asked.headers.get('authorization')?.includes('/us-east-1/');
      socket.write(isRight ? served(asked, OBJECT) : wrong);
    });
    await bench.read();
    await bench.read(new Uint8Array(10));
    assert.equal(bench.store.asked.length, 3);
  }
});

test('a bucket that is sent around in circles ends as unavailable, not in a storm of requests', async () => {
  await using bench = await Bench.start((asked, socket) => {
    const isThere = asked.headers.get('authorization')?.includes('/eu-west-1/') === true;
    const other = isThere ? 'us-east-1' : 'eu-west-1';
    socket.write(
      s3Error('400 Bad Request', 'AuthorizationHeaderMalformed', `<Region>${other}</Region>`),
    );
  });
  await refused(bench.read(), 'object_store_unavailable', LOCATION, 'the bucket is in');
  assert.ok(bench.store.asked.length < 200, String(bench.store.asked.length));
});

test('credentials that expire in mid-run are fetched again', async () => {
  let made = 0;
  const rotating = async (): Promise<Credentials> => {
    made += 1;
    return {
      accessKeyId: `key${made}`,
      secretAccessKey: SECRET,
      sessionToken: `token-${SECRET}-${made}`,
    };
  };
  const setting = storeSetting({ retry: { baseMs: 50, maxMs: 200, budgetMs: 5_000 } });
  await using bench = await Bench.start(
    (asked, socket) => {
      const isOld = asked.headers.get('authorization')?.includes('Credential=key1/') === true;
      const isExpired = isOld && asked.index > 0;
      socket.write(isExpired ? s3Error('400 Bad Request', 'ExpiredToken') : served(asked, OBJECT));
    },
    [rotating],
    setting,
  );
  await bench.read();
  // Whoever is refused at first waits a moment, as the sources are not asked again and again.
  await Promise.all(Array.from({ length: 8 }, () => bench.read()));
  assert.equal(made, 2);
  assert.ok(setting.told.some(({ event }) => event === 'object_credentials_renewed'));
});

test('credentials that are refused and stay the same are told of', async () => {
  await using bench = await Bench.start(
    (_, socket) => void socket.write(s3Error('403 Forbidden', 'InvalidAccessKeyId')),
  );
  await refused(bench.read(), 'object_denied', LOCATION, 'InvalidAccessKeyId', 'the same');
});

test('without credentials nothing is asked for', async () => {
  const none = async (): Promise<Credentials> => {
    throw new Error('none are set.');
  };
  await using bench = await Bench.start(
    (asked, socket) => void socket.write(served(asked, OBJECT)),
    [none],
  );
  await refused(bench.read(), 'object_credentials_missing', 'none are set');
  assert.equal(bench.store.asked.length, 0);
});

test('a listing that lies is refused with what it said', async () => {
  const page = (keys: readonly string[], more = '<IsTruncated>false</IsTruncated>'): string =>
    answer(
      '200 OK',
      [],
      `<ListBucketResult>${more}${keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join('')}</ListBucketResult>`,
    );
  const truncated = '<IsTruncated>true</IsTruncated>';
  const token = `${truncated}<NextContinuationToken>same</NextContinuationToken>`;
  const lies: readonly (readonly [string, string])[] = [
    [page(['folder/b', 'folder/a']), 'byte order'],
    [page(['folder/a', 'folder/a']), 'byte order'],
    [page(['elsewhere/a']), 'elsewhere/a'],
    [page(['folder/a'], truncated), 'does not say where'],
    [page([], token), 'again and again'],
    [answer('200 OK', [], '<html>Welcome</html>'), 'no listing'],
    [
      page(['folder/a'])
        .replace('<Size>1</Size>', '<Size>-1</Size>')
        .replace('Content-Length: ', 'Content-Length:  '),
      'size',
    ],
  ];
  for (const [text, word] of lies) {
    await using bench = await Bench.start(
      (_, socket) => void socket.end(text.replace(/Content-Length: +\d+/, 'Connection: close')),
    );
    const listing = async (): Promise<void> => {
      for await (const _ of bench.place.list('s3://bucket/folder/'));
    };
    await refused(listing(), 'object_answer_invalid', 's3://bucket/folder/', word);
  }
});

test('a create whose answer was lost is not taken for somebody else’s object', async () => {
  let there: Buffer | null = null;
  await using bench = await Bench.start((asked, socket) => {
    const bytes = Buffer.from('mine');
    if (asked.method === 'PUT' && there === null) {
      there = bytes;
      socket.destroy();
    } else if (asked.method === 'PUT')
      socket.write(s3Error('412 Precondition Failed', 'PreconditionFailed'));
    else socket.write(served(asked, bytes));
  });
  const stat = await bench.place.write(LOCATION, Buffer.from('mine'), { type: 'create' });
  assert.equal(stat.etag, 'one');
  await refused(
    bench.place.write(LOCATION, Buffer.from('other'), { type: 'create' }),
    'object_exists',
    LOCATION,
  );
});

test('a redirect is followed on the same server only, with a limit, and never to where secrets are', async () => {
  await using other = await FaultStore.start(
    (asked, socket) => void socket.write(served(asked, OBJECT)),
  );
  await using bench = await Bench.start((asked, socket) => {
    const to: Record<string, string> = {
      '/moved': '/object?sig=hidden',
      '/away': `${other.url}/object`,
      '/metadata': 'http://169.254.169.254/latest/meta-data/',
      '/loop': '/loop',
    };
    const location = to[asked.target];
    socket.write(
      location === undefined
        ? served(asked, OBJECT)
        : answer('302 Found', [`Location: ${location}`]),
    );
  });
  const { url } = bench.store;
  assert.equal((await bench.http.stat(`${url}/moved`)).bytes, OBJECT.length);
  await refused(
    bench.http.stat(`${url}/away`),
    'address_refused',
    `${url}/away`,
    '--allowed-origins',
  );
  await refused(bench.http.stat(`${url}/metadata`), 'address_refused', '169.254.169.254');
  await refused(bench.http.stat(`${url}/loop`), 'address_refused', '/loop');
  await refused(bench.http.stat('http://169.254.169.254/latest/'), 'address_refused', 'link-local');
  await refused(bench.http.stat('http://[::ffff:a9fe:a9fe]/'), 'address_refused', 'link-local');
  // As a name would lead there: what was looked up is judged, and nothing is connected to.
  const looked = new Promise((resolve) => guardedLookup('169.254.169.254', {}, resolve));
  assert.ok((await looked) instanceof Mx8Error);
  assert.equal(other.asked.length, 0);
  const ranges = new RangeClient(storeSetting());
  const allowing = new HttpPlace(ranges, {
    ...HTTP_DEFAULTS,
    allowedOrigins: [other.url, 'http://169.254.169.254'],
  });
  assert.equal((await allowing.stat(`${url}/away`)).bytes, OBJECT.length);
  await refused(allowing.stat(`${url}/metadata`), 'address_refused', 'link-local');
  await allowing.close();
  ranges.close();
});

test('many ranges of an object that was moved are each redirected once', async () => {
  await using bench = await Bench.start((asked, socket) => {
    const isMoved = asked.target === '/moved';
    socket.write(isMoved ? answer('302 Found', ['Location: /object']) : served(asked, OBJECT));
  });
  const into = new Uint8Array(OBJECT.length);
  const bytes = 10_000;
  const location = `${bench.store.url}/moved`;
  const pins = { pinnedTag: 0, pinnedBytes: -1 };
  await Promise.all(
    Array.from({ length: OBJECT.length / bytes }, (_, index) => {
      const [start, end] = [index * bytes, (index + 1) * bytes];
      const targets = [{ bytes, into: into.subarray(start, end) }];
      return bench.http.readRange(location, { start, end, targets, ...pins });
    }),
  );
  assert.equal(Buffer.compare(into, OBJECT), 0);
});
