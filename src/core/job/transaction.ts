/**
 * One step in progress: records are applied as they are emitted, so a decision later in the same step
 * sees what an earlier one did, and their positions in the log are known at once.
 */
import { leaseId, type LeaseId } from '../base/units.ts';
import { applyRecord } from './apply.ts';
import type { CoordinatorState } from './job-state.ts';
import type { Fact, StepContext } from './protocol.ts';
import type { JobRecord } from './records.ts';

export class Transaction {
  readonly state: CoordinatorState;
  readonly context: StepContext;
  readonly records: JobRecord[] = [];
  readonly facts: Fact[] = [];

  constructor(state: CoordinatorState, context: StepContext) {
    this.state = state;
    this.context = context;
  }

  /** Makes the record true and returns its position as a token. */
  emit(record: JobRecord): LeaseId {
    const { epoch, seq, nextIndex, nowMs } = this.context;
    const position = { epoch, seq, index: nextIndex + this.records.length };
    applyRecord(this.state, record, position, nowMs);
    this.records.push(record);
    return leaseId(position);
  }

  fact(fact: Fact): void {
    this.facts.push(fact);
  }
}
