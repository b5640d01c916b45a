/** The nodes: who was heard when, what each holds against its caps, and how it is tuned. */
import { bytesText, countText, rateText } from '../view/format.ts';
import type { NodeLook } from '../view/looks.ts';
import { capBar } from './bar.ts';
import type { Layout } from './layout.ts';
import { leasesOf } from './lease-part.ts';
import type { Column } from './table.ts';
import { filled, fittingColumns, listLines, rowLine, titleLine } from './table.ts';
import type { Line, Span } from './text.ts';
import { clean, fit, line, span } from './text.ts';
import type { TuiModel } from './tui-model.ts';
import { placeAt } from './ui-state.ts';
import { wireEntries } from '../view/wire-name.ts';

const BAR_CELLS = 6;

export function nodesPanel(model: TuiModel, layout: Layout, width: number): readonly Line[] {
  const nodes = model.watched.look?.view.nodes ?? [];
  const { bodyRows, listRows, detailRows } = layout;
  if (nodes.length === 0) return filled([noNodes(model, width)], bodyRows, width);
  const columns = fittingColumns(nodeColumns(model), width);
  const place = model.ui.places.nodes;
  const list = listLines(nodes, place, { rows: listRows, width }, (node, w) =>
    rowLine(columns, node, w),
  );
  const { selected } = placeAt(place, place.selected, nodes.length, listRows);
  const detail = detailRows === 0 ? [] : detailLines(model, nodes[selected], width);
  const lines = [titleLine(columns, width), ...list, ...filled(detail, detailRows, width)];
  return filled(lines, bodyRows, width);
}

/** The first nodes, for the overview: those that are stale come first. */
export function nodeRows(model: TuiModel, rows: number, width: number): readonly Line[] {
  const nodes = model.watched.look?.view.nodes ?? [];
  if (nodes.length === 0) return filled([noNodes(model, width)], rows, width);
  const columns = fittingColumns(nodeColumns(model), width);
  const urgent = staleFirst(nodes);
  const hasMore = urgent.length > rows - 1;
  const shown = hasMore ? urgent.slice(0, Math.max(0, rows - 2)) : urgent;
  const more = hasMore
    ? [line(span(` and ${countText(urgent.length - shown.length)} more`, 'dim'))]
    : [];
  const list = shown.map((node) => rowLine(columns, node, width));
  return filled(
    [titleLine(columns, width), ...list, ...more.map((one) => fit(one, width))],
    rows,
    width,
  );
}

export function staleFirst(nodes: readonly NodeLook[]): readonly NodeLook[] {
  const stale = nodes.filter((node) => node.isStale);
  return stale.length === 0 ? nodes : [...stale, ...nodes.filter((node) => !node.isStale)];
}

function noNodes(model: TuiModel, width: number): Line {
  const text = model.watched.look === null ? ' no answer yet' : ' no node is registered';
  return fit([span(text, 'dim')], width);
}

function nodeColumns(model: TuiModel): readonly Column<NodeLook>[] {
  const rates = model.watched.rates.perSecond;
  return [
    {
      title: ' node_id',
      width: 14,
      align: 'left',
      rank: 0,
      cell: (node) => ` ${clean(node.nodeId)}`,
      style: (node) => (node.isStale ? 'bad' : 'bold'),
    },
    { title: 'rank', width: 4, align: 'right', rank: 2, cell: (node) => String(node.assignedRank) },
    {
      title: 'hb_age_ms',
      width: 12,
      align: 'right',
      rank: 1,
      cell: ({ isStale, draining, heartbeatAgeMs }) =>
        `${isStale ? 'STALE ' : draining ? 'DRAIN ' : ''}${countText(Math.round(heartbeatAgeMs))}`,
      style: (node) => (node.isStale ? 'bad' : 'plain'),
    },
    {
      title: 'inflight',
      width: 15,
      align: 'left',
      rank: 3,
      cell: ({ stats, caps }) => gauge(stats.inflightBytes, caps.maxInflightBytes),
    },
    {
      title: 'ram high water',
      width: 15,
      align: 'left',
      rank: 4,
      cell: ({ stats, caps }) => gauge(stats.ramHighWaterBytes, caps.maxRamBytes),
    },
    { title: 'leases', width: 6, align: 'right', rank: 6, cell: (node) => String(node.leaseCount) },
    {
      title: 'rate',
      width: 9,
      align: 'right',
      rank: 5,
      cell: ({ nodeId }) => rateOf(rates.get(nodeId)),
    },
    {
      title: 'queues f/d/p',
      width: 12,
      align: 'left',
      rank: 7,
      cell: ({ stats }) =>
        `${stats.fetchQueueDepth}/${stats.decodeQueueDepth}/${stats.packQueueDepth}`,
    },
    {
      title: 'tuning',
      width: 22,
      align: 'left',
      rank: 8,
      cell: ({ stats }) =>
        `want ${stats.effectiveWant} pf ${stats.effectivePrefetchBatches} q ${stats.effectiveMaxQueueBatches}${stats.autotuneEnabled ? ' auto' : ''}`,
    },
  ];
}

function rateOf(perSecond: number | undefined): string {
  return perSecond === undefined ? '–' : rateText(perSecond);
}

function gauge(used: number, cap: number): readonly Span[] {
  return [...capBar(used, cap, BAR_CELLS), span(` ${bytesText(used)}`)];
}

/** Everything a node says of itself, under the wire names, in as many columns as fit. */
function detailLines(model: TuiModel, node: NodeLook | undefined, width: number): readonly Line[] {
  if (node === undefined) return [];
  const { stats, caps } = node;
  const held = heldText(model, node.nodeId);
  const gauges = line(
    span(' inflight ', 'dim'),
    ...gauge(stats.inflightBytes, caps.maxInflightBytes),
    ` of ${capText(caps.maxInflightBytes)}`,
    span('  ram high water ', 'dim'),
    ...gauge(stats.ramHighWaterBytes, caps.maxRamBytes),
    ` of ${capText(caps.maxRamBytes)}`,
  );
  return [
    fit([span('─'.repeat(width), 'dim')], width),
    fit(
      [span(` ${clean(node.nodeId)}`, 'bold'), span(`  rank ${node.assignedRank}  ${held}`)],
      width,
    ),
    fit(gauges, width),
    ...inColumns([...wireEntries(stats), ...wireEntries(caps)], width),
  ];
}

function heldText(model: TuiModel, nodeId: string): string {
  const { look } = model.watched;
  const leases = look === null ? [] : leasesOf(look, nodeId);
  if (leases === null) return 'leases …';
  const held = leases.map(
    ({ start, end, deliveredCursor }) => `[${start}, ${end}) at ${deliveredCursor}`,
  );
  return held.length === 0 ? 'no lease' : `leases ${held.join('  ')}`;
}

function capText(cap: number): string {
  return cap > 0 ? bytesText(cap) : 'no cap';
}

/** `name value` pairs flowing into columns of equal width. */
export function inColumns(
  entries: readonly (readonly [string, string])[],
  width: number,
): readonly Line[] {
  const widest = Math.max(...entries.map(([name, value]) => name.length + value.length));
  const perRow = Math.max(1, Math.floor(width / (widest + 3)));
  const height = Math.ceil(entries.length / perRow);
  const cellWidth = Math.floor(width / perRow);
  const cell = ([name, value]: readonly [string, string]): Line =>
    fit([span(` ${name} `, 'dim'), span(value)], cellWidth);
  return Array.from({ length: height }, (_, row) => {
    const entriesOfRow = entries.filter((__, index) => index % height === row);
    return fit(entriesOfRow.flatMap(cell), width);
  });
}
