/** Which worker process does what, and how often it has died at it. Changed only by `crew.ts`. */
import type { SampleRange } from '../base/range.ts';
import type { LeaseId, MonoMs } from '../base/units.ts';
import type { Lease } from '../job/protocol.ts';
import type { PoisonedSample, WorkerEnd } from './crew-protocol.ts';

export interface CrewOptions {
  /** Worker processes, at least 1. */
  readonly workers: number;
  /** True when output is staged in pieces; false when delivery alone is the work. */
  readonly stages: boolean;
  /** Longest time without a finished batch (or without getting ready) before a worker is killed. */
  readonly stallTimeoutMs: number;
  /** What becomes of a sample that ends its worker again and again. */
  readonly onError: 'fail' | 'quarantine';
  /** The job module that workers load, for sentences; null for delivery alone. */
  readonly jobFile: string | null;
}

/** The rest of one lease, in a worker's hands or waiting for one. */
export class Assignment {
  /** Its range gets shorter when its tail is given to another node. */
  lease: Lease;
  /** Everything below it is staged (or delivered, where nothing is staged). Never goes back. */
  from: number;
  attempt: number = 0;
  singly: SampleRange | null = null;
  readonly poisoned: PoisonedSample[] = [];
  /** Deaths by the first sample of the batch in hand. */
  readonly crashes: Map<number, number> = new Map<number, number>();
  crashesSinceProgress: number = 0;

  constructor(lease: Lease) {
    this.lease = lease;
    this.from = lease.cursor;
  }

  advance(cursor: number): void {
    if (cursor <= this.from) return;
    this.from = cursor;
    this.crashesSinceProgress = 0;
    for (const start of this.crashes.keys()) if (start < cursor) this.crashes.delete(start);
    if (this.singly !== null && this.singly.end <= cursor) this.singly = null;
  }
}

/**
 * `down` no process; one starts at `startAtMs` · `starting` not ready yet · `idle` · `busy` · `stopping`
 * it was told to stop and has not said that it did · `dying` it was killed and has not exited yet.
 */
export type SlotPhase = 'down' | 'starting' | 'idle' | 'busy' | 'stopping' | 'dying';

export class Slot {
  readonly index: number;
  phase: SlotPhase = 'down';
  /** Counts processes in this slot; 0 before the first. */
  incarnation: number = 0;
  startAtMs: MonoMs;
  /** When it last showed that it moves: a start, an order taken, a finished batch. */
  movedAtMs: MonoMs;
  failedStarts: number = 0;
  /** Processes that died since the last finished batch. */
  deathsInARow: number = 0;
  workId: number = 0;
  leaseId: LeaseId | null = null;
  /** True when what it stages still counts. */
  counts: boolean = false;
  /** Samples that process() has in hand. */
  batch: SampleRange | null = null;
  /** Why it was killed, when it was. */
  killedFor: WorkerEnd | null = null;

  constructor(index: number, nowMs: MonoMs) {
    this.index = index;
    this.startAtMs = nowMs;
    this.movedAtMs = nowMs;
  }
}

export class CrewState {
  readonly options: CrewOptions;
  readonly slots: readonly Slot[];
  /** By lease, in order of grant; gone when its last sample is staged or the lease is gone. */
  readonly assignments: Map<LeaseId, Assignment> = new Map<LeaseId, Assignment>();
  nextWorkId: number = 1;
  winding: boolean = false;
  /** The job has been declared failed: no worker is started again. */
  failed: boolean = false;

  constructor(options: CrewOptions, nowMs: MonoMs) {
    this.options = options;
    this.slots = Array.from({ length: options.workers }, (_, index) => new Slot(index, nowMs));
  }

  slotOf(workId: number): Slot | undefined {
    return this.slots.find((slot) => slot.workId === workId && slot.leaseId !== null);
  }

  slotWith(leaseId: LeaseId): Slot | undefined {
    return this.slots.find((slot) => slot.leaseId === leaseId);
  }
}
