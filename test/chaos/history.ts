/**
 * What a run of chaos recorded: what processes logged, what clients were answered, what was done to them,
 * how they ended. Times are milliseconds on the machine's one monotonic clock, which all recorders share.
 */
export type Role = 'coordinator' | 'agent' | 'client' | 'store';

/** A line that a process logged. `process` names one start of it: `c0#2`. */
export interface LoggedEvent {
  readonly kind: 'event';
  readonly atMs: number;
  readonly process: string;
  readonly role: Role;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One call of a client, from before it was sent until it was decided. */
export interface Call {
  readonly kind: 'call';
  readonly client: string;
  readonly call: string;
  readonly address: string;
  readonly sentMs: number;
  readonly endedMs: number;
  /** `unanswered`: whether it was done is not known to the client. */
  readonly outcome: 'ok' | 'refused' | 'unanswered';
  /** The error code or status of what was not `ok`. */
  readonly code: string;
  /** What was asked and answered, as far as the checker compares it. */
  readonly said: Readonly<Record<string, unknown>>;
}

export interface Fault {
  readonly kind: 'fault';
  readonly atMs: number;
  readonly what: string;
  readonly target: string;
}

export interface Exit {
  readonly kind: 'exit';
  readonly atMs: number;
  readonly process: string;
  readonly role: Role;
  readonly pid: number;
  readonly code: number | null;
  readonly signal: string | null;
  /** What the run did to it, or '' when it ended by itself. */
  readonly because: string;
}

/** A piece of output as the coordinator lists it when all is over. */
export interface FinalPiece {
  readonly kind: 'piece';
  readonly jobId: string;
  readonly start: number;
  readonly end: number;
  readonly leaseId: string;
}

/** How a job stands when all is over. */
export interface FinalJob {
  readonly kind: 'job';
  readonly jobId: string;
  readonly sampleCount: number;
  readonly committed: number;
  readonly isDrained: boolean;
  readonly leasesExpired: number;
}

export type HistoryItem = LoggedEvent | Call | Fault | Exit | FinalPiece | FinalJob;

/** Of this machine since its boot, the same in all processes. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
