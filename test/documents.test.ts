/** The documents say what the code does: generated ones are current, links lead somewhere. */
import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';

import { MEANING_MISSING, documentedMeanings } from '../scripts/docs/error-docs.ts';
import { generatedDocs } from '../scripts/docs/generated-docs.ts';
import { ERROR_KINDS } from '../src/core/base/errors.ts';
import { exists, readText, repositoryFiles } from './support/tidy/sources.ts';

const documents = repositoryFiles().filter((path) => path.endsWith('.md'));

test('generated documents are what npm run docs writes', async () => {
  const docs = await generatedDocs(readText);
  for (const [path, expected] of docs) {
    const lines = readText(path).split('\n');
    const other = expected.split('\n').find((line, index) => line !== lines[index]);
    assert.equal(other, undefined, `${path} is out of date: run npm run docs; it lacks: ${other}`);
    assert.equal(readText(path).length, expected.length, `${path} has lines that are too many`);
  }
});

test('docs/errors.md explains exactly the codes of the error table', () => {
  const meanings = documentedMeanings(readText('docs/errors.md'));
  assert.deepEqual([...meanings.keys()].sort(), Object.keys(ERROR_KINDS).sort());
  for (const [code, meaning] of meanings) {
    assert.notEqual(meaning.trim(), MEANING_MISSING, `docs/errors.md: write what ${code} means`);
    assert.match(meaning, /^[A-Z`][\s\S]*\.$/, `docs/errors.md: ${code} needs a full sentence`);
  }
});

test('docs/loader.md tells of every option, figure and member that a program of load() has', () => {
  const text = readText('docs/loader.md');
  for (const [path, name] of [
    ['src/loader/options.ts', 'LoadOptions'],
    ['src/loader/loader.ts', 'LoaderStats'],
    ['src/loader/loader.ts', 'Loader'],
    ['src/pipeline/contract.ts', 'PipelineStats'],
    ['src/loader/loaded-batch.ts', 'Batch'],
  ] as const) {
    const body = new RegExp(`^export interface ${name} [^{]*\\{\\n([\\s\\S]*?)^\\}`, 'm').exec(
      readText(path),
    );
    const members = [...(body?.[1] ?? '').matchAll(/^ {2}(?:readonly )?(\w+)[?(:]/gm)];
    assert(members.length > 3, `${name} of ${path} was read`);
    const missing = members.map(([, member]) => member ?? '').filter((one) => !toldIn(text, one));
    assert.deepEqual(missing, [], `docs/loader.md says nothing of these members of ${name}`);
  }
});

/** As code, alone or with what it belongs to and takes: `seed`, `loader.stats()`, `batch.row(i)`. */
function toldIn(text: string, member: string): boolean {
  return new RegExp(`\`(?:\\w+\\.|await loader\\.)?${member}(?:\\([^)]*\\))?\``).test(text);
}

test('links between documents lead to a file and a heading', () => {
  const wrong = documents.flatMap((path) =>
    linksOf(readText(path))
      .filter((link) => !/^[a-z]+:/.test(link) && !leadsSomewhere(path, link))
      .map((link) => `${path} links to ${link}`),
  );
  assert.deepEqual(wrong, []);
});

test('the changelog collects what is not released yet', () => {
  const changelog = readText('CHANGELOG.md');
  const block = /^## Unreleased\n([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(changelog)?.[1] ?? '';
  assert.match(block, /^### (Added|Changed|Fixed|Breaking)\n/m);
  const headings = [...block.matchAll(/^### (.+)$/gm)].map((match) => match[1]);
  assert.deepEqual(
    headings.filter((heading) => !/^(Added|Changed|Fixed|Breaking)$/.test(heading ?? '')),
    [],
  );
});

test('decisions are named for their subject, and no two have one number', () => {
  // A gap is a number that a change took which did not come.
  const decisions = repositoryFiles().filter((path) => path.startsWith('docs/decisions/'));
  const numbers = decisions.map((path) => /\/(\d{4})-[a-z0-9-]+\.md$/.exec(path)?.[1]);
  assert(numbers.length >= 17 && !numbers.includes(undefined));
  assert.deepEqual(numbers, [...new Set(numbers)]);
});

test('docs/ha_contract.md names a test for each guarantee, and each test that it names is there', () => {
  const contract = readText('docs/ha_contract.md');
  const named = [...contract.matchAll(/\[`([^`]+)`: ([^\]]+)\]/g)].map((match) => {
    return { path: match[1] ?? '', name: (match[2] ?? '').replaceAll(/\s+/g, ' ') };
  });
  assert(named.length >= 20, `only ${named.length} tests are named`);
  const missing = named.filter(({ path, name }) => !exists(path) || !readText(path).includes(name));
  assert.deepEqual(missing, []);
  const guaranteed = /## What is guaranteed\n([\s\S]*?)\n## /.exec(contract)?.[1] ?? '';
  for (const promise of guaranteed.split(/^- /m).slice(1)) {
    assert.match(promise, /\[`test\/|\[`src\//, `no test is named for: ${promise}`);
  }
});

test('each part of a gate names a file that is there, and a pattern that some test of it matches', () => {
  for (const gate of ['scripts/prod_readiness.sh', 'scripts/ha_gates.sh']) {
    const script = readText(gate).replaceAll('$integration', 'test/integration');
    const files = [...script.matchAll(/^part ".+" (\S+)/gm)].map((match) => match[1] ?? '');
    assert(files.length >= 10, `${gate} has ${files.length} parts`);
    assert.deepEqual(
      files.filter((path) => !exists(path)),
      [],
      gate,
    );
    for (const [, path = '', quoted, plain] of script.matchAll(
      /^ *tests (\S+) (?:'([^']+)'|(\S+))$/gm,
    )) {
      const pattern = new RegExp(quoted ?? plain ?? '');
      const names = [...readText(path).matchAll(/\btest\(\s*['`](.+?)['`],/gs)].map(
        (match) => match[1],
      );
      assert(
        names.some((name) => pattern.test(name ?? '')),
        `${gate}: no test of ${path} matches ${String(pattern)}`,
      );
    }
  }
});

/** Targets of Markdown links outside code. */
function linksOf(text: string): readonly string[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
}

function leadsSomewhere(from: string, link: string): boolean {
  const [file = '', anchor] = link.split('#');
  const target = file === '' ? from : posix.normalize(posix.join(posix.dirname(from), file));
  if (!exists(target)) return false;
  return anchor === undefined || headingsOf(readText(target)).includes(anchor);
}

function headingsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
