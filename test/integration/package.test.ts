/** The package as somebody gets it: built, packed, installed into an empty project, used. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { SpawnSyncReturns } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';

import { ROOT } from '../support/tidy/sources.ts';

interface Manifest {
  readonly exports: Readonly<Record<string, string | { types: string; default: string }>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

const folder = mkdtempSync(join(tmpdir(), 'mx8-package-'));
// As people name folders: a path is no URL, and a shell may cut it.
const project = join(folder, 'Jörg’s 100% projects #1');
const installed = join(project, 'node_modules/mx8');
let manifest: Manifest;

before(() => {
  const built = join(folder, 'built');
  execFileSync(process.execPath, ['scripts/build-package.ts', '--out', built], { cwd: ROOT });
  execFileSync('npm', ['pack', '--pack-destination', folder, '--loglevel', 'error'], {
    cwd: built,
  });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', [
    '-xzf',
    join(folder, tarball ?? ''),
    '-C',
    installed,
    '--strip-components=1',
  ]);
  manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Manifest;
  // What a registry would deliver: the dependencies that the manifest names, and the link to the command.
  for (const name of Object.keys(manifest.dependencies)) {
    const link = join(project, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), link);
  }
  mkdirSync(join(project, 'node_modules/.bin'));
  symlinkSync('../mx8/bin/mx8.js', join(project, 'node_modules/.bin/mx8'));
  writeFileSync(join(project, 'package.json'), '{ "name": "user", "type": "module" }');
});

after(() => rmSync(folder, { recursive: true }));

test('the package holds no sources, no tests and nothing of the machine', () => {
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
  const sources = files.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));
  assert.deepEqual(sources, []);
  assert.deepEqual(
    files.filter((name) => name.includes('.test.')),
    [],
  );
  const texts = files.filter((name) => /\.(js|d\.ts|json)$/.test(name));
  const foreign = texts.filter((name) =>
    readFileSync(join(installed, name), 'utf8').includes(ROOT),
  );
  assert.deepEqual(foreign, []);
  assert.deepEqual(
    Object.keys(manifest).filter((field) => /dev|optional|scripts/i.test(field)),
    [],
  );
});

test('every door has code and types', () => {
  const targets = Object.values(manifest.exports).flatMap((target) =>
    typeof target === 'string' ? [target] : [target.types, target.default],
  );
  assert.deepEqual(
    targets.filter((target) => !existsSync(join(installed, target))),
    [],
  );
});

test('what the README links to is in the package', () => {
  const text = readFileSync(join(installed, 'README.md'), 'utf8');
  const links = Array.from(text.matchAll(/\]\(([^)#:]+)[^)]*\)/g), ([, to]) => to ?? '');
  assert(links.includes('docs/loader.md'));
  assert.deepEqual(
    links.filter((to) => !existsSync(join(installed, to))),
    [],
  );
});

test('npx finds the command', () => {
  const ended = run('npx', ['--no-install', 'mx8', '--version']);
  assert.match(ended.stdout, /^mx8 \d+\.\d+\.\d+\n$/, ended.stderr);
});

test('the library is imported by its name', () => {
  const script = `import { load } from 'mx8';
    import { defineJob } from 'mx8/job';
    import { loaderMetrics } from 'mx8/metrics';
    console.log(typeof load, typeof defineJob, typeof loaderMetrics);`;
  const ended = run(process.execPath, ['--input-type=module', '-e', script]);
  assert.equal(ended.stdout, 'function function function\n', ended.stderr);
});

test('a TypeScript project sees the types', () => {
  writeFileSync(
    join(project, 'reader.ts'),
    `import { load } from 'mx8';
     import { defineJob, jsonl } from 'mx8/job';
     export const job = defineJob({
       batch: 2,
       process: (batch) => Array.from(batch, (sample) => ({ name: sample.name })),
       output: jsonl(),
     });
     for await (const batch of load('docs', { batchSize: 2 })) {
       // @ts-expect-error: a batch has no such field, and the compiler knows it.
       console.log(batch.sampleIds, batch.noSuchField);
     }`,
  );
  const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')];
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024'];
  const libs = ['--lib', 'es2024,esnext.disposable,esnext.iterator'];
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const ended = run(process.execPath, [tsc, ...flags, ...libs, ...types, 'reader.ts']);
  assert.equal(ended.stdout, '');
  assert.equal(ended.status, 0);
});

test('a coordinator of the package serves the page with the code it was built with', async () => {
  const main = join(installed, 'bin/mx8.js');
  const words = ['coordinator', '--state', 'memory', '--bind', '127.0.0.1:0', '--json'];
  const child = spawn(process.execPath, [main, ...words, '--http-bind', '127.0.0.1:0'], {
    cwd: project,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const { url } = JSON.parse(line) as { readonly url: string };
    const page = await (await fetch(url)).text();
    assert.match(page, /<script type="module" src="page\/app\.js">/);
    for (const path of ['page/app.js', 'page/panels.js', 'view/format.js']) {
      const script = await fetch(url + path);
      assert.match(script.headers.get('content-type') ?? '', /^text\/javascript/);
      const text = await script.text();
      assert.doesNotMatch(text, /from '\.[^']*\.ts'|: string\b/, `${path} is plain JavaScript`);
    }
    assert.equal((await fetch(`${url}page/style.css`)).status, 200);
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
});

test('a job runs on the installed package, agents and workers included', () => {
  const docs = join(project, 'docs');
  mkdirSync(docs);
  for (const name of ['a', 'b', 'c']) writeFileSync(join(docs, `${name}.txt`), `text of ${name}`);
  const job = `import { defineJob, jsonl } from 'mx8/job';
    export default defineJob({
      batch: 2,
      process: (batch) => Array.from(batch, (sample) => ({ name: sample.name, text: sample.text() })),
      output: jsonl(),
    });`;
  writeFileSync(join(project, 'upper.job.ts'), job);
  const words = ['run', 'upper.job.ts', '--data', 'docs', '--out', 'out', '--ram-gb', '1.5'];
  const ended = run('npx', ['--no-install', 'mx8', ...words, '--manifest-store', 'manifests']);
  assert.equal(ended.status, 0, ended.stderr);
  const parts = readdirSync(join(project, 'out')).filter((name) => name.endsWith('.jsonl'));
  const rows = parts.flatMap((name) =>
    readFileSync(join(project, 'out', name), 'utf8')
      .trim()
      .split('\n'),
  );
  assert.deepEqual(
    rows.sort(),
    ['a', 'b', 'c'].map((name) => `{"name":"${name}.txt","text":"text of ${name}"}`),
  );
});

function run(command: string, words: readonly string[]): SpawnSyncReturns<string> {
  const path = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
  return spawnSync(command, words, {
    cwd: project,
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  });
}
