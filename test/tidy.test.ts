/**
 * House rules as code. Each rule is one test; a failing one says where, and what to do instead. The
 * rules read every file that is committed or about to be.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bannedUses } from './support/tidy/banned.ts';
import { parseRooms } from './support/tidy/rooms.ts';
import {
  codeSources,
  exists,
  importsOf,
  readText,
  repositoryFiles,
  resolveImport,
  roomOf,
  treeOf,
} from './support/tidy/sources.ts';
import type { Source } from './support/tidy/sources.ts';
import { functionLengths, isNode, nameOf, walk } from './support/tidy/syntax.ts';

const FILE_LINES_ALARM = 400;
/** A file of tests is a list that nobody reads from top to bottom. */
const TEST_FILE_LINES_ALARM = 600;
const FUNCTION_LINES_ALARM = 70;

/**
 * Files and functions that are over an alarm for a good reason, with the length they have. An entry
 * may only shrink: it fails when the code gets longer, shorter than written here, or no longer needs it.
 * Keys are `path` and `path:function`.
 */
const LENGTH_EXCEPTIONS: Readonly<Record<string, number>> = {};

const files = repositoryFiles();
const sources = codeSources(files);
const production = sources.filter((source) => roomOf(source.path) !== null && !source.isTest);

test('imports go only the way the table in docs/architecture.md says', () => {
  const rooms = parseRooms(readText('docs/architecture.md'));
  const wrong = production.flatMap((source) => {
    const from = roomOf(source.path) ?? '';
    if (!rooms.names.includes(from)) return [`${source.path} is in no room of the table`];
    return relativeImports(source)
      .map((target) => ({ target, to: roomOf(target) }))
      .filter(({ to }) => to === null || !rooms.mayImport(from, to))
      .map(({ target }) => `${source.path} (${from}) may not import ${target}`);
  });
  assertNone(wrong);
});

test('the core imports nothing but the core', () => {
  const wrong = production
    .filter((source) => source.path.startsWith('src/core/'))
    .flatMap((source) =>
      importsOf(source)
        .filter((specifier) => !specifier.startsWith('.'))
        .map((specifier) => `${source.path} imports ${specifier}; the core is pure`),
    );
  assertNone(wrong);
});

test('relative imports end in .ts and lead to a file', () => {
  const wrong = sources.flatMap((source) =>
    relativeImports(source)
      .filter((target) => !/\.(ts|js|json)$/.test(target) || !exists(target))
      .map((target) => `${source.path} imports ${target}, which is not a file`),
  );
  assertNone(wrong);
});

test('examples import the package through its doors', () => {
  const wrong = sources
    .filter((source) => source.path.startsWith('examples/'))
    .flatMap((source) =>
      relativeImports(source)
        .filter((target) => !target.startsWith('examples/'))
        .map((target) => `${source.path} imports ${target}; import 'mx8' or 'mx8/job'`),
    );
  assertNone(wrong);
});

test('banned names are not used', () => {
  assertNone(production.flatMap(bannedUses));
});

test('sources have only syntax that can be erased', () => {
  const wrong = sources.flatMap((source) => {
    try {
      treeOf(source);
      return [];
    } catch (error) {
      return [`${source.path}: ${String(error)}`];
    }
  });
  assertNone(wrong);
});

test('no file and no function passes its size alarm', () => {
  const lengths = new Map<string, { length: number; alarm: number }>();
  for (const source of sources) {
    const lines = source.text.split('\n').length - 1;
    const alarm = source.isTest ? TEST_FILE_LINES_ALARM : FILE_LINES_ALARM;
    lengths.set(source.path, { length: lines, alarm });
    for (const found of holdsSuites(source) ? [] : functionLengths(treeOf(source))) {
      const key = `${source.path}:${found.name}`;
      const longest = Math.max(lengths.get(key)?.length ?? 0, found.lines);
      lengths.set(key, { length: longest, alarm: FUNCTION_LINES_ALARM });
    }
  }
  const long = [...lengths]
    .filter(([key, { length, alarm }]) => length > alarm && !(key in LENGTH_EXCEPTIONS))
    .map(([key, { length, alarm }]) => `${key} has ${length} lines, the alarm is at ${alarm}`);
  const stale = Object.entries(LENGTH_EXCEPTIONS)
    .filter(([key, allowed]) => {
      const found = lengths.get(key);
      return found === undefined || found.length !== allowed || found.length <= found.alarm;
    })
    .map(([key, allowed]) => `exception ${key}: ${allowed} no longer fits: shrink or remove it`);
  assertNone([...long, ...stale]);
});

test('only job modules have a default export', () => {
  const wrong = sources
    .filter((source) => !source.path.endsWith('.job.ts'))
    .flatMap((source) => linesOf(source, 'ExportDefaultDeclaration'))
    .map((place) => `${place}: export it by name`);
  assertNone(wrong);
});

test('no caught error is dropped without a word', () => {
  const wrong: string[] = [];
  for (const source of sources) {
    walk(treeOf(source), (node) => {
      const isCatch = node.type === 'CatchClause' || isCatchCall(node);
      const handler = node.type === 'CatchClause' ? node : firstArgument(node);
      if (!isCatch || !isNode(handler) || !isNode(handler['body'])) return;
      const body = handler['body'];
      if (body.type !== 'BlockStatement') return;
      if (source.text.slice(body.start + 1, body.end - 1).trim() === '') {
        wrong.push(`${source.path}:${node.loc.start.line}: handle it, or say why it is nothing`);
      }
    });
  }
  assertNone(wrong);
});

test('no note is left for later', () => {
  const note = new RegExp(
    `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`,
  );
  assertNone(matchingLines(textFiles(), note).map((place) => `${place}: do it, or open an issue`));
});

test('no test is run alone or skipped without a reason', () => {
  const tests = sources.filter((source) => source.isTest).map((source) => source.path);
  const marks = new RegExp(
    `\\.on${'ly'}\\(|\\bon${'ly'}: true|\\bsk${'ip'}: true|\\.sk${'ip'}\\(\\)`,
  );
  assertNone(matchingLines(tests, marks));
});

test('no file names a folder or a host of somebody’s machine', () => {
  const folders = ['work', 'root', 'Users', 'home'].map((name) => `/${name}/`).join('|');
  const place = new RegExp(`(?<![\\w.$}*/-])(${folders})\\w`);
  assertNone(matchingLines(textFiles(), place).map((line) => `${line}: a path of one machine`));
});

test('file names are in kebab-case', () => {
  const wrong = sources
    .filter(
      (source) =>
        !source.path.split('/').every((part) => /^\.?[a-z0-9]+([-._][a-z0-9]+)*$/.test(part)),
    )
    .map((source) => source.path);
  assertNone(wrong);
});

test('index.ts is the door of a room or of the package', () => {
  const wrong = production
    .filter((source) => /(^|\/)index\.ts$/.test(source.path))
    .filter((source) => !/^src\/([a-z]+\/)?index\.ts$/.test(source.path))
    .map((source) => `${source.path} is no door: name it for what it holds`);
  assertNone(wrong);
});

test('every production file is used by production code', () => {
  const doors = Object.values(packageExports()).map((target) => target.replace('./', ''));
  const used = new Set([...doors, 'src/cli/main.ts']);
  for (const source of sources.filter((candidate) => !candidate.isTest)) {
    for (const target of referencedFiles(source)) used.add(target);
  }
  // Fakes and conformance suites are there for the tests.
  const forTests = (path: string): boolean =>
    path.startsWith('src/testing/') || path.endsWith('conformance.ts');
  const wrong = production
    .filter((source) => !used.has(source.path) && !forTests(source.path))
    .map((source) => `${source.path} is not used: use it or delete it`);
  assertNone(wrong);
});

/** A suite is a list of tests inside one function: its length says nothing. */
function holdsSuites(source: Source): boolean {
  return source.isTest || source.path.endsWith('conformance.ts');
}

function relativeImports(source: Source): readonly string[] {
  return importsOf(source)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => resolveImport(source.path, specifier));
}

/** Imports, and files that are started by name, such as worker processes. */
function referencedFiles(source: Source): readonly string[] {
  const paths = [...source.text.matchAll(/['"`](\.{1,2}\/[\w./-]+\.ts)['"`]/g)];
  const siblings = [...source.text.matchAll(/siblingModule\(import\.meta\.url, '([\w-]+)'\)/g)];
  const named = [
    ...paths.map((match) => match[1] ?? ''),
    ...siblings.map((match) => `./${match[1] ?? ''}.ts`),
  ];
  return named.map((name) => resolveImport(source.path, name));
}

function packageExports(): Readonly<Record<string, string>> {
  const manifest = JSON.parse(readText('package.json')) as { exports: Record<string, string> };
  return manifest.exports;
}

function linesOf(source: Source, type: string): readonly string[] {
  const found: string[] = [];
  walk(treeOf(source), (node) => {
    if (node.type === type) found.push(`${source.path}:${node.loc.start.line}`);
  });
  return found;
}

function isCatchCall(node: { readonly type: string; readonly [field: string]: unknown }): boolean {
  if (node.type !== 'CallExpression' || !isNode(node['callee'])) return false;
  return nameOf(node['callee']['property']) === 'catch';
}

function firstArgument(node: { readonly [field: string]: unknown }): unknown {
  const given = node['arguments'];
  return Array.isArray(given) ? (given as readonly unknown[])[0] : undefined;
}

function textFiles(): readonly string[] {
  return files.filter((path) => /\.(ts|js|json|md|sh|proto|txt|tsv|yml|yaml)$|^\.ci\//.test(path));
}

function matchingLines(paths: readonly string[], pattern: RegExp): readonly string[] {
  return paths.flatMap((path) =>
    readText(path)
      .split('\n')
      .flatMap((line, index) =>
        pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [],
      ),
  );
}

function assertNone(wrong: readonly string[]): void {
  assert.equal(wrong.length, 0, `\n  ${wrong.join('\n  ')}\n`);
}
