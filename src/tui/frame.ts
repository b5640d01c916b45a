/** The whole screen from what is known: as many lines as the terminal has rows, each as wide as it. */
import { countText } from '../view/format.ts';
import { eventsPanel } from './events-panel.ts';
import { headerLines } from './header-panel.ts';
import { helpPanel } from './help-panel.ts';
import type { Layout } from './layout.ts';
import { layoutOf } from './layout.ts';
import { leasesPanel } from './leases-panel.ts';
import { COLUMNS_MIN, ROWS_MIN } from './limits.ts';
import { manifestPanel } from './manifest-panel.ts';
import { nodesPanel } from './nodes-panel.ts';
import { overviewPanel } from './overview-panel.ts';
import type { Frame } from './paint.ts';
import { filled } from './table.ts';
import type { TerminalSize } from './terminal.ts';
import type { Line, Span } from './text.ts';
import { clean, clipStart, fit, span, textWidth } from './text.ts';
import type { TuiModel } from './tui-model.ts';
import { listLength } from './tui-model.ts';
import type { Tab } from './ui-state.ts';
import { TABS } from './ui-state.ts';

const TITLES: Readonly<Record<Tab, string>> = {
  overview: 'Overview',
  nodes: 'Nodes',
  leases: 'Leases',
  manifest: 'Manifest',
  events: 'Events',
};
/** Below this the tabs are numbers, except the one in front. */
const TITLED_TABS_COLUMNS = 76;

export function frameOf(model: TuiModel, size: TerminalSize): Frame {
  const { columns, rows } = size;
  if (columns < COLUMNS_MIN || rows < ROWS_MIN) return tooSmall(size);
  const layout = layoutOf(size, model.ui);
  const lines = [
    ...headerLines(model, layout.headerRows, columns),
    tabsLine(model, columns),
    ...bodyLines(model, layout, columns),
  ];
  const { prompt } = model.ui;
  if (prompt === null) return { lines: [...lines, footerLine(model, columns)], cursor: null };
  const label = ` ${promptLabel(model)}: `;
  const typed = clipStart(clean(prompt.text), columns - label.length - 1);
  const line = fit([span(label, 'accent'), span(typed)], columns);
  const cursor = { row: rows - 1, column: label.length + textWidth(typed) };
  return { lines: [...lines, line], cursor };
}

function bodyLines(model: TuiModel, layout: Layout, width: number): readonly Line[] {
  const { bodyRows } = layout;
  if (model.ui.hasHelp) return helpPanel(bodyRows, width);
  switch (model.ui.tab) {
    case 'overview':
      return overviewPanel(model, layout, width);
    case 'nodes':
      return nodesPanel(model, layout, width);
    case 'leases':
      return leasesPanel(model, layout, width);
    case 'manifest':
      return manifestPanel(model, layout, width);
    case 'events':
      return eventsPanel(model, layout, width);
    default:
      return model.ui.tab satisfies never;
  }
}

function tabsLine(model: TuiModel, width: number): Line {
  const spans = TABS.flatMap((tab, index): readonly Span[] => {
    const isFront = tab === model.ui.tab;
    const length = listLength(model, tab);
    const count = tab === 'overview' || length === 0 ? '' : ` ${countText(length)}`;
    const isNamed = isFront || width >= TITLED_TABS_COLUMNS;
    const text = isNamed ? `${index + 1} ${TITLES[tab]}${count}` : String(index + 1);
    return [span(` ${text} `, isFront ? 'inverse' : 'dim'), span(' ')];
  });
  return fit(spans, width);
}

function footerLine(model: TuiModel, width: number): Line {
  const { message, hasHelp } = model.ui;
  if (message !== '') return fit([span(` ${clean(message)}`, 'warn')], width);
  const hints = hasHelp
    ? 'any key: back   q quit'
    : 'q quit  ? help  Tab next  j k PgUp PgDn  / search  n next  g jump  Enter more';
  return fit([span(` ${hints}`, 'dim')], width);
}

function promptLabel({ ui }: TuiModel): string {
  const isNodes = ui.tab === 'nodes';
  if (ui.prompt?.kind === 'jump') return isNodes ? 'rank' : 'sample id';
  return isNodes ? 'node id has' : 'search';
}

function tooSmall({ columns, rows }: TerminalSize): Frame {
  const text = `mx8 tui needs ${COLUMNS_MIN}×${ROWS_MIN}, here are ${columns}×${rows}`;
  return { lines: filled([fit([span(text)], columns)], rows, columns), cursor: null };
}
