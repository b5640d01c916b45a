/** The runbook has what an operator needs; that it is true is shown by test/integration/runbook.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SECTIONS } from '../src/view/diagnosis.ts';
import { readRunbook, unseenLine } from './support/runbook.ts';
import { readText } from './support/tidy/sources.ts';

const RUNBOOK = readRunbook();

test('each section that the doctor names says what is seen, checked and done, what then, and the way back', () => {
  for (const section of Object.values(SECTIONS)) {
    const body = RUNBOOK.sections.get(section) ?? '';
    const parts = [...body.matchAll(/^\*\*([A-Z][a-z ]+)\.\*\*/gm)].map((match) => match[1]);
    assert.deepEqual(
      parts,
      ['Seen', 'By itself', 'Check', 'Do', 'Then', 'Way back'],
      `section ${section}`,
    );
    const blocks = [...RUNBOOK.blocks.values()].filter((block) => block.section === section);
    assert(blocks.length > 0, `section ${section} has a block to type`);
  }
});

test('every command block is executed by the test, but for what it would execute itself', () => {
  const test = readText('test/integration/runbook.test.ts');
  for (const name of RUNBOOK.blocks.keys()) {
    assert(test.includes(`'${name}'`), `test/integration/runbook.test.ts types ${name}`);
  }
  // The gate runs that test; the variables are given to each block.
  assert.deepEqual(
    RUNBOOK.unmarked.filter((block) => !/^(export MX8_\w+=\S+\n?)+$/.test(block)),
    ['./scripts/prod_readiness.sh'],
  );
});

test('what is seen is compared line by line, whatever the figures, the hashes and the job', () => {
  const hash = 'ab'.repeat(32);
  const seen = ['job embed: changed', '  …', `  lease 1.4.0  [0, 8) of ${hash} in … requeued`];
  const line = `  lease 12.30.1   [16, 24) of ${'0'.repeat(64)} in 7.5 s requeued`;
  assert.equal(unseenLine(seen, `job one: changed\nother\n${line}\n`, 'one'), null);
  assert.equal(unseenLine(seen, `job two: changed\n${line}\n`, 'one'), seen[0]);
  assert.equal(unseenLine(seen, `${line}\njob one: changed\n`, 'one'), seen[2]);
  assert.equal(unseenLine(seen, `job one: changed\n${line} not\n`, 'one'), seen[2]);
});

test('two blocks of one name, and output that belongs to none, are mistakes', () => {
  const block = '```sh run=a\ntrue\n```\n';
  assert.throws(() => readRunbook(`## S\n\n${block}\n${block}`), /two blocks .* called a/);
  assert.throws(() => readRunbook('## S\n\n```text seen=b\nx\n```\n'), /after b has no block/);
});
