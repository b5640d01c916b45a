/** One line that says how a run stands. Pure. */
import {
  bytesText,
  countedText,
  countText,
  durationText,
  percentText,
  rateText,
} from '../../view/format.ts';
import type { JobView } from '../../view/job-view.ts';

export interface RunFigures {
  readonly name: string;
  readonly view: JobView;
  /** Resident memory of all processes of the run; null where it cannot be read. */
  readonly rssBytes: number | null;
  readonly rssCapBytes: number;
}

const BAR_CELLS_MAX = 30;
const BAR_CELLS_MIN = 8;

/** The line for a terminal of that many columns: with a bar where there is room for one. */
export function progressLine(figures: RunFigures, columns: number): string {
  const facts = factsOf(figures);
  const text = facts.join('  ');
  const room = columns - 1 - figures.name.length - 2 - text.length - 2;
  if (room < BAR_CELLS_MIN) return shortened(facts, columns - 1);
  return `${figures.name}  ${bar(figures.view.fraction, Math.min(BAR_CELLS_MAX, room))}  ${text}`;
}

/** The same facts as a sentence, for a log without a terminal. */
export function progressSentence(figures: RunFigures): string {
  return `${figures.name}: ${factsOf(figures).join(', ')}`;
}

function factsOf(figures: RunFigures): string[] {
  const { view, rssBytes, rssCapBytes } = figures;
  const facts = [
    percentText(view.fraction),
    `${countText(view.finishedSamples)}/${countText(view.totalSamples)}`,
  ];
  if (view.rates !== null && view.rates.samplesPerSecond > 0) {
    facts.push(rateText(view.rates.samplesPerSecond));
  }
  if (view.etaMs !== null && view.fraction < 1) facts.push(`${durationText(view.etaMs)} left`);
  if (rssBytes !== null) facts.push(`${bytesText(rssBytes)} of ${bytesText(rssCapBytes)}`);
  facts.push(countedText(view.nodes.length, 'node'));
  if (view.quarantinedSamples > 0) facts.push(`${countText(view.quarantinedSamples)} quarantined`);
  return facts;
}

/** As many of the facts, the first ones first, as fit. */
function shortened(facts: readonly string[], columns: number): string {
  let text = '';
  for (const fact of facts) {
    const next = text === '' ? fact : `${text}  ${fact}`;
    if (next.length > columns) break;
    text = next;
  }
  return text;
}

function bar(fraction: number, cells: number): string {
  const full = Math.floor(Math.max(0, Math.min(1, fraction)) * cells);
  return '━'.repeat(full) + '─'.repeat(cells - full);
}
