/** The package as somebody gets it: built, packed, installed into an empty project, used. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
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
const project = join(folder, 'project');
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

test('npx finds the command', () => {
  const ended = run('npx', ['--no-install', 'mx8', '--version']);
  assert.match(ended.stdout, /^mx8 \d+\.\d+\.\d+\n$/, ended.stderr);
});

test('the library is imported by its name', () => {
  const script = `import { load } from 'mx8';
    import { defineJob } from 'mx8/job';
    console.log(typeof load, typeof defineJob);`;
  const ended = run(process.execPath, ['--input-type=module', '-e', script]);
  assert.equal(ended.stdout, 'function function\n', ended.stderr);
});

function run(command: string, words: readonly string[]): { stdout: string; stderr: string } {
  const path = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
  return spawnSync(command, words, {
    cwd: project,
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  });
}
