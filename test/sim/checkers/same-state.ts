/**
 * Whether two states are the same in what no restart may change: everything that a record moves, and nothing
 * that is relearnt (deadlines, who was heard of when, the order of the leases). Says where they differ. It
 * compares fields by their names, so that a field that is new to the core takes part by itself.
 */
import type { CoordinatorState } from '../../../src/core/job/coordinator.ts';
import type { JobState, LeaseState, NodeState } from '../../../src/core/job/job-state.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What is relearnt, or compared in a way of its own. */
const NOT_OF_JOB: ReadonlySet<string> = new Set([
  'busy',
  'counters',
  'finished',
  'leases',
  'nodes',
  'pieces',
  'waiting',
  'work',
] satisfies readonly (keyof JobState)[]);
const NOT_OF_NODE: ReadonlySet<string> = new Set([
  'disconnected',
  'lastHeardMs',
  'leases',
  'pace',
  'stats',
] satisfies readonly (keyof NodeState)[]);
const NOT_OF_LEASE: ReadonlySet<string> = new Set([
  'deadlineMs',
  'deliveredCursor',
  'movedMs',
] satisfies readonly (keyof LeaseState)[]);
/** Counters that no record moves. */
const SOFT_COUNTERS: ReadonlySet<string> = new Set([
  'heartbeatTotal',
  'registerTotal',
  'requestLeaseTotal',
  'resumeCheckpointRejectedTotal',
] satisfies readonly (keyof JobState['counters'])[]);
const NOTHING: ReadonlySet<string> = new Set();

/** Null when they are the same. */
export function differenceOf(a: CoordinatorState, b: CoordinatorState): string | null {
  return ofLists(a.jobs, b.jobs, (one, other) => ofJobs(one, other), 'jobs');
}

function ofJobs(a: JobState, b: JobState): string | null {
  return (
    ofFields(a, b, NOT_OF_JOB) ??
    ofFields(a.counters, b.counters, SOFT_COUNTERS) ??
    ofLists(a.nodes, b.nodes, (one, other) => ofFields(one, other, NOT_OF_NODE), 'nodes') ??
    ofLeases(a, b) ??
    ofLists(a.finished, b.finished, (one, other) => ofFields(one, other, NOTHING), 'finished') ??
    ofWork(a, b)
  );
}

/** Whatever order they stand in. */
function ofLeases(a: JobState, b: JobState): string | null {
  if (a.leases.size !== b.leases.size) return `${a.leases.size} against ${b.leases.size} leases`;
  for (const [id, lease] of a.leases) {
    const other = b.leases.get(id);
    if (other === undefined) return `lease ${id} against none`;
    const difference = ofFields(lease, other, NOT_OF_LEASE);
    if (difference !== null) return `lease ${id}: ${difference}`;
  }
  return null;
}

function ofWork(a: JobState, b: JobState): string | null {
  const [work, otherWork] = [a.work.dump(), b.work.dump()];
  const [pieces, otherPieces] = [a.pieces.dump(), b.pieces.dump()];
  if (!isSameBytes(work.blocks, otherWork.blocks)) return 'blocks';
  if (!isSameBytes(pieces.columns, otherPieces.columns)) return 'pieces';
  if (!isSame(pieces.quarantined, otherPieces.quarantined)) return 'pieces in quarantine';
  return ofFields(work, otherWork, new Set(['blocks']));
}

/** Two maps, entry by entry in their order. */
function ofLists<K extends string, V>(
  a: ReadonlyMap<K, V>,
  b: ReadonlyMap<K, V>,
  compare: (one: V, other: V) => string | null,
  what: string,
): string | null {
  if (a.size !== b.size) return `${a.size} against ${b.size} ${what}`;
  const others = b.entries();
  for (const [key, value] of a) {
    const other = others.next().value;
    if (other?.[0] !== key) return `${what}: ${key} against ${String(other?.[0])}`;
    const difference = compare(value, other[1]);
    if (difference !== null) return `${what}: ${key}: ${difference}`;
  }
  return null;
}

function ofFields(a: object, b: object, without: ReadonlySet<string>): string | null {
  for (const name in a) {
    if (without.has(name)) continue;
    const [one, other] = [(a as Fields)[name], (b as Fields)[name]];
    if (!isSame(one, other)) return `${name} is ${told(one)} against ${told(other)}`;
  }
  return null;
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => isSame((a as Fields)[name], (b as Fields)[name]));
}

function isSameBytes(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function told(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? String(one) : one));
}
