/** Times and counts of an agent: what its workers and its coordinator told it, added up. */
import { Histogram, SECONDS_BOUNDS } from '../core/base/histogram.ts';
import { BatchJitter } from '../core/memory/batch-jitter.ts';
import type { Push } from '../ports/coordinator-client.ts';
import type { AgentMeterReadings } from '../ports/agent-figures.ts';
import type { FromWorker } from './worker-messages.ts';

export class AgentMeters implements AgentMeterReadings {
  deliveredSamples = 0;
  deliveredBytes = 0;
  committedPieces = 0;
  outputRows = 0;
  outputBytes = 0;
  workersStarted = 0;
  disconnects = 0;
  readonly jitter: BatchJitter = new BatchJitter();
  readonly stageSeconds: AgentMeterReadings['stageSeconds'] = {
    read: new Histogram(SECONDS_BOUNDS),
    process: new Histogram(SECONDS_BOUNDS),
    stage: new Histogram(SECONDS_BOUNDS),
  };
  readonly callSeconds: Map<string, Histogram> = new Map<string, Histogram>();

  onWorker(message: FromWorker): void {
    if (message.type === 'batch_done') {
      this.deliveredSamples += message.samples;
      this.deliveredBytes += message.bytes;
      this.jitter.add(message.bytes);
      this.stageSeconds.read.observe(message.readUs / 1e6);
      this.stageSeconds.process.observe(message.processUs / 1e6);
    } else if (message.type === 'piece_staged') {
      this.stageSeconds.stage.observe(message.stageUs / 1e6);
    }
  }

  onCommitted({ rows, bytes }: { readonly rows: number; readonly bytes: number }): void {
    this.committedPieces += 1;
    this.outputRows += rows;
    this.outputBytes += bytes;
  }

  onPush({ type }: Push): void {
    if (type === 'disconnected') this.disconnects += 1;
  }

  onCall(type: string, spanMs: number): void {
    const known = this.callSeconds.get(type);
    const histogram = known ?? new Histogram(SECONDS_BOUNDS);
    if (known === undefined) this.callSeconds.set(type, histogram);
    histogram.observe(spanMs / 1000);
  }
}
