/** What a screen of a job shows of a host. */
export interface StoreView {
  readonly host: string;
  /** Of all jobs of this coordinator that are busy there, and how many those are. Null: nobody is limited. */
  readonly budget: number | null;
  readonly jobs: number;
  /** Processes that are of no job and have their part of the budget: commands, and the coordinator's own. */
  readonly guests: number;
  /** Of the job's agents that were heard lately, as they last said. */
  readonly agents: number;
  readonly inFlight: number;
  readonly wanted: number;
  /** Its answers and refusals since this coordinator leads. */
  readonly answeredTotal: number;
  readonly refusedTotal: number;
  /** Mean time until an answer began, in the last beat that had some; 0: not known. */
  readonly firstByteUs: number;
  /** How long nobody is to ask for anything yet. */
  readonly pausedMs: number;
}
