/** What is done to the cluster and when, drawn from a seed. Whom it hits is decided when it is due. */
import { SeededChance } from './random.ts';

/** Done to processes; always possible. */
export const PROCESS_FAULTS = [
  'kill-leader',
  'kill-standby',
  'pause-leader',
  'pause-leader-briefly',
  'pause-leader-in-mid-write',
  'pause-standby',
  'stop-leader',
  'rolling-restart',
  'kill-agent',
  'pause-agent',
  'kill-worker',
  'pause-worker',
] as const;

/** Done to the members of etcd. */
export const STORE_FAULTS = [
  'kill-store-member',
  'kill-store-leader',
  'pause-store-leader',
] as const;

/** Done to the network between namespaces. */
export const NETWORK_FAULTS = [
  'cut-leader-from-nodes',
  'cut-leader-from-nodes-one-way',
  'cut-standby-from-nodes',
] as const;

/** The same towards the store, where it is reached over the network. */
export const STORE_NETWORK_FAULTS = [
  'cut-leader-from-store',
  'cut-leader-from-store-one-way',
  'cut-leader-from-all',
] as const;

export const CLOCK_FAULTS = ['step-clock-of-coordinator', 'step-clock-of-agent'] as const;

export type FaultKind =
  | (typeof PROCESS_FAULTS)[number]
  | (typeof STORE_FAULTS)[number]
  | (typeof NETWORK_FAULTS)[number]
  | (typeof STORE_NETWORK_FAULTS)[number]
  | (typeof CLOCK_FAULTS)[number];

export interface PlannedFault {
  readonly atMs: number;
  readonly kind: FaultKind;
  /** In [0, 1): picks the target among those that there are, and how far a clock is stepped. */
  readonly draw: number;
  /** How long it lasts, as a part of the longest time for its kind. */
  readonly extent: number;
}

/** Calm at the beginning, so that work is under way, and between faults, at least this long. */
const FIRST_MS = 3000;
const GAP_MS_MIN = 1200;
const GAP_MS_MAX = 3600;

/** Every kind once before any comes again. */
export function makePlan(
  seed: number,
  spanMs: number,
  kinds: readonly FaultKind[],
): readonly PlannedFault[] {
  const chance = new SeededChance(seed);
  const plan: PlannedFault[] = [];
  let bag: FaultKind[] = [];
  for (let atMs = FIRST_MS; atMs < spanMs; atMs += chance.between(GAP_MS_MIN, GAP_MS_MAX)) {
    if (bag.length === 0) bag = chance.shuffled(kinds);
    const kind = bag.pop();
    if (kind === undefined) break;
    plan.push({ atMs, kind, draw: chance.fraction(), extent: chance.between(0.5, 1) });
  }
  return plan;
}
