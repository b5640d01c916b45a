/**
 * The leases that a screen looks at, by first sample. Costs some nanoseconds for each lease that there is,
 * and a sort of numbers where they are chosen by their place.
 */
import { must } from '../base/assert.ts';
import type { JobState, LeaseState } from './job-state.ts';
import type { LeaseChoice, LeasePart } from './protocol.ts';

export function chosenLeases(
  job: JobState,
  { wholeUpTo, part }: LeaseChoice,
): readonly LeaseState[] {
  if (job.leases.size <= wholeUpTo) return byStart([...job.leases.values()]);
  switch (part.type) {
    case 'places':
      return atPlaces(job, part);
    case 'node': {
      const ids = [...(job.nodes.get(part.nodeId)?.leases ?? [])];
      return byStart(ids.map((id) => must(job.leases.get(id), 'a node holds live leases')));
    }
    case 'samples': {
      const { start, end } = part.samples;
      const leases = [...job.leases.values()];
      return byStart(leases.filter((lease) => lease.start < end && lease.end > start));
    }
    default:
      return part satisfies never;
  }
}

/** A lease and its double start at different samples or, at the same, follow each other as granted. */
function atPlaces(
  job: JobState,
  { from, count }: Extract<LeasePart, { readonly type: 'places' }>,
): readonly LeaseState[] {
  if (count === 0 || from >= job.leases.size) return [];
  const starts = new Float64Array(job.leases.size);
  let at = 0;
  for (const lease of job.leases.values()) starts[at++] = lease.start;
  starts.sort();
  const first = starts[from] ?? 0;
  const last = starts[Math.min(from + count, starts.length) - 1] ?? 0;
  const within: LeaseState[] = [];
  for (const lease of job.leases.values()) {
    if (lease.start >= first && lease.start <= last) within.push(lease);
  }
  const skipped = from - starts.indexOf(first);
  return byStart(within).slice(skipped, skipped + count);
}

function byStart(leases: LeaseState[]): readonly LeaseState[] {
  return leases.sort((a, b) => a.start - b.start);
}
