/** The page: one stream of updates, drawn as they come. It asks for nothing else and changes nothing. */
import type { PageModel } from '../web/page-model.ts';
import { countText, percentText, phaseText } from '../view/format.ts';
import { drawMap, drawRate } from './charts.ts';
import { byId, h, redraw, setClass, setText } from './elements.ts';
import { drawNodes } from './nodes-panel.ts';
import {
  drawCoordinators,
  drawCounters,
  drawEvents,
  drawHead,
  drawNotes,
  drawOutput,
  drawProgress,
  drawStalls,
  drawStores,
  timeText,
} from './panels.ts';

/** Updates come every second: after so long without one the figures are called old. */
const SILENCE_MS = 5000;
/** A server that refused the stream is asked again after this long. */
const RETRY_MS = 3000;

const jobs = byId('jobs') as HTMLSelectElement;
let chosen = new URLSearchParams(location.search).get('job') ?? '';
let source: EventSource | null = null;
let lastAtUnixMs = 0;
let silence = 0;

function draw(model: PageModel): void {
  lastAtUnixMs = model.atUnixMs;
  drawChoice(model);
  drawHead(model);
  drawNotes(model);
  drawCoordinators(model);
  drawEvents(model);
  const { job } = model;
  document.body.classList.toggle('no-job', job === null);
  if (job === null) return;
  drawProgress(job);
  drawRate(job);
  drawMap(job);
  drawNodes(job, model.coordinator.role === 'standby');
  drawStalls(job);
  drawOutput(job);
  drawStores(job);
  drawCounters(job);
}

function drawChoice({ jobs: heads, jobCount, job }: PageModel): void {
  byId('choice').hidden = heads.length < 2;
  if (heads.length < 2 || document.activeElement === jobs) return;
  redraw('jobs', heads, () =>
    heads.map(({ jobId, fraction, phase, isPaused }) =>
      h(
        'option',
        { value: jobId },
        `${jobId} · ${percentText(fraction)} ${phaseText(phase, isPaused)}`,
      ),
    ),
  );
  jobs.value = job?.jobId ?? '';
  jobs.title = jobCount > heads.length ? `the first of ${countText(jobCount)} jobs` : '';
}

function showLink(isLive: boolean, text: string): void {
  setText(byId('link'), text);
  setClass(byId('link'), isLive ? 'live' : 'bad');
  document.body.classList.toggle('old', !isLive);
}

function lost(): void {
  const since = lastAtUnixMs === 0 ? '' : `; figures of ${timeText(lastAtUnixMs)}`;
  showLink(false, `no connection${since}`);
}

function connect(): void {
  source?.close();
  const query = chosen === '' ? '' : `?job=${encodeURIComponent(chosen)}`;
  const opened = new EventSource(`events${query}`);
  source = opened;
  opened.onmessage = ({ data }: MessageEvent<string>) => {
    clearTimeout(silence);
    silence = setTimeout(lost, SILENCE_MS);
    showLink(true, 'live');
    draw(JSON.parse(data) as PageModel);
  };
  opened.onerror = () => {
    lost();
    // A stream that broke is opened again by the browser; one that was refused is not.
    if (opened.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  };
}

jobs.addEventListener('change', () => {
  chosen = jobs.value;
  history.replaceState(null, '', `?job=${encodeURIComponent(chosen)}`);
  jobs.blur();
  connect();
});

const first = JSON.parse(byId('first').textContent ?? '{}') as PageModel | { model: null };
if ('version' in first) draw(first);
connect();
