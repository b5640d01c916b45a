/** What an operator says to a live job. */
import { flag, optionalFlag } from '../flag.ts';
import type { Flag } from '../flag.ts';
import { bytes, count, id, onOff } from '../kinds.ts';

export const dryRun: Flag<boolean> = flag(
  onOff(),
  { name: 'dry-run', variable: 'MX8_DRY_RUN', doc: 'Only say what would change.' },
  false,
);

export const ofNode: Flag<string | null> = optionalFlag(
  id('node'),
  { name: 'node', variable: 'MX8_TARGET_NODE_ID', doc: 'The node that is meant.' },
  'all nodes of the job',
);

export const leaseIdFlag: Flag<string | null> = optionalFlag(
  id('lease'),
  { name: 'lease', variable: 'MX8_TARGET_LEASE_ID', doc: 'The lease to take away.' },
  'none',
);

export const newWant: Flag<number | null> = optionalFlag(
  count('leases', { min: 1, max: 1024 }),
  { name: 'want', variable: 'MX8_CAP_WANT', doc: 'Leases that a node holds at a time.' },
  'left as it is',
);

export const newInflightBytes: Flag<number | null> = optionalFlag(
  bytes({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  {
    name: 'inflight-bytes',
    variable: 'MX8_CAP_INFLIGHT_BYTES',
    doc: 'Bytes in flight in all workers of a node together.',
  },
  'left as it is',
);

export const newPrefetchBatches: Flag<number | null> = optionalFlag(
  count('batches', { min: 1, max: 1024 }),
  {
    name: 'prefetch',
    variable: 'MX8_CAP_PREFETCH_BATCHES',
    doc: 'Batches that are read ahead.',
  },
  'left as it is',
);

export const newQueueBatches: Flag<number | null> = optionalFlag(
  count('batches', { min: 1, max: 1024 }),
  {
    name: 'queue',
    variable: 'MX8_CAP_QUEUE_BATCHES',
    doc: 'Finished batches that wait for process().',
  },
  'left as it is',
);
