/** Times and sizes that the coordinator measures of itself. */
import { COUNT_BOUNDS, Histogram, SECONDS_BOUNDS } from '../core/base/histogram.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { Fact } from '../core/job/protocol.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorMeters, RpcSeries } from '../ports/coordinator-insight.ts';
import type { RpcMeter } from '../ports/rpc-meter.ts';

export class Meters implements CoordinatorMeters, RpcMeter {
  /** As many as there are methods times codes that occurred: both are closed lists. */
  readonly rpcSeconds: Map<string, RpcSeries> = new Map<string, RpcSeries>();
  readonly appendSeconds: Histogram = new Histogram(SECONDS_BOUNDS);
  readonly batchCommands: Histogram = new Histogram(COUNT_BOUNDS);
  readonly entryRecords: Histogram = new Histogram(COUNT_BOUNDS);
  readonly #jobsForgotten = { age: 0, operator: 0 };
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** By why: since this process began. */
  get jobsForgotten(): CoordinatorMeters['jobsForgotten'] {
    return this.#jobsForgotten;
  }

  add(facts: readonly Fact[]): void {
    for (const fact of facts)
      if (fact.event === 'job_forgotten') this.#jobsForgotten[fact.why] += 1;
  }

  started(method: string): (code: string) => void {
    const startMs = this.#clock.nowMs();
    return (code) => {
      const spanMs = elapsedMs(startMs, this.#clock.nowMs());
      this.#series(method, code).seconds.observe(spanMs / 1000);
    };
  }

  #series(method: string, code: string): RpcSeries {
    const key = `${method} ${code}`;
    const known = this.rpcSeconds.get(key);
    if (known !== undefined) return known;
    const made = { method, code, seconds: new Histogram(SECONDS_BOUNDS) };
    this.rpcSeconds.set(key, made);
    return made;
  }
}
