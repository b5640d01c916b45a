/** The coordinators of a state as a few lines for a person. Pure. */
import type { CoordinatorView } from '../../ports/coordinator-client.ts';
import { countText, durationText } from '../../view/format.ts';

export function coordinatorText(view: CoordinatorView, nowUnixMs: number): string {
  const { leader, epoch, tailSeq } = view;
  const lines = [
    leader === null
      ? `coordinator  nobody leads  epoch ${epoch}`
      : `coordinator  leader ${leader.address}  epoch ${epoch}${sinceText(view, nowUnixMs)}`,
    `  answered by ${view.role} ${view.address}`,
    `  log         entry ${tailSeq}`,
    ...(view.storeError === '' ? standbyLines(view) : [`  store       away: ${view.storeError}`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** The first claim is a start; every later one is a restart or a fail-over. */
function sinceText({ leadsSinceUnixMs, epoch }: CoordinatorView, nowUnixMs: number): string {
  if (leadsSinceUnixMs === null) return '';
  const what = epoch > 1 ? 'last fail-over or restart' : 'started';
  const at = new Date(leadsSinceUnixMs).toISOString().replace('T', ' ').slice(0, 19);
  return `  ${what} ${at} UTC, ${durationText(Math.max(0, nowUnixMs - leadsSinceUnixMs))} ago`;
}

function standbyLines({ candidates, leader, tailSeq }: CoordinatorView): readonly string[] {
  const standbys = candidates.filter(({ who }) => who !== leader?.who);
  if (standbys.length === 0) return ['  standbys    none: nobody takes over when the leader ends'];
  return standbys.map(({ address, appliedSeq }, index) => {
    const behind = Math.max(0, tailSeq - appliedSeq);
    const lag =
      behind === 0
        ? 'up to date'
        : `${countText(behind)} ${behind === 1 ? 'entry' : 'entries'} behind`;
    return `  ${index === 0 ? 'standbys  ' : '          '}  ${address}  ${lag}`;
  });
}
