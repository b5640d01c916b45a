/** How often each fault struck in each phase of a coordinator's life. A zero over a long run is a hole. */

/** What a coordinator is in the middle of when a fault strikes it. */
export const PHASES = [
  'before claim',
  'claim to replay',
  'append in flight',
  'outcome unknown',
  'append to answer',
  'snapshot',
  'trim',
  'take-over with live leases',
  'commit of the last range',
] as const;

export type Phase = (typeof PHASES)[number];

export const FAULTS = [
  'coordinator killed',
  'coordinator paused below its TTL',
  'coordinator paused above its TTL',
  'event loop stalled',
  'wall clock set',
  'monotonic clock jumped',
  'leader cut from the store',
  'leader cut from the nodes',
  'one way cut',
  'connections reset',
  'store answer lost',
  'store request lost',
  'store request late',
  'store refused',
  'store write failed',
  'message lost',
  'message doubled',
  'message late',
  'node killed',
  'death of a node told',
  'node paused',
  'node cut from the leader',
  'node id used twice',
  'node lost for good',
  'hand-over planned',
  'rolling restart',
  'lead taken',
] as const;

export type FaultName = (typeof FAULTS)[number];

const FAULT_INDEX = new Map<FaultName, number>(FAULTS.map((name, index) => [name, index]));

export class Coverage {
  /** By fault, then phase. */
  readonly struck: Uint32Array = new Uint32Array(FAULTS.length * PHASES.length);
  /** By fault, in whatever phase, none included. */
  readonly total: Uint32Array = new Uint32Array(FAULTS.length);

  /** `phases` has a bit for each phase that holds at this moment. */
  count(fault: FaultName, phases: number): void {
    const row = FAULT_INDEX.get(fault) ?? 0;
    this.total[row] = (this.total[row] ?? 0) + 1;
    for (let phase = 0; phase < PHASES.length; phase += 1) {
      if ((phases & (1 << phase)) === 0) continue;
      const at = row * PHASES.length + phase;
      this.struck[at] = (this.struck[at] ?? 0) + 1;
    }
  }

  of(fault: FaultName): number {
    return this.total[FAULT_INDEX.get(fault) ?? 0] ?? 0;
  }

  add(other: { readonly struck: ArrayLike<number>; readonly total: ArrayLike<number> }): void {
    for (let at = 0; at < this.struck.length; at += 1) {
      this.struck[at] = (this.struck[at] ?? 0) + (other.struck[at] ?? 0);
    }
    for (let at = 0; at < this.total.length; at += 1) {
      this.total[at] = (this.total[at] ?? 0) + (other.total[at] ?? 0);
    }
  }
}

export function phaseBit(phase: Phase): number {
  return 1 << PHASES.indexOf(phase);
}
