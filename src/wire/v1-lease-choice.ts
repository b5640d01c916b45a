/** Which leases a snapshot lists, as `mx8.v1` carries it, both ways. */
import type { LeaseChoice, LeasePart } from '../core/job/protocol.ts';
import { child, nodeIdOf, requiredChild, text, uint, uint64 } from './fields.ts';
import type { WireMessage } from './schema.ts';

export function leaseChoiceMessage({ wholeUpTo, part, stallMs }: LeaseChoice): WireMessage {
  return { wholeUpTo, stallMs: Math.round(stallMs), ...partMessage(part) };
}

function partMessage(part: LeasePart): WireMessage {
  switch (part.type) {
    case 'places':
      return { places: { from: part.from, count: part.count } };
    case 'node':
      return { nodeId: part.nodeId };
    case 'samples':
      return { samples: { ...part.samples } };
    default:
      return part satisfies never;
  }
}

/** Null where all leases are meant. */
export function leaseChoiceFrom(request: WireMessage): LeaseChoice | null {
  const message = child(request, 'leases');
  if (message === null) return null;
  const wholeUpTo = uint64(message, 'wholeUpTo');
  return { wholeUpTo, stallMs: uint64(message, 'stallMs'), part: partFrom(message) };
}

function partFrom(message: WireMessage): LeasePart {
  switch (text(message, 'part')) {
    case 'places': {
      const places = requiredChild(message, 'places');
      return { type: 'places', from: uint64(places, 'from'), count: uint(places, 'count') };
    }
    case 'nodeId':
      return { type: 'node', nodeId: nodeIdOf(message) };
    case 'samples': {
      const samples = requiredChild(message, 'samples');
      const [start, end] = [uint64(samples, 'start'), uint64(samples, 'end')];
      return { type: 'samples', samples: { start, end } };
    }
    default:
      return { type: 'places', from: 0, count: 0 };
  }
}
