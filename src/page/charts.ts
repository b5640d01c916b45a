/** The two pictures: throughput over time, and the sample space. */
import type { JobModel } from '../web/page-model.ts';
import { countedText, durationText, percentText, rateText } from '../view/format.ts';
import { byId, h, redraw, setText, svg } from './elements.ts';

const WIDTH = 600;
const HEIGHT = 110;

/** The last minutes of samples a second, as far as the coordinator has seen them. */
export function drawRate(job: JobModel): void {
  const { rates, fraction, phase } = job;
  const isOver = fraction >= 1 || phase === 'failed';
  const now = rates?.samplesPerSecond ?? null;
  setText(byId('rate-now'), now === null || isOver ? '' : rateText(now));
  const rateHistory = now === null ? job.rateHistory : [...job.rateHistory, [0, now] as const];
  redraw('rate', rateHistory, () => {
    const spanMs = Math.max(0, ...rateHistory.map(([ageMs]) => ageMs));
    if (spanMs === 0) return [h('p', { class: 'dim' }, 'not seen for long enough yet')];
    const top = niceTop(Math.max(...rateHistory.map(([, rate]) => rate)));
    const points = rateHistory.map(([ageMs, rate]) => {
      const x = WIDTH - (ageMs / spanMs) * WIDTH;
      return [x, HEIGHT - (rate / top) * HEIGHT] as const;
    });
    const line = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' L');
    const last = points.at(-1)?.[0] ?? WIDTH;
    const label = `Samples a second over the last ${durationText(spanMs)}, at most ${rateText(top)}`;
    return [
      h(
        'figure',
        { class: 'chart' },
        svg(
          'svg',
          {
            viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
            preserveAspectRatio: 'none',
            role: 'img',
            'aria-label': label,
          },
          svg('path', { class: 'grid', d: `M0,${HEIGHT / 2} H${WIDTH}` }),
          svg('path', { class: 'area', d: `M0,${HEIGHT} L${line} L${last},${HEIGHT} Z` }),
          svg('path', { class: 'line', d: `M${line}` }),
        ),
        h('span', { class: 'top' }, rateText(top)),
        h('span', { class: 'left' }, `${durationText(spanMs)} ago`),
        h('span', { class: 'right' }, 'now'),
      ),
    ];
  });
}

/** 1, 2 or 5 times a power of ten. */
function niceTop(most: number): number {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= most) ?? most;
}

/** One cell for each part of the sample space, from the first sample to the last. */
export function drawMap(job: JobModel): void {
  const { map, samples, totalSamples, activeLeases, availableRanges } = job;
  const element = byId('map');
  while (element.children.length > map.length) element.lastElementChild?.remove();
  while (element.children.length < map.length) element.append(h('i'));
  for (const [index, { done, leased, stalled }] of map.entries()) {
    const cell = element.children[index];
    if (!(cell instanceof HTMLElement)) continue;
    const key = `${done} ${leased} ${stalled}`;
    if (cell.dataset['key'] === key) continue;
    cell.dataset['key'] = key;
    cell.style.setProperty('--done-to', `${done * 100}%`);
    cell.style.setProperty('--leased-to', `${(done + leased) * 100}%`);
    cell.style.setProperty('--stalled-to', `${(done + leased + stalled) * 100}%`);
  }
  element.setAttribute('role', 'img');
  const done = (samples.committed + samples.quarantined) / Math.max(1, totalSamples);
  const held = samples.leased / Math.max(1, totalSamples);
  element.setAttribute(
    'aria-label',
    `Sample space: ${percentText(done)} done, ${percentText(held)} leased`,
  );
  setText(
    byId('map-now'),
    `${countedText(activeLeases, 'active lease')} · ${countedText(availableRanges, 'range')} waiting`,
  );
}
