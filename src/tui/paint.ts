/**
 * Styled lines to what a terminal obeys. Only rows that changed are written, in one write that the
 * terminal shows at once, so that nothing flickers and a screen at rest costs no bytes.
 */
import type { Line, Style } from './text.ts';

export interface Frame {
  /** One for each row of the terminal, each as wide as it. */
  readonly lines: readonly Line[];
  /** Where the cursor blinks, counted from 0; null hides it. */
  readonly cursor: { readonly row: number; readonly column: number } | null;
}

const RESET = '\u001b[0m';
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
/** Terminals that know synchronized updates show what is between at once; others ignore them. */
const BEGIN_UPDATE = '\u001b[?2026h';
const END_UPDATE = '\u001b[?2026l';

/** The alternate screen keeps what was on the terminal before; line wrap off guards the last column. */
export const ENTER_SCREEN: string = `\u001b[?1049h\u001b[?7l\u001b[2J${HIDE_CURSOR}`;
export const LEAVE_SCREEN: string = `${END_UPDATE}${RESET}\u001b[?7h${SHOW_CURSOR}\u001b[?1049l`;

/** Attributes stand also where there are no colours: NO_COLOR is about colours. */
const ATTRIBUTES: Readonly<Record<Style, string>> = {
  plain: '',
  dim: '2',
  bold: '1',
  good: '',
  warn: '1',
  bad: '1',
  accent: '1',
  inverse: '7',
  title: '1;7',
};

const COLOURS: Readonly<Record<Style, string>> = {
  ...ATTRIBUTES,
  good: '32',
  warn: '33',
  bad: '1;31',
  accent: '36',
};

export function paintLine(line: Line, colour: boolean): string {
  const codes = colour ? COLOURS : ATTRIBUTES;
  return line
    .map(({ text, style }) => {
      const code = codes[style];
      return code === '' || text === '' ? text : `\u001b[${code}m${text}${RESET}`;
    })
    .join('');
}

/** Remembers what the terminal shows, and says what to write to make it show the next frame. */
export class Painter {
  readonly #colour: boolean;
  #shown: readonly string[] = [];
  #cursor = '';

  constructor(colour: boolean) {
    this.#colour = colour;
  }

  /** The terminal was resized or written on by others: the next frame is drawn whole. */
  forget(): void {
    this.#shown = [];
    this.#cursor = '';
  }

  /** '' when nothing changed. */
  update(frame: Frame): string {
    const next = frame.lines.map((line) => paintLine(line, this.#colour));
    let changed = this.#shown.length === 0 ? '\u001b[2J' : '';
    next.forEach((text, row) => {
      if (text !== this.#shown[row]) changed += `\u001b[${row + 1};1H${text}`;
    });
    const { cursor } = frame;
    const placed =
      cursor === null
        ? HIDE_CURSOR
        : `\u001b[${cursor.row + 1};${cursor.column + 1}H${SHOW_CURSOR}`;
    if (changed === '' && placed === this.#cursor) return '';
    this.#shown = next;
    this.#cursor = placed;
    return `${BEGIN_UPDATE}${HIDE_CURSOR}${changed}${placed}${END_UPDATE}`;
  }
}
