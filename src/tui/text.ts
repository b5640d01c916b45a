/**
 * Text for a terminal as data: a line is a list of styled pieces, measured in columns. Nothing here
 * knows escape codes; `paint.ts` does.
 */

export type Style =
  'plain' | 'dim' | 'bold' | 'good' | 'warn' | 'bad' | 'accent' | 'inverse' | 'title';

export interface Span {
  readonly text: string;
  readonly style: Style;
}

export type Line = readonly Span[];

const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
const UNPRINTABLE = /\p{C}|\p{Zl}|\p{Zp}/gu;
const COMBINING = /^[\p{Mn}\p{Me}]$/u;
/** Ranges of code points that terminals draw two columns wide. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1f9ff],
  [0x20000, 0x3fffd],
];

export function span(text: string, style: Style = 'plain'): Span {
  return { text, style };
}

export function line(...parts: readonly (Span | string)[]): Line {
  return parts.map((part) => (typeof part === 'string' ? span(part) : part));
}

/**
 * The text with everything a terminal would obey, and not show, replaced: names come from manifests
 * and nodes, and must not move the cursor of an operator.
 */
export function clean(text: string): string {
  return PRINTABLE_ASCII.test(text) ? text : text.replace(UNPRINTABLE, '\ufffd');
}

/** Columns that a text takes. */
export function textWidth(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

export function lineWidth(of: Line): number {
  return of.reduce((width, { text }) => width + textWidth(text), 0);
}

/** At most `width` columns; what is cut off leaves an ellipsis. */
export function clipText(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width <= 0) return '';
  return `${headOf(text, width - 1)}…`;
}

/** Like `clipText`, but the end stays: of a path it says more than the beginning. */
export function clipStart(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width <= 0) return '';
  const reversed = backwards(text);
  return `…${backwards(headOf(reversed, width - 1))}`;
}

/** Exactly `width` columns. */
export function padEnd(text: string, width: number): string {
  const clipped = clipText(text, width);
  return clipped + ' '.repeat(Math.max(0, width - textWidth(clipped)));
}

/** Exactly `width` columns, flush right. */
export function padStart(text: string, width: number): string {
  const clipped = clipText(text, width);
  return ' '.repeat(Math.max(0, width - textWidth(clipped))) + clipped;
}

/** The line with exactly `width` columns, cut or filled with blanks. */
export function fit(of: Line, width: number): Line {
  const fitted: Span[] = [];
  let left = width;
  const isCut = lineWidth(of) > width;
  for (const { text, style } of of) {
    const own = textWidth(text);
    if (isCut && own >= left) {
      fitted.push({
        text: own === left ? `${headOf(text, left - 1)}…` : clipText(text, left),
        style,
      });
      left = 0;
      break;
    }
    fitted.push({ text, style });
    left -= own;
  }
  if (left > 0) fitted.push(span(' '.repeat(left)));
  return fitted;
}

/** `left` and `right` at the two ends of `width` columns; the left gives way. */
export function spread(left: Line, right: Line, width: number): Line {
  const rightWidth = lineWidth(right);
  if (rightWidth + 1 >= width) return fit(left, width);
  return [...fit(left, width - rightWidth - 1), span(' '), ...right];
}

/** All pieces in one style: how the selected row of a list is shown. */
export function restyled(of: Line, style: Style): Line {
  return of.map(({ text }) => span(text, style));
}

/** What the line says, without styles. */
export function plainText(of: Line): string {
  return of.map(({ text }) => text).join('');
}

/** A text in lines of at most `width` columns, broken anywhere: paths have no blanks. */
export function chopped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (let rest = text; rest !== '';) {
    const head = headOf(rest, Math.max(2, width));
    lines.push(head);
    rest = rest.slice(head.length);
  }
  return lines;
}

/** A sentence in lines of at most `width` columns, broken at blanks; longer words are chopped. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ').flatMap((one) => (one === '' ? [''] : chopped(one, width)))) {
    const last = lines.at(-1);
    if (last !== undefined && textWidth(last) + 1 + textWidth(word) <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

function backwards(text: string): string {
  return Array.from(text).reverse().join('');
}

/** As many characters from the start as fit into `width` columns. */
function headOf(text: string, width: number): string {
  let used = 0;
  let head = '';
  for (const character of text) {
    used += characterWidth(character);
    if (used > width) break;
    head += character;
  }
  return head;
}

function characterWidth(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (COMBINING.test(character)) return 0;
  return WIDE.some(([from, to]) => code >= from && code <= to) ? 2 : 1;
}
