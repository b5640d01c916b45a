/** What is said of a store that the nodes of a job read from: one sentence for every screen. Pure. */
import type { StoreView } from '../core/job/protocol.ts';
import { countedText, durationText } from './format.ts';

export function storeText({ budget, inFlight, agents, jobs, ...store }: StoreView): string {
  const all = jobs === 1 ? '' : ` that ${jobs} jobs share`;
  const limit = budget === null ? 'not limited' : `of at most ${budget}${all}`;
  const pause = store.pausedMs === 0 ? '' : `, paused for ${durationText(store.pausedMs)}`;
  return `${countedText(inFlight, 'request')} in flight, ${limit}${pause}; ${refusedText(store)}; ${countedText(agents, 'agent')}`;
}

export function refusedText({
  answeredTotal,
  refusedTotal,
}: Pick<StoreView, 'answeredTotal' | 'refusedTotal'>): string {
  if (refusedTotal === 0) return 'none refused';
  const percent = (100 * refusedTotal) / (answeredTotal + refusedTotal);
  return `${countedText(refusedTotal, 'request')} refused (${percent.toFixed(1)} %)`;
}
