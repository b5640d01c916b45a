/**
 * Builds the folder that is published: `node scripts/build-package.ts [--out DIR]`, by default `dist/`.
 *
 * A checkout runs from its TypeScript sources; Node does not strip types below `node_modules`, so the
 * package carries JavaScript and declarations, in the same folders. `bin/mx8.js` is the same file.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { packageReadme } from './package-readme.ts';

const root = join(import.meta.dirname, '..');

/** What a package adds to the compiled sources. */
const ALONGSIDE = ['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'bin', 'docs', 'ops'];

interface Manifest {
  readonly exports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

const { values } = parseArgs({ options: { out: { type: 'string', default: 'dist' } } });
const out = resolve(root, values.out);

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
compile();
copyAssets();
writeReadme();
writeManifest();
process.stdout.write(`${out}\n`);

function compile(): void {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const project = join(root, 'tsconfig.build.json');
  execFileSync(process.execPath, [tsc, '-p', project, '--outDir', out], { stdio: 'inherit' });
  // The page knows a browser's globals and not Node's, so it is a program of its own.
  const page = ['-p', join(root, 'src/page'), '--noEmit', 'false'];
  const pageOut = ['--rootDir', root, '--outDir', out];
  execFileSync(process.execPath, [tsc, ...page, ...pageOut], { stdio: 'inherit' });
  // The compiler rewrites the extensions of imports in JavaScript; the rest is ours.
  for (const file of globSync('src/**/*.js', { cwd: out })) {
    rewrite(file, /(new URL\((['"`])\.[^'"`]*)\.ts(\2, import\.meta\.url\))/g, '$1.js$3');
  }
  for (const file of globSync('src/**/*.d.ts', { cwd: out })) {
    rewrite(file, /((?:from |import\(|import )(['"])\.{1,2}\/[^'"]*)\.ts(\2)/g, '$1.js$3');
  }
}

function rewrite(file: string, pattern: RegExp, replacement: string): void {
  const path = join(out, file);
  const before = readFileSync(path, 'utf8');
  const after = before.replace(pattern, replacement);
  if (after !== before) writeFileSync(path, after);
}

/** Everything below `src/` that is no code, such as the protobuf contracts, and what stands beside it. */
function copyAssets(): void {
  const assets = globSync('src/**/*', { cwd: root, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.ts$|^tsconfig\.json$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  for (const from of [...assets, ...ALONGSIDE.map((name) => join(root, name))]) {
    const to = join(out, from.slice(root.length + 1));
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, to, { recursive: true });
  }
}

function writeReadme(): void {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  writeFileSync(join(out, 'README.md'), packageReadme(readme));
}

function writeManifest(): void {
  const source = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
  const kept = ['name', 'version', 'description', 'license', 'type', 'bin', 'dependencies'];
  const manifest = {
    ...Object.fromEntries(kept.map((field) => [field, source[field]])),
    engines: { node: '>=24' },
    exports: Object.fromEntries(
      Object.entries(source.exports).map(([door, target]) => [door, compiledTarget(target)]),
    ),
  };
  writeFileSync(join(out, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

function compiledTarget(target: string): string | { types: string; default: string } {
  if (!target.endsWith('.ts')) return target;
  const base = target.slice(0, -'.ts'.length);
  return { types: `${base}.d.ts`, default: `${base}.js` };
}
