/** What was seen to happen, the latest first. */
import { clockText } from './header-panel.ts';
import type { TuiEvent } from './job-watch.ts';
import type { Layout } from './layout.ts';
import { filled, listLines } from './table.ts';
import type { Line } from './text.ts';
import { clean, fit, padEnd, span, wrapped } from './text.ts';
import type { TuiModel } from './tui-model.ts';
import { placeAt } from './ui-state.ts';

const NAME_WIDTH = 20;

export function eventsPanel(model: TuiModel, layout: Layout, width: number): readonly Line[] {
  const { bodyRows, listRows, detailRows } = layout;
  const events = model.watched.events.toReversed();
  if (events.length === 0) return eventRows(model, bodyRows, width);
  const place = model.ui.places.events;
  const list = listLines(events, place, { rows: listRows, width }, eventLine);
  const { selected } = placeAt(place, place.selected, events.length, listRows);
  const text = clean(events[selected]?.text ?? '');
  const detail = [
    fit([span('─'.repeat(width), 'dim')], width),
    ...wrapped(text, width - 2).map((part) => fit([span(` ${part}`)], width)),
  ];
  return filled([...list, ...detail.slice(0, detailRows)], bodyRows, width);
}

/** The latest events, for the overview. */
export function eventRows(model: TuiModel, rows: number, width: number): readonly Line[] {
  const latest = model.watched.events.slice(-rows).reverse();
  if (latest.length === 0) return filled([fit([span(' nothing yet', 'dim')], width)], rows, width);
  return filled(
    latest.map((event) => eventLine(event, width)),
    rows,
    width,
  );
}

function eventLine({ atUnixMs, name, text, style }: TuiEvent, width: number): Line {
  return fit(
    [
      span(` ${clockText(atUnixMs)} `, 'dim'),
      span(`${padEnd(name, NAME_WIDTH)} `, style),
      span(clean(text)),
    ],
    width,
  );
}
