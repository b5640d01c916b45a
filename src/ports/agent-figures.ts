/** What an agent knows of itself, for its metrics. */
import type { Histogram } from '../core/base/histogram.ts';
import type { NodeCaps, NodeStats } from '../core/job/protocol.ts';

export interface AgentFigures {
  readonly jobId: string;
  readonly nodeId: string;
  readonly stats: NodeStats;
  readonly caps: NodeCaps;
  /** Of each worker process; null for none. */
  readonly maxProcessRssBytes: number | null;
  readonly workers: number;
  readonly meters: AgentMeterReadings;
}

export interface AgentMeterReadings {
  readonly deliveredSamples: number;
  readonly deliveredBytes: number;
  readonly committedPieces: number;
  readonly outputRows: number;
  readonly outputBytes: number;
  /** Worker processes begun, the first of each slot included. */
  readonly workersStarted: number;
  /** How often the way to the coordinator broke. */
  readonly disconnects: number;
  /** Seconds by stage: waiting for a batch to be read, process(), staging a piece of output. */
  readonly stageSeconds: Readonly<Record<'read' | 'process' | 'stage', Histogram>>;
  /** Seconds that calls at the coordinator took, by call. */
  readonly callSeconds: ReadonlyMap<string, Histogram>;
}
