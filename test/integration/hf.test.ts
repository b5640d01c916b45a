/** Data sets of a Hugging Face Hub as a person uses them. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';

import { load } from '../../src/index.ts';
import { etagTag } from '../../src/core/transfer/etag-tag.ts';
import type { Place } from '../../src/ports/place.ts';
import { HfPlace } from '../../src/storage/hf/hf-place.ts';
import { RangeClient } from '../../src/storage/http/range-client.ts';
import { HF_TOKEN, HfHub } from '../support/hf-hub.ts';
import { Workbench } from '../support/mx8-process.ts';
import { refused } from '../support/place-faults.ts';
import { storeSetting } from '../support/store-setting.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const LARGE = Uint8Array.from({ length: 50_000 }, (_, index) => (index * 3) & 255);
const SMALL = Buffer.from('small');

interface Visit extends AsyncDisposable {
  readonly hub: HfHub;
  readonly ranges: RangeClient;
  readonly place: Place & HfPlace;
}

async function visit(
  variables: Record<string, string> = {},
  allowed: readonly string[] | null = null,
): Promise<Visit> {
  const hub = await HfHub.start();
  const ranges = new RangeClient(storeSetting());
  const options = { allowedOrigins: allowed ?? [hub.storageUrl] };
  const place = new HfPlace(ranges, options, { ...hub.variables, ...variables });
  return {
    hub,
    ranges,
    place,
    [Symbol.asyncDispose]: async () => {
      await place.close();
      ranges.close();
      await hub[Symbol.asyncDispose]();
    },
  };
}

async function read(place: Place, location: string, object: Uint8Array): Promise<void> {
  const { bytes, etag } = await place.stat(location);
  const into = new Uint8Array(bytes);
  const pins = { pinnedTag: etagTag(etag), pinnedBytes: bytes };
  await place.readRange(location, { start: 0, end: bytes, targets: [{ bytes, into }], ...pins });
  assert.equal(Buffer.compare(into, object), 0);
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

test('a branch is pinned to its commit: what is added or replaced later is not seen', async () => {
  await using bench = await Workbench.create();
  await using hub = await HfHub.start();
  const made = new Map<string, Uint8Array>([
    ['train/large.bin', LARGE],
    ['train/small.txt', SMALL],
  ]);
  for (const [path, bytes] of made) hub.put(path, bytes);
  const pinned = hub.main;
  const variables = { ...hub.variables, MX8_ALLOWED_ORIGINS: hub.storageUrl };
  const link = `hf://datasets/${hub.repository}/train`;
  // A cache is before the Hub, and lets what only the Hub knows through.
  const options = ['--log', 'debug', '--json', '--disk-cache', bench.path('cache')];
  const resolved = await bench.run(['resolve', link, ...options], variables);
  assert.equal(resolved.code, 0, resolved.stderr);
  hub.put('train/large.bin', LARGE.toReversed());
  hub.put('train/more.txt', SMALL);
  const seen = new Map<string, string>();
  const allowedOrigins = [hub.storageUrl];
  const stores = { http: { allowedOrigins } };
  Object.assign(process.env, hub.variables);
  for await (const batch of load(link, {
    manifestStoreRoot: bench.path('manifests'),
    stores,
  })) {
    for (let index = 0; index < batch.sampleCount; index += 1) {
      seen.set(batch.records[index]?.location ?? '', text(batch.sample(index)));
    }
  }
  const root = `hf://datasets/${hub.repository}@${pinned}`;
  const expected = [...made].map(([path, bytes]) => [`${root}/${path}`, text(bytes)] as const);
  assert.deepEqual(seen, new Map(expected));
  for (const said of [resolved.stderr, resolved.stdout]) {
    assert.ok(!said.includes(HF_TOKEN), 'the token was said');
  }
  // A file of samples is pinned like a folder.
  hub.put('rows.jsonl', Buffer.from('{"a":1}\n{"a":2}\n{"a":3}\n'));
  const rows = ['resolve', `hf://datasets/${hub.repository}/rows.jsonl`, '--json'];
  const { manifest_hash: hash } = JSON.parse((await bench.run(rows, variables)).stdout) as {
    manifest_hash: string;
  };
  const manifest = await readFile(bench.path('manifests', 'by-hash', hash), 'utf8');
  const pinnedRow = `\thf://datasets/${hub.repository}@${hub.main}/rows.jsonl\t`;
  assert.equal(manifest.split(pinnedRow).length, 4, manifest);
  const gone = await bench.run(['resolve', `${link}/none`], variables);
  assert.match(gone.stderr, /no object below hf:.*train\/none/);
});

test('a repository of more files than are sorted at once is listed folder by folder, in order', async () => {
  await using bench = await visit();
  const { hub, ranges } = bench;
  const paths = ['a', 'a-b/x', 'a.txt', 'b/1', 'b/2/deep/1', 'b/2/deep/2', 'b/2-1', 'b/é', 'z/1'];
  for (let at = 0; at < 1500; at += 1) paths.push(`many/${at % 40}/part-${at}.bin`);
  const files = new Map(paths.map((path) => [path, Buffer.from(path)]));
  const expected = paths.toSorted((one, other) =>
    Buffer.compare(Buffer.from(one), Buffer.from(other)),
  );
  const root = `hf://datasets/${hub.repository}/`;
  for (const subtreeFilesMax of [1, 30, 700, 5000]) {
    const limits = { subtreeFilesMax, folderEntriesMax: 100 };
    const place = new HfPlace(ranges, { allowedOrigins: [] }, hub.variables, limits);
    const listed = async (prefix: string, after?: string): Promise<string[]> => {
      const found: string[] = [];
      hub.commit(files);
      for await (const page of place.list(
        `${root}${prefix}`,
        after === undefined ? {} : { after: `${root}${after}` },
      )) {
        // What is added while it is listed is of another commit.
        if (found.length === 0) hub.put('b/new', SMALL);
        found.push(...page.map(({ location }) => location.slice(root.length)));
      }
      return found;
    };
    assert.deepEqual(await listed(''), expected);
    assert.deepEqual(await listed('b/2'), ['b/2-1', 'b/2/deep/1', 'b/2/deep/2']);
    assert.deepEqual(
      await listed('many/1'),
      expected.filter((path) => path.startsWith('many/1')),
    );
    for (const after of ['b/2/deep/1', 'many/7/part-7.bin', 'zzz']) {
      assert.deepEqual(
        await listed('', after),
        expected.filter((path) => Buffer.compare(Buffer.from(path), Buffer.from(after)) > 0),
      );
    }
    assert.deepEqual(await listed('none/'), []);
    await place.close();
  }
  assert.ok(hub.asked.every((request) => !request.includes('/tree/main')));
  assert.ok(hub.asked.some((request) => request.endsWith('/many/7')));
  const few = { subtreeFilesMax: 1, folderEntriesMax: 20 };
  const place = new HfPlace(ranges, { allowedOrigins: [] }, hub.variables, few);
  const list = async (): Promise<void> => {
    for await (const page of place.list(root)) assert.ok(page.length > 0);
  };
  await refused(
    list(),
    'scheme_unsupported',
    'The folder "many" of hf:',
    'more than 20 files and folders',
  );
  await place.close();
});

test('large files come from where the Hub redirects to, and again once that has expired', async () => {
  await using setting = await visit();
  const { hub, place } = setting;
  hub.put('a.bin', LARGE);
  hub.put('b.txt', SMALL);
  const root = `hf://datasets/${hub.repository}`;
  await read(place, `${root}/a.bin`, LARGE);
  await read(place, `${root}/b.txt`, SMALL);
  hub.expired += 1;
  const before = hub.asked.length;
  await read(place, `${root}/a.bin`, LARGE);
  assert.deepEqual(
    hub.asked.slice(before).map((asked) => asked.split('/')[0]),
    ['HEAD ', 'GET ', 'GET ', 'GET '],
  );
});

test('a redirect to a server that is not allowed is refused, and gets no token', async () => {
  await using setting = await visit({}, []);
  const { hub, place } = setting;
  hub.put('a.bin', LARGE);
  const location = `hf://datasets/${hub.repository}/a.bin`;
  await refused(read(place, location, LARGE), 'address_refused', location, hub.storageUrl);
  assert.ok(!hub.asked.some((asked) => asked.startsWith('GET /') && asked.split('/').length === 2));
});

test('without a token a private data set is refused with the way out', async () => {
  await using folder = await temporaryFolder();
  await using setting = await visit({ HF_TOKEN: '', HF_HOME: folder.path });
  const { hub, place } = setting;
  const location = `hf://datasets/${hub.repository}/a.bin`;
  await refused(place.stat(location), 'object_denied', location, 'HF_TOKEN is not set');
});

test('the token is read from the file that logging in leaves', async () => {
  await using folder = await temporaryFolder();
  await mkdir(folder.join('huggingface'));
  await writeFile(folder.join('huggingface', 'token'), `${HF_TOKEN}\n`);
  await using setting = await visit({ HF_TOKEN: '', XDG_CACHE_HOME: folder.path });
  const { hub, place } = setting;
  hub.put('b.txt', SMALL);
  await read(place, `hf://datasets/${hub.repository}/b.txt`, SMALL);
});

test('a token is not sent in the clear to another machine', async () => {
  await using setting = await visit({ HF_ENDPOINT: 'http://hub.example' });
  const location = 'hf://datasets/owner/photos/a.bin';
  await refused(setting.place.stat(location), 'flag_invalid', 'HF_ENDPOINT', 'in the clear');
});

test('a commit that was rewritten away is missing, and a branch that moved on is changed', async () => {
  await using setting = await visit();
  const { hub, place } = setting;
  hub.put('a.bin', LARGE);
  const branch = `hf://datasets/${hub.repository}@main/a.bin`;
  const pinned = await place.pin(branch);
  assert.equal(pinned, `hf://datasets/${hub.repository}@${hub.main}/a.bin`);
  const { bytes, etag } = await place.stat(branch);
  hub.put('a.bin', LARGE.toReversed());
  await read(place, pinned, LARGE);
  const into = new Uint8Array(bytes);
  const range = { start: 0, end: bytes, targets: [{ bytes, into }] };
  const pins = { pinnedTag: etagTag(etag), pinnedBytes: bytes };
  await refused(place.readRange(branch, { ...range, ...pins }), 'object_changed', branch);
  hub.forget(pinned.split('@')[1]?.split('/')[0] ?? '');
  hub.expired += 1;
  await refused(place.readRange(pinned, { ...range, ...pins }), 'object_missing', 'no revision');
});

test('what names no data set is refused with how to write one', async () => {
  await using setting = await visit();
  const { place } = setting;
  for (const location of [
    'hf://owner/model/weights.bin',
    'hf://spaces/owner/app/x',
    'hf://datasets/alone/',
    'hf://datasets/owner/../x/y@main/z',
  ]) {
    await refused(place.stat(location), 'link_invalid', location, 'hf://datasets/OWNER/NAME');
  }
  const up = 'hf://datasets/owner/photos/../../api/whoami';
  await refused(place.stat(up), 'link_invalid', up, '..');
  const refs = await place.pin(`hf://datasets/owner/photos@${'a'.repeat(40)}/x`);
  assert.equal(refs, `hf://datasets/owner/photos@${'a'.repeat(40)}/x`);
});
