/**
 * Which leases the screen asks for, and what it may say of them: a job may hold any number, a screen shows
 * a page of them, those of a node, or those of the samples in sight. Pure.
 */
import type { LeaseChoice, LeasePart } from '../core/job/protocol.ts';
import type { LeaseLook } from '../view/looks.ts';
import { isWhole, type JobLook } from './job-look.ts';
import { WHOLE_LEASES_MAX } from './limits.ts';
import { placeAt } from './ui-state.ts';
import type { UiState } from './ui-state.ts';

/** None of them. */
export const NO_LEASES: LeasePart = { type: 'places', from: 0, count: 0 };

/** The leases in sight. `rows`: of the list in front. */
export function partInSight(ui: UiState, look: JobLook | null, rows: number): LeasePart {
  if (look === null) return NO_LEASES;
  const { nodes, leaseFigures, totalSamples } = look.view;
  const within = (length: number): ReturnType<typeof placeAt> => {
    const place = ui.places[ui.tab];
    return placeAt(place, place.selected, length, rows);
  };
  switch (ui.tab) {
    case 'leases':
      return { type: 'places', from: within(leaseFigures.count).top, count: rows };
    case 'nodes': {
      const node = ui.hasDetail ? nodes[within(nodes.length).selected] : undefined;
      return node === undefined ? NO_LEASES : { type: 'node', nodeId: node.nodeId };
    }
    case 'manifest': {
      const { top } = within(totalSamples);
      return { type: 'samples', samples: { start: top, end: top + rows } };
    }
    default:
      return NO_LEASES;
  }
}

/** A page more on both sides, so that moving on finds what it shows. */
export function choiceFor(part: LeasePart, stallMs: number): LeaseChoice {
  return { wholeUpTo: WHOLE_LEASES_MAX, part: widened(part), stallMs };
}

function widened(part: LeasePart): LeasePart {
  switch (part.type) {
    case 'places': {
      const from = Math.max(0, part.from - part.count);
      return { type: 'places', from, count: part.from - from + 2 * part.count };
    }
    case 'samples': {
      const { start, end } = part.samples;
      const samples = { start: Math.max(0, start - (end - start)), end: end + (end - start) };
      return { type: 'samples', samples };
    }
    case 'node':
      return part;
    default:
      return part satisfies never;
  }
}

/** Whether what is listed says all of the leases of that part. */
export function hasPart(look: JobLook | null, part: LeasePart): boolean {
  if (look === null || isWhole(look)) return true;
  const { listed } = look;
  if (part.type === 'places') {
    if (part.count === 0) return true;
    const end = Math.min(part.from + part.count, look.view.leaseFigures.count);
    return (
      listed.type === 'places' && listed.from <= part.from && end <= listed.from + listed.count
    );
  }
  if (part.type === 'node') return listed.type === 'node' && listed.nodeId === part.nodeId;
  if (listed.type !== 'samples') return false;
  const { start, end } = listed.samples;
  return start <= part.samples.start && part.samples.end <= end;
}

/** The lease at that place in order of first samples; null where it is on its way. */
export function leaseAt(look: JobLook, place: number): LeaseLook | null {
  if (isWhole(look)) return look.view.leases[place] ?? null;
  const { listed } = look;
  return listed.type === 'places' ? (look.view.leases[place - listed.from] ?? null) : null;
}

/** Null where they are on their way. */
export function leasesOf(look: JobLook, nodeId: string): readonly LeaseLook[] | null {
  const { listed, view } = look;
  if (!isWhole(look) && !(listed.type === 'node' && listed.nodeId === nodeId)) return null;
  return view.leases.filter((lease) => lease.nodeId === nodeId);
}

/** The node that has the sample now, '' for none; null where that is on its way. */
export function holderOf(look: JobLook | null, sampleId: number): string | null {
  if (look === null) return '';
  const samples = { start: sampleId, end: sampleId + 1 };
  if (!hasPart(look, { type: 'samples', samples })) return null;
  const has = (lease: LeaseLook): boolean => sampleId >= lease.cursor && sampleId < lease.end;
  return look.view.leases.find(has)?.nodeId ?? '';
}
