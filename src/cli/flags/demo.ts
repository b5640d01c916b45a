/** The recovery demonstration. */
import { flag, optionalFlag } from '../flag.ts';
import type { Flag } from '../flag.ts';
import { bytes, count, durationMs, path } from '../kinds.ts';

export const totalSamples: Flag<number> = flag(
  count('samples', { min: 1, max: 100_000_000 }),
  {
    name: 'total-samples',
    variable: 'MX8_TOTAL_SAMPLES',
    doc: 'How many samples the demonstration makes and delivers.',
  },
  8000,
);

export const bytesPerSample: Flag<number> = flag(
  bytes({ min: 1, max: 1024 ** 3 }),
  {
    name: 'bytes-per-sample',
    variable: 'MX8_BYTES_PER_SAMPLE',
    doc: 'The size of each of those samples.',
  },
  1024,
);

export const sinkSleepMs: Flag<number> = flag(
  durationMs({ max: 3_600_000 }),
  {
    name: 'sink-sleep-ms',
    variable: 'MX8_SINK_SLEEP_MS',
    doc: 'How long the consumer takes over each delivered batch.',
  },
  25,
);

export const killAfterMs: Flag<number> = flag(
  durationMs({ max: 3_600_000 }),
  {
    name: 'kill-after-ms',
    variable: 'MX8_KILL_AFTER_MS',
    doc: 'How long after the first lease the node that holds it is killed with SIGKILL.',
  },
  750,
);

export const deliverLog: Flag<string | null> = optionalFlag(
  path('FILE', 'a file'),
  {
    name: 'deliver-log',
    variable: 'MX8_DELIVER_LOG',
    doc: 'An agent without a job appends a line `start end` to it for each delivered batch.',
  },
  'nothing is written',
);
