/** Times one stage of a worker's order, and makes a span of it for whoever collects traces. */
import { elapsedMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Tracer } from '../ports/tracer.ts';

export type Stage = 'read' | 'process' | 'stage';

export interface RunningStage {
  /** Microseconds since it began. With a message: it failed. */
  end(failure?: string): number;
}

export interface StageTimerOptions {
  readonly clock: Clock;
  readonly tracer: Tracer;
  readonly jobId: string;
  readonly nodeId: string;
}

export class StageTimer {
  readonly #options: StageTimerOptions;

  constructor(options: StageTimerOptions) {
    this.#options = options;
  }

  begin(stage: Stage, leaseId: string): RunningStage {
    const { clock, tracer, jobId, nodeId } = this.#options;
    const startMs = clock.nowMs();
    const span = tracer.start(`mx8.${stage}`, { jobId, leaseId }, { 'mx8.node_id': nodeId });
    return {
      end: (failure) => {
        span.end(failure);
        return Math.max(0, Math.round(elapsedMs(startMs, clock.nowMs()) * 1000));
      },
    };
  }
}
