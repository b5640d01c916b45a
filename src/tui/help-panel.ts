/** What the keys do and what the words mean. */
import { filled } from './table.ts';
import type { Line } from './text.ts';
import { fit, padEnd, span } from './text.ts';

const KEYS: readonly (readonly [string, string])[] = [
  ['Tab, 1–5', 'next tab, or that one'],
  ['j k ↑ ↓', 'next, previous row'],
  ['PgDn PgUp', 'page down (also space), page up'],
  ['Home, G', 'first, last row'],
  ['/ n', 'search the manifest (in Nodes: node ids), next match'],
  ['g', 'jump to a sample id (in Nodes: to a rank)'],
  ['Enter', 'show the row in full'],
  ['Esc', 'close, stop a search'],
  ['? q', 'this help, quit'],
];
const WORDS: readonly (readonly [string, string])[] = [
  ['hb_age_ms', 'since the coordinator heard of the node, on its clock'],
  ['STALE', 'longer than --stale-heartbeat-ms'],
  ['DRAIN', 'finishes what it holds, then leaves'],
  ['STALLED', 'a cursor that stands still for --lease-stall-ms'],
  ['rate', 'samples/s that it delivers'],
  ['queues', 'batches waiting to be fetched/decoded/packed'],
  ['tuning', 'effective want, prefetch batches, queue batches'],
];
const NAME_WIDTH = 12;

export function helpPanel(rows: number, width: number): readonly Line[] {
  const entry = ([name, text]: readonly [string, string]): Line =>
    fit([span(` ${padEnd(name, NAME_WIDTH)} `, 'bold'), span(text)], width);
  const lines = [...KEYS.map(entry), fit([], width), ...WORDS.map(entry)];
  return filled(lines, rows, width);
}
