/** What is said of a store that the nodes of a job read from: one sentence for every screen. Pure. */
import type { StoreView } from '../core/job/protocol.ts';
import { countedText, durationText } from './format.ts';

export function storeText({ budget, inFlight, agents, ...store }: StoreView): string {
  const all = sharersText(store);
  const limit = budget === null ? 'not limited' : `of at most ${budget}${all}`;
  const pause = store.pausedMs === 0 ? '' : `, paused for ${durationText(store.pausedMs)}`;
  return `${countedText(inFlight, 'request')} in flight, ${limit}${pause}; ${refusedText(store)}; ${countedText(agents, 'agent')}`;
}

/** Who has a part of the budget besides the job; nothing where nobody has. */
function sharersText({ jobs, guests }: Pick<StoreView, 'jobs' | 'guests'>): string {
  if (jobs === 1 && guests === 0) return '';
  const ofJobs = jobs === 1 ? 'this job' : `${jobs} jobs`;
  if (guests === 0) return ` that ${ofJobs} share`;
  return ` that ${ofJobs} and ${countedText(guests, 'guest')} share`;
}

export function refusedText({
  answeredTotal,
  refusedTotal,
}: Pick<StoreView, 'answeredTotal' | 'refusedTotal'>): string {
  if (refusedTotal === 0) return 'none refused';
  const percent = (100 * refusedTotal) / (answeredTotal + refusedTotal);
  return `${countedText(refusedTotal, 'request')} refused (${percent.toFixed(1)} %)`;
}
