/** Whose requests to stores are part of a budget that a coordinator divides: an agent, or a loader. */
import type { MonoMs } from '../core/base/units.ts';
import type { StoreReport, StoreShare } from '../core/transfer/store-report.ts';

export interface StoreSharer {
  /** What a heartbeat says of the hosts that were read from lately. */
  reports(): readonly StoreReport[];
  /** What it was answered, if it was sent at `askedMs`: at hosts that are not named there is no share. */
  hear(shares: readonly StoreShare[], askedMs: MonoMs): void;
}
