/** Links that a program of somebody else resolves. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { test } from 'node:test';

import { load } from '../../src/index.ts';
import { OpenPlaces, STORE_DEFAULTS } from '../../src/storage/places.ts';
import type { ResolverOptions } from '../../src/storage/source-resolver.ts';
import { Workbench } from '../support/mx8-process.ts';
import { refused } from '../support/place-faults.ts';
import { storeSetting } from '../support/store-setting.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** With the ending of a format: what it means is not for us to say. */
const LINK = 'corp://warehouse/photos.jsonl';
const TOKEN = 'token-that-no-log-may-hold';

interface Asked {
  readonly method: string | undefined;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

interface Resolver extends AsyncDisposable {
  readonly url: string;
  readonly asked: Asked[];
}

type Answer = (response: ServerResponse, index: number) => void;

async function resolver(answer: Answer): Promise<Resolver> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      asked.push({ method: request.method, body, headers: request.headers });
      answer(response, asked.length - 1);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/v1/resolve`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function manifestOf(locations: readonly string[]): string {
  const lines = locations.map((location, id) => `${id}\t${location}\t\t\t`);
  return ['schema_version=0', ...lines, ''].join('\n');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function give(response: ServerResponse, text: string, hash: string = sha256(text)): void {
  response.setHeader('MX8-Manifest-Hash', hash);
  response.end(text);
}

async function ask(url: string, more: Partial<ResolverOptions> = {}): Promise<string> {
  const options = { ...STORE_DEFAULTS, resolver: { url, tokenFile: null, ...more } };
  await using places = new OpenPlaces(options, storeSetting());
  const chunks: Uint8Array[] = [];
  for await (const chunk of places.manifestOf(LINK) ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('a link of another scheme is resolved once, pinned, read, and resolved again on @refresh', async () => {
  await using bench = await Workbench.create();
  const folder = await bench.files('photos', 3);
  const manifest = manifestOf([0, 1, 2].map((index) => `${folder}/0000${index}.txt`));
  await writeFile(bench.path('token'), `${TOKEN}\n`);
  await using program = await resolver((response) => give(response, manifest));
  const variables = {
    MX8_SOURCE_RESOLVER_URL: program.url,
    MX8_SOURCE_RESOLVER_TOKEN_FILE: bench.path('token'),
    MX8_LOG: 'debug',
  };
  const first = await bench.run(['resolve', LINK, '--json'], variables);
  assert.equal(first.code, 0, first.stderr);
  const { manifest_hash: hash, samples } = JSON.parse(first.stdout) as Record<string, unknown>;
  assert.deepEqual([hash, samples], [sha256(manifest), 3]);
  const again = await bench.run(['resolve', LINK], variables);
  assert.equal(again.code, 0, again.stderr);
  const other = await bench.run(['resolve', LINK, '--format', 'jsonl'], variables);
  assert.match(other.stderr, /corp:.* leave --format jsonl away/);
  assert.equal(program.asked.length, 1);
  const seen: string[] = [];
  for await (const batch of load(`${LINK}@refresh`, {
    manifestStoreRoot: bench.path('manifests'),
    stores: { resolver: { url: program.url } },
  })) {
    for (let index = 0; index < batch.sampleCount; index += 1) {
      seen.push(Buffer.from(batch.sample(index)).toString().slice(0, 8));
    }
  }
  assert.deepEqual(seen, ['sample 0', 'sample 1', 'sample 2']);
  assert.deepEqual(
    program.asked.map(({ method, body }) => [method, body]),
    [
      ['POST', JSON.stringify({ link: LINK })],
      ['POST', JSON.stringify({ link: LINK })],
    ],
  );
  assert.equal(program.asked[0]?.headers.authorization, `Bearer ${TOKEN}`);
  assert.ok(![first.stderr, first.stdout].join('').includes(TOKEN), 'the token was said');
});

test('bytes that do not hash to what was announced are refused with both hashes, and pin nothing', async () => {
  await using bench = await Workbench.create();
  const manifest = manifestOf(['/a']);
  await using program = await resolver((response) => give(response, manifest, sha256('other')));
  const variables = { MX8_SOURCE_RESOLVER_URL: program.url };
  const ended = await bench.run(['resolve', LINK], variables);
  assert.notEqual(ended.code, 0);
  assert.match(ended.stderr, new RegExp(sha256(manifest)));
  assert.match(ended.stderr, new RegExp(sha256('other')));
  const kept = await readdir(bench.path('manifests'), { recursive: true });
  assert.ok(!kept.some((path) => /^(by-hash|intent)\/./.test(path)), kept.join(' '));
});

test('what is no canonical manifest is refused with the line', async () => {
  await using bench = await Workbench.create();
  await using program = await resolver((response) =>
    give(response, 'schema_version=0\n1\t/a\t\t\t\n'),
  );
  const ended = await bench.run(['resolve', LINK], { MX8_SOURCE_RESOLVER_URL: program.url });
  assert.notEqual(ended.code, 0);
  assert.match(ended.stderr, /resolver of corp:\/\/warehouse\/photos\.jsonl .*Line 2/);
});

test('answers that are none are refused, and what is only for a while is waited for', async () => {
  const refusals: readonly (readonly [Answer, Parameters<typeof refused>[1], string])[] = [
    [(response) => response.end(manifestOf(['/a'])), 'object_answer_invalid', 'mx8-manifest-hash'],
    [
      (response) => response.writeHead(404).end('no table photos'),
      'input_missing',
      'no table photos',
    ],
    [(response) => response.writeHead(403).end('not yours'), 'object_denied', 'not yours'],
    [(response) => response.writeHead(400).end('what?'), 'object_answer_invalid', 'what?'],
    [
      (response) => response.writeHead(307, { location: 'http://169.254.169.254/' }).end(),
      'address_refused',
      '169.254.169.254',
    ],
    [
      (response) => {
        response.writeHead(200, { 'mx8-manifest-hash': sha256('x'), 'content-length': 1000 });
        response.write('schema', () => response.destroy());
      },
      'object_store_unavailable',
      'broke off after 6 bytes',
    ],
    [(response) => response.writeHead(503).end('starting'), 'object_store_unavailable', 'starting'],
  ];
  for (const [answer, code, word] of refusals) {
    await using program = await resolver(answer);
    await refused(ask(program.url), code, LINK, word);
  }
  const manifest = manifestOf(['/a']);
  await using busy = await resolver((response, index) => {
    if (index < 3) response.writeHead(index === 0 ? 429 : 503).end();
    else give(response, manifest);
  });
  assert.equal(await ask(busy.url), manifest);
});

test('the address of the resolver is looked at like every other, and its token goes nowhere in the clear', async () => {
  await using folder = await temporaryFolder();
  const tokenFile = folder.join('token');
  await writeFile(tokenFile, TOKEN);
  await refused(ask('http://169.254.169.254/latest'), 'address_refused', 'link-local');
  await refused(ask('http://metadata.google.internal/x'), 'address_refused', 'metadata');
  await refused(ask('ftp://resolver.example'), 'flag_invalid', '--source-resolver-url');
  await refused(ask('http://resolver.example', { tokenFile }), 'flag_invalid', 'in the clear');
  await writeFile(tokenFile, 'two words');
  await refused(ask('http://127.0.0.1:9', { tokenFile }), 'flag_invalid', tokenFile, 'one token');
  await refused(
    ask('http://127.0.0.1:9', { tokenFile: folder.join('none') }),
    'flag_invalid',
    'ENOENT',
  );
});

test('without a resolver such a link is refused with how to name one', async () => {
  await using places = new OpenPlaces(STORE_DEFAULTS, storeSetting());
  assert.equal(places.manifestOf(LINK), null);
  assert.throws(() => places.of(LINK), /corp:.*--source-resolver-url/);
  const url = 'http://127.0.0.1:9';
  const options = { ...STORE_DEFAULTS, resolver: { url, tokenFile: null } };
  await using named = new OpenPlaces(options, storeSetting());
  assert.equal(named.manifestOf('s3://bucket/prefix'), null, 'a known scheme is nobody else’s');
});
