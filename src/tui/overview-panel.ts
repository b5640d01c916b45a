/** The first tab: counters under their wire names, the nodes that need a look, the latest events. */
import { bytesText, countText } from '../view/format.ts';
import { eventRows } from './events-panel.ts';
import type { JobLook } from './job-look.ts';
import { nodeRows, inColumns } from './nodes-panel.ts';
import { factsLine, troubleLines } from './header-panel.ts';
import type { Layout } from './layout.ts';
import { filled } from './table.ts';
import type { Line } from './text.ts';
import { fit, span } from './text.ts';
import type { TuiModel } from './tui-model.ts';
import { wireName } from '../view/wire-name.ts';

const EVENTS_SHARE = 0.4;
/** A part below this says nothing; it is left to the others. */
const PART_ROWS_MIN = 3;

export function overviewPanel(model: TuiModel, layout: Layout, width: number): readonly Line[] {
  const rows = layout.bodyRows;
  const { look } = model.watched;
  if (look === null) return filled([], rows, width);
  const counters = inColumns(counterEntries(look), width);
  const facts = inColumns(workEntries(look), width);
  // A low header leaves out what is wrong.
  const brief = layout.hasTallHeader ? [] : [...troubleLines(model, width), factsLine(look, width)];
  const lines: Line[] = [
    ...brief,
    rule('counters', width),
    ...counters,
    rule('work', width),
    ...facts,
  ];
  let left = rows - lines.length;
  if (left < 2 * PART_ROWS_MIN) {
    // Too low for everything: the events are what changes.
    if (left >= PART_ROWS_MIN)
      lines.push(rule('events', width), ...eventRows(model, left - 1, width));
    return filled(lines, rows, width);
  }
  const eventsRows = Math.max(PART_ROWS_MIN, Math.floor(left * EVENTS_SHARE));
  const nodesWanted = Math.max(2, look.view.nodes.length + 2);
  const nodesRows = Math.min(nodesWanted, left - eventsRows);
  lines.push(rule('nodes', width), ...nodeRows(model, nodesRows - 1, width));
  left -= nodesRows;
  lines.push(rule('events', width), ...eventRows(model, left - 1, width));
  return filled(lines, rows, width);
}

function counterEntries({ snapshot }: JobLook): readonly (readonly [string, string])[] {
  return Object.entries(snapshot.counters).map(([name, value]: [string, number]) => [
    wireName(name),
    countText(value),
  ]);
}

function workEntries({ snapshot }: JobLook): readonly (readonly [string, string])[] {
  const { samples, output, spec, elastic } = snapshot;
  const entries: [string, string][] = [
    ['unissued', countText(samples.unissued)],
    ['leased', countText(samples.leased)],
    ['committed', countText(samples.committed)],
    ['quarantined', countText(samples.quarantined)],
    ['min_world_size', countText(spec.minWorldSize)],
    ['transitions_total', countText(elastic.transitionsTotal)],
  ];
  if (spec.commitsOutputs) {
    entries.push(
      ['output_rows', countText(output.rows)],
      ['output_bytes', bytesText(output.bytes)],
      ['output_pieces', countText(output.pieces)],
    );
  }
  return entries;
}

function rule(title: string, width: number): Line {
  const name = ` ${title} `;
  return fit(
    [
      span('──', 'dim'),
      span(name, 'accent'),
      span('─'.repeat(Math.max(0, width - name.length - 2)), 'dim'),
    ],
    width,
  );
}
