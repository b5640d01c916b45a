/** The house rules can fail: each is shown a source that breaks it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bannedUses } from './support/tidy/banned.ts';
import { parseRooms } from './support/tidy/rooms.ts';
import { importsOf, roomOf, treeOf } from './support/tidy/sources.ts';
import type { Source } from './support/tidy/sources.ts';
import { functionLengths } from './support/tidy/syntax.ts';

let made = 0;

/** Paths differ because trees are remembered by path. */
function source(room: string, text: string): Source {
  made += 1;
  return { path: `src/${room}/made-${made}.ts`, text, isTest: false };
}

const TABLE = [
  '| room | lives there | may import |',
  '|---|---|---|',
  '| `core/base` | units | nothing |',
  '| `core/job` | machine | core/base |',
  '| `ports` | interfaces | core/base |',
  '| `agent` | shell | core ports |',
  '| `cli` | root | everything but testing |',
  '| `testing` | fakes | everything but cli |',
  '`src/index.ts` is the door of the package and may import `agent` and `core`.',
].join('\n');

test('the table of rooms says who may import whom', () => {
  const rooms = parseRooms(TABLE);
  const allowed = [
    'core/job core/base',
    'agent core/job',
    'agent agent',
    'cli agent',
    'index agent',
  ];
  const refused = [
    'core/base core/job',
    'ports core/job',
    'agent cli',
    'cli testing',
    'index ports',
  ];
  for (const pair of allowed) assert.equal(mayImport(pair), true, pair);
  for (const pair of refused) assert.equal(mayImport(pair), false, pair);

  function mayImport(pair: string): boolean {
    const [from = '', to = ''] = pair.split(' ');
    return rooms.mayImport(from, to);
  }
});

test('a table that names a room which is not there is refused', () => {
  assert.throws(() => parseRooms(TABLE.replace('core ports', 'core portz')), /"portz"/);
  assert.throws(() => parseRooms('nothing here'), /no table/);
});

test('imports of every form are found', () => {
  const text = [
    "import { a } from './a.ts';",
    "import type { B } from './b.ts';",
    'import {',
    '  c,',
    "} from './c.ts';",
    "export { d } from './d.ts';",
    "export * from './e.ts';",
    "import './f.ts';",
    // In two pieces, so that the rules do not take this line for an import of ours.
    'const g = await imp' + "ort('./g.ts');",
    "const h = 'not from ./h.ts';",
  ].join('\n');
  assert.deepEqual(
    importsOf(source('agent', text)),
    ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `./${name}.ts`),
  );
});

test('banned names are found where they are used and nowhere else', () => {
  const uses = [
    'const t: number = Date.now();',
    'setTimeout(() => {}, 5);',
    'const r = Math.random();',
    'const e = process.env.HOME;',
    'console.log(1);',
    "import { setTimeout as later } from 'node:timers/promises';",
    "import { randomBytes } from 'node:crypto';",
    "import { mkdir } from 'node:fs/promises';",
  ];
  for (const text of uses) assert.equal(bannedUses(source('agent', text)).length, 1, text);
  const innocent = [
    '// Date.now() in a comment',
    'const a = { Date: 1 }; a.Date;',
    'type T = Date; interface Clock { setTimeout(): void }',
    'const m = Math.max(1, 2);',
    "import { createHash } from 'node:crypto';",
    "import { setImmediate as breathe } from 'node:timers/promises';",
  ];
  for (const text of innocent) assert.deepEqual(bannedUses(source('agent', text)), [], text);
});

test('platform may use the clock and cli the environment', () => {
  assert.deepEqual(bannedUses(source('platform', 'Date.now(); setTimeout(() => {}, 1);')), []);
  assert.deepEqual(bannedUses(source('cli', 'process.env; process.argv;')), []);
  assert.equal(bannedUses(source('platform', 'process.env;')).length, 1);
  assert.equal(bannedUses(source('cli', 'console.log(1);')).length, 1);
});

test('functions are measured from head to last brace, with their types', () => {
  const body = Array.from({ length: 80 }, (_, index) => `  void ${index};`).join('\n');
  const text = `export function long(a: number): void {\n${body}\n}\nconst short = (): void => {};`;
  assert.deepEqual(
    functionLengths(treeOf(source('agent', text))).map(({ name, lines }) => [name, lines]),
    [
      ['long', 82],
      ['short', 1],
    ],
  );
});

test('an enum cannot be read', () => {
  assert.throws(() => treeOf(source('agent', 'enum Colour { Red }')));
});

test('the core’s rooms have two names', () => {
  assert.equal(roomOf('src/core/base/units.ts'), 'core/base');
  assert.equal(roomOf('src/agent/agent.ts'), 'agent');
  assert.equal(roomOf('src/index.ts'), 'index');
  assert.equal(roomOf('test/tidy.test.ts'), null);
});
