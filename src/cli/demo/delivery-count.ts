/** What was delivered, from the lines that the demonstration's agents append to their logs. Pure. */
import { IntervalSet } from '../../core/base/interval-set.ts';

export interface DeliveryCount {
  /** Different samples delivered at least once. */
  readonly delivered: number;
  /** Deliveries beyond the first of a sample. */
  readonly again: number;
  /** Samples of [0, total) that never were. */
  readonly missing: number;
}

/** Counts lines `start end`, one for each delivered batch. A line cut short by a kill does not count. */
export function countDeliveries(log: string, total: number): DeliveryCount {
  const seen = new IntervalSet();
  let again = 0;
  for (const line of log.split('\n').slice(0, -1)) {
    const match = /^(\d+) (\d+)$/.exec(line);
    if (match === null) continue;
    const [start, end] = [Number(match[1]), Number(match[2])];
    again += end - start - seen.add(start, end);
  }
  return { delivered: seen.countIn(0, total), again, missing: total - seen.countIn(0, total) };
}
