/** Everything on the page that is words and numbers. */
import type { JobModel, PageModel } from '../web/page-model.ts';
import {
  bytesText,
  countText,
  durationText,
  percentText,
  phaseText,
  rateText,
} from '../view/format.ts';
import { storeText } from '../view/store-text.ts';
import { wireName } from '../view/wire-name.ts';
import { byId, type Child, facts, h, redraw, setClass, setText } from './elements.ts';

const HEALTH_MARKS: Readonly<Record<JobModel['health'], string>> = {
  healthy: '●',
  degraded: '▲',
  stalled: '■',
  unknown: '○',
};
const HEALTH_STYLES: Readonly<Record<JobModel['health'], string>> = {
  healthy: 'good',
  degraded: 'warn',
  stalled: 'bad',
  unknown: '',
};

const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
});

export function timeText(unixMs: number): string {
  return clock.format(unixMs);
}

export function drawHead(model: PageModel): void {
  const { job, coordinator } = model;
  document.title = job === null ? 'mx8' : `${percentText(job.fraction)} ${job.jobId} · mx8`;
  setText(
    byId('name'),
    job === null
      ? ''
      : `${model.jobs.length > 1 ? '' : job.jobId} ${phaseText(job.phase, job.isPaused)}`,
  );
  const health = byId('health');
  health.hidden = job === null || job.health === 'unknown';
  if (job !== null) {
    setText(health, `${HEALTH_MARKS[job.health]} ${job.health}`);
    setClass(health, `pill ${HEALTH_STYLES[job.health]}`);
  }
  setText(byId('role'), `${coordinator.role} · epoch ${countText(coordinator.epoch)}`);
}

/** What somebody should know first: why it is not healthy, that this is a standby, that figures are old. */
export function drawNotes(model: PageModel): void {
  const { job, coordinator, ageMs } = model;
  const from = [
    job?.health,
    job?.healthReason,
    coordinator.role,
    coordinator.leaderUrl,
    coordinator.storeError,
    ownLag(model),
  ];
  const isOld = ageMs > 3000;
  redraw(
    'notes',
    [...from, coordinator.leader, job === null, isOld ? Math.round(ageMs / 1000) : 0],
    () => [
      isOld ? note('bad', `The coordinator has not answered for ${durationText(ageMs)}.`) : null,
      coordinator.storeError === '' ? null : storeNote(coordinator),
      coordinator.role === 'standby' ? standbyNote(model) : null,
      job === null && coordinator.role === 'leader'
        ? note('', 'There is no job yet. Submit one with: mx8 submit')
        : null,
      job === null || job.healthReason === ''
        ? null
        : note(
            HEALTH_STYLES[job.health],
            `${HEALTH_MARKS[job.health]} ${job.healthReason}`,
            job.healthRemedy === '' ? null : h('p', {}, `→ ${job.healthRemedy}`),
          ),
    ],
  );
}

function note(style: string, text: string, more: Child = null): HTMLElement {
  return h('div', { class: `note ${style}` }, h('p', {}, text), more);
}

/** As the runbook has it, under "Coordinator failure and fail-over". */
function storeNote({ role, storeError }: PageModel['coordinator']): HTMLElement {
  const state = role === 'leader' ? 'This coordinator leads' : 'None leads: this coordinator runs';
  const remedy =
    'Mend the store (etcd, or the disk of the state folder), and leave coordinators and agents as they are: one leads again within seconds after it answers, with every lease.';
  return note(
    'bad',
    `■ ${state}, but the store of its state does not answer: ${storeError}.`,
    h('p', {}, `→ ${remedy}`),
  );
}

function ownLag({ coordinator }: PageModel): number {
  return coordinator.members.find(({ isThis }) => isThis)?.lagEntries ?? 0;
}

function standbyNote(model: PageModel): HTMLElement {
  const { leader, leaderUrl, storeError } = model.coordinator;
  if (storeError !== '') return note('', 'What follows is what it has read of the log.');
  const behind = ownLag(model);
  const lag =
    behind === 0
      ? 'up to date'
      : `${countText(behind)} log ${behind === 1 ? 'entry' : 'entries'} behind`;
  const where =
    leader === null ? 'Nobody is known to lead at this moment.' : `The leader is at ${leader}.`;
  const link =
    leaderUrl === null
      ? null
      : h('p', {}, h('a', { href: leaderUrl }, 'Open the page of the leader'));
  return note(
    leader === null ? 'bad' : '',
    `This coordinator stands by, ${lag}. ${where} What follows is what it has read of the log.`,
    link,
  );
}

export function drawProgress(job: JobModel): void {
  const { fraction, finishedSamples, totalSamples, rates, etaMs, samples, phase } = job;
  const isRunning = fraction < 1 && phase !== 'failed';
  redraw('progress', [fraction, finishedSamples, rates, etaMs, samples, phase], () => {
    const bar = h('progress', { max: 1, value: fraction, 'aria-label': 'Finished samples' });
    if (phase === 'failed') bar.className = 'bad';
    return [
      h('div', { class: 'big' }, percentText(fraction)),
      h(
        'div',
        { class: 'how' },
        bar,
        facts([
          ['samples', `${countText(finishedSamples)} of ${countText(totalSamples)}`],
          ['rate', isRunning && rates !== null ? rateText(rates.samplesPerSecond) : '–'],
          ['time left', isRunning && etaMs !== null ? durationText(etaMs) : '–'],
          ['leased', countText(samples.leased)],
          ['waiting', countText(samples.unissued)],
          ['quarantined', countText(samples.quarantined)],
        ]),
      ),
    ];
  });
}

export function drawStalls(job: JobModel): void {
  const { stalled, stalledCount } = job;
  setText(byId('stalls-now'), stalledCount === 0 ? '' : countText(stalledCount));
  redraw(
    'stalls',
    stalled.map((one) => [one.leaseId, one.at, Math.round(one.stillMs / 1000)]),
    () => {
      if (stalled.length === 0) return [h('p', { class: 'dim' }, 'none')];
      return [
        h(
          'ul',
          { class: 'list' },
          ...stalled.map(({ leaseId, nodeId, start, end, at, stillMs }) =>
            h(
              'li',
              {},
              h('b', {}, leaseId),
              ` of ${nodeId} stands at sample ${countText(at)} of [${countText(start)}, ${countText(end)}) for `,
              h('b', { class: 'warn' }, durationText(stillMs)),
            ),
          ),
        ),
      ];
    },
  );
}

export function drawCoordinators(model: PageModel): void {
  const { members, leadsSinceUnixMs, epoch, tailSeq, rssBytes, storeError } = model.coordinator;
  redraw(
    'coordinators',
    [members, storeError, leadsSinceUnixMs, epoch, tailSeq, Math.round(rssBytes / 2 ** 20)],
    () => [
      h(
        'ul',
        { class: 'list' },
        ...members
          .toSorted((a, b) => Number(b.isLeader) - Number(a.isLeader))
          .map(({ address, isLeader, isThis, lagEntries }) =>
            h(
              'li',
              {},
              h('b', {}, isLeader ? '● leader ' : '○ standby '),
              `${address}${isThis ? ' (this one)' : ''}`,
              isLeader
                ? null
                : h(
                    'span',
                    { class: 'dim' },
                    lagEntries === 0 ? ' up to date' : ` ${countText(lagEntries)} behind`,
                  ),
            ),
          ),
      ),
      facts([
        [
          epoch > 1 ? 'leads since' : 'started',
          leadsSinceUnixMs === null ? '–' : timeText(leadsSinceUnixMs),
        ],
        ['epoch', countText(epoch)],
        ['log entry', countText(tailSeq)],
        ['memory', bytesText(rssBytes)],
      ]),
      members.length > 1 ? null : h('p', { class: 'dim' }, othersText(storeError)),
    ],
  );
}

function othersText(storeError: string): string {
  if (storeError === '') return 'Nobody stands by.';
  return 'Who else stands by is not known while the store of the state does not answer.';
}

export function drawOutput(job: JobModel): void {
  const { output, commitsOutputs, rates, outputManifestHash, manifestHash } = job;
  redraw('output', [output, rates?.bytesPerSecond, outputManifestHash, manifestHash], () => [
    commitsOutputs
      ? facts([
          ['rows', countText(output.rows)],
          ['bytes', bytesText(output.bytes)],
          ['pieces', countText(output.pieces)],
          ['written', rates === null ? '–' : `${bytesText(rates.bytesPerSecond)}/s`],
        ])
      : h('p', { class: 'dim' }, 'The job delivers samples; it writes nothing.'),
    facts([
      ['input', h('code', {}, manifestHash)],
      ...(outputManifestHash === null
        ? []
        : ([['result', h('code', {}, outputManifestHash)]] as const)),
    ]),
  ]);
}

export function drawStores({ stores }: JobModel): void {
  byId('stores-panel').hidden = stores.length === 0;
  redraw('stores', stores, () => [
    h(
      'ul',
      { class: 'list' },
      ...stores.map((store) => h('li', {}, h('b', {}, store.host), ` ${storeText(store)}`)),
    ),
  ]);
}

export function drawCounters({ counters }: JobModel): void {
  redraw('counters', counters, () => [
    facts(
      Object.entries(counters).map(([name, count]: [string, number]) => [
        wireName(name),
        countText(count),
      ]),
    ),
  ]);
}

const LEVEL_STYLES: Readonly<Record<string, string>> = { warn: 'warn', error: 'bad' };

export function drawEvents({ events }: PageModel): void {
  redraw('events', events, () => {
    if (events.length === 0) return [h('p', { class: 'dim' }, 'none since this coordinator began')];
    return [
      h(
        'ol',
        { class: 'events' },
        ...events.map(({ atUnixMs, event, level, text, count }) =>
          h(
            'li',
            {},
            h('time', {}, timeText(atUnixMs)),
            ' ',
            h('b', { class: LEVEL_STYLES[level] ?? '' }, event),
            count > 1 ? h('span', { class: 'times' }, ` ×${countText(count)}`) : null,
            ` ${text}`,
          ),
        ),
      ),
    ];
  });
}
