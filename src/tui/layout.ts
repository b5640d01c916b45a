/** Which rows of the terminal belong to what. */
import { TALL_HEADER_ROWS_MIN } from './limits.ts';
import type { TerminalSize } from './terminal.ts';
import type { Tab, UiState } from './ui-state.ts';

/** Rows of the detail below a list. */
const DETAIL_ROWS: Readonly<Record<Tab, number>> = {
  overview: 0,
  nodes: 12,
  leases: 0,
  manifest: 5,
  events: 3,
};
/** What stands above the rows of a list: the names of its columns, and for the manifest what it is. */
const HEAD_ROWS: Readonly<Record<Tab, number>> = {
  overview: 0,
  nodes: 1,
  leases: 1,
  manifest: 3,
  events: 0,
};

export interface Layout {
  readonly headerRows: number;
  /** Whether the header has room to say what is wrong. */
  readonly hasTallHeader: boolean;
  readonly bodyRows: number;
  /** Of the body: rows of the list. */
  readonly listRows: number;
  readonly detailRows: number;
}

export function layoutOf(size: TerminalSize, ui: UiState): Layout {
  const isTall = size.rows >= TALL_HEADER_ROWS_MIN;
  const headerRows = isTall ? 5 : 2;
  // The tabs and the line of keys.
  const bodyRows = size.rows - headerRows - 2;
  const head = isTall ? HEAD_ROWS[ui.tab] : Math.min(1, HEAD_ROWS[ui.tab]);
  const wanted = ui.hasDetail ? DETAIL_ROWS[ui.tab] : 0;
  // A list keeps at least three rows above its detail.
  const detailRows = Math.max(0, Math.min(wanted, bodyRows - head - 3));
  return {
    headerRows,
    hasTallHeader: isTall,
    bodyRows,
    detailRows,
    listRows: Math.max(1, bodyRows - head - detailRows),
  };
}

/** Rows of the list that are shown at once: `rowsPerPage` where that is fewer. */
export function pageRowsOf(size: TerminalSize, ui: UiState, rowsPerPage: number | null): number {
  const { listRows } = layoutOf(size, ui);
  return ui.tab === 'manifest' && rowsPerPage !== null ? Math.min(rowsPerPage, listRows) : listRows;
}
