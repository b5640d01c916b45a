import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { Key } from './keys.ts';
import { decodeKeys, flushKeys } from './keys.ts';
import { INITIAL_UI, TABS, placeAt, pressKey } from './ui-state.ts';
import type { Action, UiContext, UiState } from './ui-state.ts';

const NODES = Array.from({ length: 50 }, (_, index) => `node-${index}`);
const CONTEXT: UiContext = {
  lengthOf: (tab) => ({ overview: 0, nodes: 50, leases: 4, manifest: 10_000_000, events: 9 })[tab],
  pageRows: 10,
  findNode: (text, from) => {
    const later = NODES.findIndex((id, index) => index >= from && id.includes(text));
    return later === -1 ? NODES.findIndex((id) => id.includes(text)) : later;
  },
  findRank: (rank) => (rank < NODES.length ? rank : -1),
};

function typed(input: string, from: UiState = INITIAL_UI): { ui: UiState; actions: Action[] } {
  const { keys, rest } = decodeKeys(input);
  const actions: Action[] = [];
  let ui = from;
  for (const key of [...keys, ...flushKeys(rest)]) {
    const outcome = pressKey(ui, key, CONTEXT);
    ui = outcome.ui;
    if (outcome.action !== null) actions.push(outcome.action);
  }
  return { ui, actions };
}

test('tabs go round both ways and answer to their numbers', () => {
  assert.equal(typed('\t').ui.tab, 'nodes');
  assert.equal(typed('\t\t\t\t\t').ui.tab, 'overview');
  assert.equal(typed('\u001b[Z').ui.tab, 'events');
  assert.equal(typed('4').ui.tab, 'manifest');
});

test('q and Ctrl-C leave, in a prompt only Ctrl-C does', () => {
  assert.deepEqual(typed('q').actions, [{ type: 'quit', isInterrupt: false }]);
  assert.deepEqual(typed('\u0003').actions, [{ type: 'quit', isInterrupt: true }]);
  assert.deepEqual(typed('4/q').actions, []);
  assert.equal(typed('4/q').ui.prompt?.text, 'q');
  assert.deepEqual(typed('4/q\u0003').actions, [{ type: 'quit', isInterrupt: true }]);
});

test('rows are moved through by row, by page, and to the ends', () => {
  assert.equal(typed('2jjk').ui.places.nodes.selected, 1);
  assert.equal(typed('2\u001b[6~').ui.places.nodes.selected, 9);
  assert.deepEqual(typed('2G').ui.places.nodes, { selected: 49, top: 40 });
  assert.deepEqual(typed('2G\u001b[H').ui.places.nodes, { selected: 0, top: 0 });
  assert.equal(typed('2G\u001b[5~').ui.places.nodes.selected, 40);
});

test('g goes to a sample of ten million at once, and says what ids there are where there is none', () => {
  const there = typed('g9,876,543\r').ui;
  assert.deepEqual([there.tab, there.places.manifest.selected], ['manifest', 9_876_543]);
  assert.match(typed('g10000000\r').ui.message, /no sample 10000000: ids run from 0 to 9999999/);
  assert.match(typed('gx\r').ui.message, /"x" is no number/);
  assert.equal(typed('2g7\r').ui.places.nodes.selected, 7);
});

test('/ searches the manifest from the selected row on, and n from the one after it', () => {
  assert.deepEqual(typed('4/cat\r').actions, [{ type: 'search', text: 'cat', from: 0 }]);
  assert.deepEqual(typed('4/cat\rn').actions.at(-1), { type: 'search', text: 'cat', from: 1 });
  assert.match(typed('4n').ui.message, /type \//);
});

test('/ among the nodes selects the next one whose id has the text', () => {
  assert.equal(typed('2/node-33\r').ui.places.nodes.selected, 33);
  assert.match(typed('2/nobody\r').ui.message, /no node id has "nobody"/);
});

test('Esc closes a prompt, a detail, the help, and stops a search', () => {
  assert.equal(typed('4/ab\u001b').ui.prompt, null);
  assert.equal(typed('2\r').ui.hasDetail, true);
  assert.equal(typed('2\r\u001b').ui.hasDetail, false);
  assert.equal(typed('?').ui.hasHelp, true);
  assert.equal(typed('?\u001b').ui.hasHelp, false);
  assert.deepEqual(typed('\u001b').actions, [{ type: 'cancel_search' }]);
});

test('backspace takes a whole character away and closes an empty prompt', () => {
  assert.equal(typed('4/ab🙂\u007f').ui.prompt?.text, 'ab');
  assert.equal(typed('4/a\u007f\u007f').ui.prompt, null);
});

test('a key sequence that comes in two parts is one key', () => {
  const first = decodeKeys('\u001b[');
  assert.deepEqual(first, { keys: [], rest: '\u001b[' });
  const key: Key = { type: 'named', name: 'page_down' };
  assert.deepEqual(decodeKeys(`${first.rest}6~`), { keys: [key], rest: '' });
});

test('whatever is typed, every selected row exists and is in sight', () => {
  const word = fc.constantFrom(
    'j',
    'k',
    '\t',
    '\r',
    '\u001b[6~',
    '\u001b[5~',
    'G',
    '2',
    '4',
    '5',
    'g7\r',
    '/1\r',
    'n',
    '?',
    '\u001b[Z',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 60 }), (words) => {
      const { ui } = typed(words.join(''));
      for (const tab of TABS) {
        const { selected, top } = ui.places[tab];
        const length = CONTEXT.lengthOf(tab);
        assert.ok(selected >= 0 && (length === 0 ? selected === 0 : selected < length));
        assert.ok(top <= selected && selected < top + CONTEXT.pageRows);
      }
    }),
  );
});

test('a list that got shorter keeps a row selected', () => {
  assert.deepEqual(placeAt({ selected: 90, top: 85 }, 90, 20, 10), { selected: 19, top: 10 });
  assert.deepEqual(placeAt({ selected: 3, top: 0 }, 3, 0, 10), { selected: 0, top: 0 });
});
