/** What the screen saw of a job at one moment. */
import type { JobSnapshot, LeasePart } from '../core/job/protocol.ts';
import type { JobView } from '../view/job-view.ts';

/** A snapshot and what the view concluded from it. */
export interface JobLook {
  readonly snapshot: JobSnapshot;
  readonly view: JobView;
  /** Which leases are listed; all where they are as many as there are. */
  readonly listed: LeasePart;
}

/** Whether all leases there are were listed. */
export function isWhole({ view }: JobLook): boolean {
  return view.leases.length === view.leaseFigures.count;
}
