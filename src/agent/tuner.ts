/** The caps that an agent works with now: as it was started, as an operator said since, less under pressure. */
import { type Tuning, UNTUNED } from '../core/job/operations.ts';
import type { NodeStats } from '../core/job/protocol.ts';
import {
  eased,
  NO_PRESSURE,
  type Pressure,
  raisedInMs,
  stepPressure,
} from '../core/memory/pressure.ts';
import type { CompiledAgentOptions } from './options.ts';
import type { Effective } from './worker-plan.ts';

type TuningStats = Pick<
  NodeStats,
  | 'autotuneEnabled'
  | 'effectivePrefetchBatches'
  | 'effectiveMaxQueueBatches'
  | 'effectiveWant'
  | 'autotunePressureMilli'
  | 'autotuneCooldownTicks'
>;

/** One tick of the cool-down that is shown. */
const TICK_MS = 1_000;

export class Tuner {
  readonly #options: CompiledAgentOptions;
  /** What an operator said while it works; null: as in the options. */
  #tuning: Tuning = UNTUNED;
  #pressure: Pressure = NO_PRESSURE;

  constructor(options: CompiledAgentOptions) {
    this.#options = options;
  }

  get effective(): Effective {
    const { caps, want, prefetchBatches, maxQueueBatches } = this.#options;
    const tuning = this.#tuning;
    const wanted = {
      want: tuning.want ?? want,
      maxInflightBytes: tuning.maxInflightBytes ?? caps.maxInflightBytes,
      prefetchBatches: tuning.prefetchBatches ?? prefetchBatches,
      maxQueueBatches: tuning.maxQueueBatches ?? maxQueueBatches,
    };
    return eased(wanted, this.#pressure.level);
  }

  tune(tuning: Tuning): void {
    this.#tuning = tuning;
    this.#say('info', 'node_tuned', {});
  }

  /** A worker has this part of the memory that its cap allows. True when the caps have changed. */
  onMemory(part: number): boolean {
    const { autotune, clock } = this.#options;
    if (!autotune) return false;
    const before = this.#pressure;
    this.#pressure = stepPressure(before, part, clock.nowMs());
    const { level } = this.#pressure;
    if (level === before.level) return false;
    const fields = { level, rss_part_of_cap: Math.round(part * 1000) / 1000 };
    if (level > before.level) this.#say('warn', 'memory_pressure', fields);
    else this.#say('info', 'memory_pressure_eased', fields);
    return true;
  }

  get stats(): TuningStats {
    const { want, prefetchBatches, maxQueueBatches } = this.effective;
    const { autotune, maxProcessRssBytes, clock } = this.#options;
    return {
      autotuneEnabled: autotune && maxProcessRssBytes !== null,
      effectivePrefetchBatches: prefetchBatches,
      effectiveMaxQueueBatches: maxQueueBatches,
      effectiveWant: want,
      autotunePressureMilli: Math.round(this.#pressure.part * 1000),
      autotuneCooldownTicks: Math.ceil(raisedInMs(this.#pressure, clock.nowMs()) / TICK_MS),
    };
  }

  #say(level: 'info' | 'warn', event: string, fields: Readonly<Record<string, number>>): void {
    const { want, maxInflightBytes, prefetchBatches, maxQueueBatches } = this.effective;
    this.#options.events.emit(level, event, {
      node_id: this.#options.nodeId,
      ...fields,
      want,
      max_inflight_bytes: maxInflightBytes,
      prefetch_batches: prefetchBatches,
      max_queue_batches: maxQueueBatches,
    });
  }
}
