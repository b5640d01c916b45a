/** The live leases: whose, how far, how long they still live, and which stand still. */
import { countText, durationText } from '../view/format.ts';
import type { LeaseLook } from '../view/looks.ts';
import { bar } from './bar.ts';
import type { Layout } from './layout.ts';
import { leaseAt } from './lease-part.ts';
import type { Column } from './table.ts';
import { filled, fittingColumns, listLines, rowLine, titleLine } from './table.ts';
import type { Line } from './text.ts';
import { clean, fit, span } from './text.ts';
import type { TuiModel } from './tui-model.ts';
import { placeAt } from './ui-state.ts';

const BAR_CELLS = 10;

const COLUMNS: readonly Column<LeaseLook>[] = [
  {
    title: ' lease_id',
    width: 12,
    align: 'left',
    rank: 0,
    cell: (lease) => ` ${lease.leaseId}`,
    style: (lease) => (lease.isStalled ? 'bad' : 'bold'),
  },
  { title: 'node_id', width: 14, align: 'left', rank: 1, cell: (lease) => clean(lease.nodeId) },
  {
    title: 'range',
    width: 21,
    align: 'left',
    rank: 4,
    cell: ({ start, end }) => `[${start}, ${end})`,
  },
  {
    title: 'delivered',
    width: BAR_CELLS,
    align: 'left',
    rank: 5,
    cell: (lease) => bar(fractionOf(lease), BAR_CELLS, lease.isStalled ? 'bad' : 'accent'),
  },
  { title: 'cursor', width: 11, align: 'right', rank: 2, cell: ({ cursor }) => countText(cursor) },
  {
    title: 'delivered to',
    width: 12,
    align: 'right',
    rank: 7,
    cell: ({ deliveredCursor }) => countText(deliveredCursor),
  },
  {
    title: 'expires in',
    width: 10,
    align: 'right',
    rank: 6,
    cell: ({ expiresInMs }) => durationText(Math.max(0, expiresInMs)),
  },
  {
    title: 'still for',
    width: 14,
    align: 'right',
    rank: 3,
    cell: ({ isStalled, stillMs }) => `${isStalled ? 'STALLED ' : ''}${durationText(stillMs)}`,
    style: (lease) => (lease.isStalled ? 'bad' : 'dim'),
  },
];

export function leasesPanel(model: TuiModel, layout: Layout, width: number): readonly Line[] {
  const { look } = model.watched;
  const count = look?.view.leaseFigures.count ?? 0;
  const { bodyRows, listRows } = layout;
  if (look === null || count === 0) {
    return filled([fit([span(' no lease is active', 'dim')], width)], bodyRows, width);
  }
  const columns = fittingColumns(COLUMNS, width);
  const { leases: chosen } = model.ui.places;
  const { selected, top } = placeAt(chosen, chosen.selected, count, listRows);
  const rows = Array.from({ length: Math.min(listRows, count - top) }, (_, index) =>
    leaseAt(look, top + index),
  );
  // The rows are only those in sight, so the selected one is counted from the first of them.
  const place = { selected: selected - top, top: 0 };
  const list = listLines(rows, place, { rows: listRows, width }, (lease, w) =>
    lease === null ? fit([span(' …', 'dim')], w) : rowLine(columns, lease, w),
  );
  return filled([titleLine(columns, width), ...list], bodyRows, width);
}

function fractionOf({ start, end, deliveredCursor }: LeaseLook): number {
  return end === start ? 1 : (deliveredCursor - start) / (end - start);
}
