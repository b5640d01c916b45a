/** The files of the repository as the house rules see them: text, room, imports and syntax tree. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'acorn';

import type { SyntaxNode } from './syntax.ts';

export const ROOT: string = join(dirname(fileURLToPath(import.meta.url)), '../../..');

export interface Source {
  /** From the root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly isTest: boolean;
}

/** Every file that is committed or about to be. */
export function repositoryFiles(): readonly string[] {
  const listed = execFileSync(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', '-z'],
    { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  const paths = new Set(listed.split('\0').filter((path) => path !== ''));
  return [...paths].filter((path) => existsSync(join(ROOT, path))).sort();
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export function exists(path: string): boolean {
  return existsSync(join(ROOT, path));
}

export function codeSources(paths: readonly string[]): readonly Source[] {
  return paths
    .filter((path) => /\.(ts|js|mjs|cjs)$/.test(path))
    .map((path) => ({ path, text: readText(path), isTest: isTestPath(path) }));
}

function isTestPath(path: string): boolean {
  return path.endsWith('.test.ts') || path.startsWith('test/');
}

/** `core/base`, `cli`, …; the doors directly below `src/` are the room `index`. Null outside `src/`. */
export function roomOf(path: string): string | null {
  const [top, room, inner] = path.split('/');
  if (top !== 'src' || room === undefined) return null;
  if (room.endsWith('.ts')) return 'index';
  return room === 'core' && inner !== undefined ? `core/${inner}` : room;
}

const IMPORT =
  /(?:^|[;\n])\s*(?:import|export)\b(?:[^;'"`]*?\bfrom)?\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

/** The specifiers of all imports and re-exports, those of types and dynamic ones included. */
export function importsOf(source: Source): readonly string[] {
  return [...source.text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? '');
}

/** Where a relative import leads, from the root. */
export function resolveImport(from: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(from), specifier));
}

const trees = new Map<string, SyntaxNode>();

/**
 * The syntax tree without its types, at the same lines and columns as in the file. Throws for syntax
 * that cannot be erased, such as an enum.
 */
export function treeOf(source: Source): SyntaxNode {
  const known = trees.get(source.path);
  if (known !== undefined) return known;
  const code = source.path.endsWith('.ts') ? stripTypeScriptTypes(source.text) : source.text;
  const tree = parse(code, {
    ecmaVersion: 'latest',
    sourceType: 'module',
    locations: true,
    allowHashBang: true,
  }) as unknown as SyntaxNode;
  trees.set(source.path, tree);
  return tree;
}
