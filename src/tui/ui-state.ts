/** Where the operator is on the screen, and what each key does there. Pure. */
import type { Key, KeyName } from './keys.ts';
import { PROMPT_CHARACTERS_MAX } from './limits.ts';

export const TABS = ['overview', 'nodes', 'leases', 'manifest', 'events'] as const;
export type Tab = (typeof TABS)[number];

/** A place in a list: `top` is the first row that is shown. */
export interface ListPlace {
  readonly selected: number;
  readonly top: number;
}

export interface Prompt {
  readonly kind: 'search' | 'jump';
  readonly text: string;
}

export interface UiState {
  readonly tab: Tab;
  readonly places: Readonly<Record<Tab, ListPlace>>;
  /** Whether the selected row is shown in full below its list. */
  readonly hasDetail: boolean;
  readonly hasHelp: boolean;
  readonly prompt: Prompt | null;
  /** The text that was last searched for. */
  readonly search: string;
  /** One line for the operator; goes with the next key. */
  readonly message: string;
}

/** What the shell has to do. */
export type Action =
  | { readonly type: 'quit'; readonly isInterrupt: boolean }
  | { readonly type: 'search'; readonly text: string; readonly from: number }
  | { readonly type: 'cancel_search' };

/** What a key press has to know of the lists. */
export interface UiContext {
  /** Rows in the list of a tab. */
  lengthOf(tab: Tab): number;
  /** Rows of it that are shown. */
  readonly pageRows: number;
  /** Index of the first node at or after `from`, round the end, whose id has the text; -1 for none. */
  findNode(text: string, from: number): number;
  /** Index of the node with that rank; -1 for none. */
  findRank(rank: number): number;
}

export interface KeyOutcome {
  readonly ui: UiState;
  readonly action: Action | null;
}

const START: ListPlace = { selected: 0, top: 0 };

export const INITIAL_UI: UiState = {
  tab: 'overview',
  places: { overview: START, nodes: START, leases: START, manifest: START, events: START },
  hasDetail: false,
  hasHelp: false,
  prompt: null,
  search: '',
  message: '',
};

export function pressKey(before: UiState, key: Key, context: UiContext): KeyOutcome {
  const ui: UiState = { ...before, message: '' };
  if (key.type === 'named' && key.name === 'interrupt') {
    return { ui, action: { type: 'quit', isInterrupt: true } };
  }
  if (ui.prompt !== null) return promptKey(ui, ui.prompt, key, context);
  if (ui.hasHelp) return helpKey(ui, key);
  return key.type === 'named'
    ? namedKey(ui, key.name, context)
    : characterKey(ui, key.text, context);
}

/** Selects a row and scrolls no more than needed to show it. */
export function placeAt(place: ListPlace, index: number, length: number, rows: number): ListPlace {
  const selected = Math.max(0, Math.min(index, length - 1));
  const lastTop = Math.max(0, length - rows);
  const top = Math.max(selected - Math.max(1, rows) + 1, Math.min(place.top, selected, lastTop));
  return { selected, top: Math.max(0, top) };
}

/** The row of `tab` at `index`, and that tab in front. */
export function goTo(ui: UiState, tab: Tab, index: number, context: UiContext): UiState {
  const place = placeAt(ui.places[tab], index, context.lengthOf(tab), context.pageRows);
  return { ...ui, tab, places: { ...ui.places, [tab]: place } };
}

function helpKey(ui: UiState, key: Key): KeyOutcome {
  if (key.type === 'character' && key.text === 'q') {
    return { ui, action: { type: 'quit', isInterrupt: false } };
  }
  return { ui: { ...ui, hasHelp: false }, action: null };
}

function namedKey(ui: UiState, name: KeyName, context: UiContext): KeyOutcome {
  const selected = ui.places[ui.tab].selected;
  const page = Math.max(1, context.pageRows - 1);
  const move = (index: number): KeyOutcome => only(goTo(ui, ui.tab, index, context));
  switch (name) {
    case 'up':
      return move(selected - 1);
    case 'down':
      return move(selected + 1);
    case 'page_up':
      return move(selected - page);
    case 'page_down':
      return move(selected + page);
    case 'home':
      return move(0);
    case 'end':
      return move(context.lengthOf(ui.tab) - 1);
    case 'tab':
      return only(withTab(ui, 1));
    case 'back_tab':
      return only(withTab(ui, -1));
    case 'enter':
      return only(opened(ui));
    case 'escape':
      return { ui: { ...ui, hasDetail: false }, action: { type: 'cancel_search' } };
    default:
      return only(ui);
  }
}

function characterKey(ui: UiState, text: string, context: UiContext): KeyOutcome {
  switch (text) {
    case 'q':
      return { ui, action: { type: 'quit', isInterrupt: false } };
    case 'j':
      return namedKey(ui, 'down', context);
    case 'k':
      return namedKey(ui, 'up', context);
    case ' ':
      return namedKey(ui, 'page_down', context);
    case 'G':
      return namedKey(ui, 'end', context);
    case '?':
      return only({ ...ui, hasHelp: true });
    case '/':
      return only({ ...ui, tab: promptTab(ui.tab), prompt: { kind: 'search', text: '' } });
    case 'g':
      return only({ ...ui, tab: promptTab(ui.tab), prompt: { kind: 'jump', text: '' } });
    case 'n':
      return searched(ui, ui.search, 1, context);
    default: {
      const tab = /^[1-5]$/.test(text) ? TABS[Number(text) - 1] : undefined;
      return only(tab === undefined ? ui : { ...ui, tab, hasDetail: false });
    }
  }
}

/** Nodes are searched in their own list, everything else is looked up in the manifest. */
function promptTab(tab: Tab): Tab {
  return tab === 'nodes' ? 'nodes' : 'manifest';
}

function withTab(ui: UiState, step: number): UiState {
  const index = (TABS.indexOf(ui.tab) + step + TABS.length) % TABS.length;
  return { ...ui, tab: TABS[index] ?? 'overview', hasDetail: false };
}

function opened(ui: UiState): UiState {
  if (ui.tab === 'overview') return { ...ui, tab: 'nodes', hasDetail: true };
  return { ...ui, hasDetail: !ui.hasDetail };
}

function promptKey(ui: UiState, prompt: Prompt, key: Key, context: UiContext): KeyOutcome {
  const typed = (text: string): KeyOutcome => only({ ...ui, prompt: { ...prompt, text } });
  if (key.type === 'character') {
    return typed((prompt.text + key.text).slice(0, PROMPT_CHARACTERS_MAX));
  }
  switch (key.name) {
    case 'escape':
      return only({ ...ui, prompt: null });
    case 'backspace':
      if (prompt.text === '') return only({ ...ui, prompt: null });
      return typed(Array.from(prompt.text).slice(0, -1).join(''));
    case 'clear':
      return typed('');
    case 'enter': {
      const closed = { ...ui, prompt: null };
      if (prompt.text === '') return only(closed);
      if (prompt.kind === 'jump') return only(jumped(closed, prompt.text, context));
      return searched({ ...closed, search: prompt.text }, prompt.text, 0, context);
    }
    default:
      return only(ui);
  }
}

/** `skip` is 1 where the row that is selected has been found already. */
function searched(ui: UiState, text: string, skip: number, context: UiContext): KeyOutcome {
  if (text === '') return only({ ...ui, message: 'type / and what to search for' });
  if (ui.tab === 'nodes') {
    const index = context.findNode(text, ui.places.nodes.selected + skip);
    if (index === -1) return only({ ...ui, message: `no node id has "${text}"` });
    return only(goTo(ui, 'nodes', index, context));
  }
  const from = ui.places.manifest.selected + skip;
  return { ui: { ...ui, tab: 'manifest' }, action: { type: 'search', text, from } };
}

function jumped(ui: UiState, text: string, context: UiContext): UiState {
  const digits = text.replaceAll(/[ ,_]/g, '');
  if (!/^\d{1,16}$/.test(digits)) {
    return { ...ui, message: `"${text}" is no number` };
  }
  const number = Number(digits);
  if (ui.tab === 'nodes') {
    const index = context.findRank(number);
    if (index === -1) return { ...ui, message: `no node has rank ${number}` };
    return goTo(ui, 'nodes', index, context);
  }
  const length = context.lengthOf('manifest');
  if (number >= length) {
    const last = length === 0 ? 'there are no rows yet' : `ids run from 0 to ${length - 1}`;
    return { ...ui, message: `there is no sample ${number}: ${last}` };
  }
  return goTo(ui, 'manifest', number, context);
}

function only(ui: UiState): KeyOutcome {
  return { ui, action: null };
}
