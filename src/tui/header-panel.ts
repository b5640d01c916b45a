/** The lines on top of every tab: which job, how far, how well, and what to do about it. */
import { elapsedMs } from '../core/base/units.ts';
import {
  countText,
  countedText,
  durationText,
  percentText,
  phaseText,
  rateText,
} from '../view/format.ts';
import type { HealthState } from '../view/health.ts';
import { bar } from './bar.ts';
import type { JobLook } from './job-look.ts';
import { filled } from './table.ts';
import type { Line, Span, Style } from './text.ts';
import { clean, fit, line, lineWidth, span, spread } from './text.ts';
import type { TuiModel } from './tui-model.ts';

export const HEALTH_STYLES: Readonly<Record<HealthState, Style>> = {
  healthy: 'good',
  degraded: 'warn',
  stalled: 'bad',
};
const HEALTH_MARKS: Readonly<Record<HealthState, string>> = {
  healthy: '●',
  degraded: '▲',
  stalled: '■',
};

export function headerLines(model: TuiModel, rows: number, width: number): readonly Line[] {
  const { look } = model.watched;
  const lines = [titleLine(model, width)];
  if (look === null) {
    lines.push(...linkLines(model).map((one) => fit(one, width)));
  } else if (rows < 5) {
    lines.push(progressLine(look, width));
  } else {
    lines.push(progressLine(look, width), factsLine(look, width), ...troubleLines(model, width));
  }
  return filled(lines, rows, width);
}

function titleLine(model: TuiModel, width: number): Line {
  const { target, watched } = model;
  const { look, link } = watched;
  const where = span(clean(target.replace(/^https?:\/\//, '')), 'dim');
  if (look === null)
    return spread(line(span(' mx8 ', 'title'), ' ', ...linkMark(model)), [where], width);
  const { spec, phase, paused } = look.snapshot;
  const job = [
    span(' mx8 ', 'title'),
    span(' job '),
    span(spec.jobId, 'bold'),
    span(`  ${phaseText(phase, paused)}  `),
  ];
  const mark = link.state === 'up' ? healthMark(look) : linkMark(model);
  const left = [...job, ...mark];
  // How it is matters more than where it is.
  return lineWidth(left) + lineWidth([where]) + 1 > width
    ? fit(left, width)
    : spread(left, [where], width);
}

function healthMark({ view }: JobLook): readonly Span[] {
  const { state } = view.health;
  return [span(`${HEALTH_MARKS[state]} ${state}`, HEALTH_STYLES[state])];
}

function linkMark(model: TuiModel): readonly Span[] {
  const { link } = model.watched;
  const forText = durationText(elapsedMs(link.sinceMs, model.nowMs));
  switch (link.state) {
    case 'connecting':
      return [span('… connecting', 'warn')];
    case 'away':
      return [span(`■ no coordinator for ${forText}`, 'bad')];
    case 'refused':
      return [span(`▲ no job for ${forText}`, 'warn')];
    case 'up':
      return [];
    default:
      return link.state satisfies never;
  }
}

/** What there is to say before the first answer, or while nobody answers. */
function linkLines(model: TuiModel): readonly Line[] {
  const { link } = model.watched;
  if (link.state === 'connecting') return [line('waiting for the first answer')];
  if (link.state === 'up') return [];
  const since = `since ${clockText(link.sinceUnixMs)}; asked again every ${durationText(model.pollMs)}.`;
  return [line(span(clean(link.message), 'bad')), line(span(since, 'dim'))];
}

function progressLine({ snapshot, view }: JobLook, width: number): Line {
  const barWidth = Math.max(8, Math.min(40, Math.floor(width / 3)));
  const done = `${countText(view.finishedSamples)} of ${countedText(view.totalSamples, 'sample')}`;
  const isRunning = view.fraction < 1;
  const rate = isRunning && view.rates !== null ? `  ${rateText(view.rates.samplesPerSecond)}` : '';
  const left = isRunning && view.etaMs !== null ? `  ${durationText(view.etaMs)} left` : '';
  const style: Style = snapshot.phase === 'failed' ? 'bad' : 'accent';
  return fit(
    [
      span(' '),
      ...bar(view.fraction, barWidth, style),
      span(` ${percentText(view.fraction)}`, 'bold'),
      span(`  ${done}${rate}${left}`),
    ],
    width,
  );
}

/** Under their wire names, so that what the runbook says can be found; on 80 columns the last may be cut off. */
export function factsLine({ snapshot, view }: JobLook, width: number): Line {
  const facts: readonly (readonly [string, string])[] = [
    ['nodes', `${snapshot.registeredNodes}/${snapshot.spec.worldSize}`],
    ['active_leases', countText(view.leaseFigures.count)],
    ['available_ranges', countText(snapshot.availableRanges)],
    ['drained', yesNo(snapshot.jobDrained)],
    ['ready', yesNo(snapshot.jobReady)],
  ];
  return fit(
    facts.flatMap(([name, value]) => [span(` ${name} `, 'dim'), span(`${value} `, 'bold')]),
    width,
  );
}

/** What is wrong and what to do: two lines, or none. */
export function troubleLines(model: TuiModel, width: number): readonly Line[] {
  const { look, link } = model.watched;
  if (link.state !== 'up') {
    const note = span(' What is shown is the last answer.', 'dim');
    return linkLines(model).map((one, index) =>
      fit([span(' '), ...one, ...(index === 1 ? [note] : [])], width),
    );
  }
  if (look === null || look.view.health.reason === '') return [];
  const { state, reason, remedy } = look.view.health;
  return [
    fit([span(` ${clean(reason)}`, HEALTH_STYLES[state])], width),
    fit(remedy === '' ? [] : [span(' → ', 'bold'), span(clean(remedy))], width),
  ];
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}

/** `09:12:33Z`: operators in several places read one clock. */
export function clockText(unixMs: number): string {
  const seconds = Math.floor(unixMs / 1000) % 86_400;
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${parts.map((part) => String(part).padStart(2, '0')).join(':')}Z`;
}
