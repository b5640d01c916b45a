/** How much: batches, queues, bytes in flight, the memory cap. */
import { flag, optionalFlag } from '../flag.ts';
import type { Flag } from '../flag.ts';
import { bytes, count, gibibytes, onOff } from '../kinds.ts';

export const batchSize: Flag<number> = flag(
  count('samples', { min: 1, max: 16_777_216 }),
  {
    name: 'batch-size',
    variable: 'MX8_BATCH_SIZE_SAMPLES',
    doc: 'Most samples in one batch; a batch is smaller where the bytes in flight run out.',
  },
  512,
);

export const prefetchBatches: Flag<number> = flag(
  count('batches', { min: 1, max: 65_536 }),
  {
    name: 'prefetch-batches',
    variable: 'MX8_PREFETCH_BATCHES',
    doc: 'How many batches are read ahead at a time.',
  },
  2,
);

export const autotune: Flag<boolean> = flag(
  onOff(),
  {
    name: 'autotune',
    variable: 'MX8_AUTOTUNE',
    doc: 'Near the memory cap an agent holds fewer leases and reads less ahead, in steps, and takes the steps back once there is room.',
  },
  true,
);

export const maxQueueBatches: Flag<number> = flag(
  count('batches', { min: 1, max: 65_536 }),
  {
    name: 'max-queue-batches',
    variable: 'MX8_MAX_QUEUE_BATCHES',
    doc: 'How many finished batches wait for the consumer at most.',
  },
  4,
);

export const maxInflightBytes: Flag<number | null> = optionalFlag(
  bytes({ min: 4096 }),
  {
    name: 'max-inflight-bytes',
    variable: 'MX8_MAX_INFLIGHT_BYTES',
    doc: 'Bytes of samples that a pipeline holds at most, not one more.',
  },
  '64MiB, less where the memory cap is small',
);

export const maxProcessRssBytes: Flag<number | null> = optionalFlag(
  bytes({ min: 1024 * 1024 }),
  {
    name: 'max-process-rss-bytes',
    variable: 'MX8_MAX_PROCESS_RSS_BYTES',
    doc: 'Resident memory at which a process slows down first and then ends with a sentence.',
  },
  'derived from the control group or the machine, logged as rss_cap_defaulted',
);

export const ramBytes: Flag<number | null> = optionalFlag(
  gibibytes(),
  {
    name: 'ram-gb',
    variable: 'MX8_RAM_GB',
    doc: 'Memory for all processes of the run on this machine together.',
  },
  'derived from the control group or the machine',
);
