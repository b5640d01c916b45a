/** Bytes of a terminal in raw mode as keys. */

export type KeyName =
  | 'up'
  | 'down'
  | 'page_up'
  | 'page_down'
  | 'home'
  | 'end'
  | 'enter'
  | 'escape'
  | 'tab'
  | 'back_tab'
  | 'backspace'
  | 'clear'
  | 'interrupt';

/** A key that has a name, or a character that was typed. */
export type Key =
  | { readonly type: 'named'; readonly name: KeyName }
  | { readonly type: 'character'; readonly text: string };

const ESCAPE = '\u001b';
/** `ESC [ parameters letter`, `ESC O letter`; parameters say modifiers, which are not told apart. */
// oxlint-disable-next-line eslint/no-control-regex
const SEQUENCE = /^\u001b(?:\[([0-9;<=>?]*)([ -/]*[@-~])|O([@-~]))/;
// oxlint-disable-next-line eslint/no-control-regex
const PARTIAL = /^\u001b(?:\[[0-9;<=>?]*[ -/]*|O)?$/;

const FINAL: Readonly<Record<string, KeyName>> = {
  A: 'up',
  B: 'down',
  H: 'home',
  F: 'end',
  Z: 'back_tab',
};
const NUMBERED: Readonly<Record<string, KeyName>> = {
  '1': 'home',
  '4': 'end',
  '5': 'page_up',
  '6': 'page_down',
  '7': 'home',
  '8': 'end',
};
const CONTROL: Readonly<Record<string, KeyName>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\u0002': 'page_up',
  '\u0003': 'interrupt',
  '\u0006': 'page_down',
  '\u0008': 'backspace',
  '\u0015': 'clear',
  '\u007f': 'backspace',
};

/**
 * The keys in `input`, and what may be the beginning of a further one: prepend it to what comes next, or
 * after a moment pass it to `flushKeys`.
 */
export function decodeKeys(input: string): {
  readonly keys: readonly Key[];
  readonly rest: string;
} {
  const keys: Key[] = [];
  let rest = input;
  while (rest !== '') {
    if (rest.startsWith(ESCAPE)) {
      if (PARTIAL.test(rest)) return { keys, rest };
      const match = SEQUENCE.exec(rest);
      const name = match === null ? 'escape' : sequenceKey(match);
      if (name !== null) keys.push({ type: 'named', name });
      rest = rest.slice(match === null ? 1 : match[0].length);
      continue;
    }
    const character = String.fromCodePoint(rest.codePointAt(0) ?? 0);
    const name = CONTROL[character];
    if (name !== undefined) keys.push({ type: 'named', name });
    else if (!/\p{C}/u.test(character)) keys.push({ type: 'character', text: character });
    rest = rest.slice(character.length);
  }
  return { keys, rest };
}

/** Nothing followed: the escape byte was the key Esc. */
export function flushKeys(rest: string): readonly Key[] {
  return rest === '' ? [] : [{ type: 'named', name: 'escape' }];
}

function sequenceKey(match: RegExpExecArray): KeyName | null {
  const [, parameters = '', final, single] = match;
  if (single !== undefined) return FINAL[single] ?? null;
  if (final === '~') return NUMBERED[parameters.split(';')[0] ?? ''] ?? null;
  return FINAL[final ?? ''] ?? null;
}
