/** Lists in columns: the ones that matter most are shown first, the others where there is room. */
import type { Line, Span, Style } from './text.ts';
import { fit, padEnd, padStart, restyled, span } from './text.ts';
import { placeAt } from './ui-state.ts';
import type { ListPlace } from './ui-state.ts';

export interface Column<Row> {
  readonly title: string;
  readonly width: number;
  readonly align: 'left' | 'right';
  /** Columns of higher rank are left out first. */
  readonly rank: number;
  cell(row: Row): string | readonly Span[];
  /** How a text cell looks. */
  style?(row: Row): Style;
}

const GAP = '  ';

/** The columns that fit into `width`, in their order. */
export function fittingColumns<Row>(
  columns: readonly Column<Row>[],
  width: number,
): readonly Column<Row>[] {
  let left = width + GAP.length;
  const chosen = new Set<Column<Row>>();
  for (const column of columns.toSorted((a, b) => a.rank - b.rank)) {
    if (column.width + GAP.length > left) break;
    left -= column.width + GAP.length;
    chosen.add(column);
  }
  return columns.filter((column) => chosen.has(column));
}

export function titleLine<Row>(columns: readonly Column<Row>[], width: number): Line {
  const spans = columns.map(({ title, width: own, align }, index) =>
    span((index > 0 ? GAP : '') + aligned(title, own, align), 'dim'),
  );
  return fit(spans, width);
}

export function rowLine<Row>(columns: readonly Column<Row>[], row: Row, width: number): Line {
  const spans: Span[] = [];
  columns.forEach((column, index) => {
    if (index > 0) spans.push(span(GAP));
    const cell = column.cell(row);
    if (typeof cell === 'string') {
      spans.push(span(aligned(cell, column.width, column.align), column.style?.(row) ?? 'plain'));
    } else {
      spans.push(...fit(cell, column.width));
    }
  });
  return fit(spans, width);
}

/** What of a list is in sight, with the selected row marked; `rows` lines in all. */
export function listLines<Row>(
  list: readonly Row[],
  place: ListPlace,
  size: { readonly rows: number; readonly width: number },
  lineOf: (row: Row, width: number) => Line,
): readonly Line[] {
  const { selected, top } = placeAt(place, place.selected, list.length, size.rows);
  const lines = list.slice(top, top + size.rows).map((row, index) => {
    const drawn = lineOf(row, size.width);
    return top + index === selected ? restyled(drawn, 'inverse') : drawn;
  });
  return filled(lines, size.rows, size.width);
}

/** Exactly `rows` lines. */
export function filled(lines: readonly Line[], rows: number, width: number): readonly Line[] {
  const shown = lines.slice(0, rows);
  const blanks = Array.from({ length: Math.max(0, rows - shown.length) }, () => fit([], width));
  return [...shown, ...blanks];
}

function aligned(text: string, width: number, align: 'left' | 'right'): string {
  return align === 'left' ? padEnd(text, width) : padStart(text, width);
}
