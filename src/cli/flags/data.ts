/** Which data: the input, its order, the store of its manifests. */
import { flag, optionalFlag } from '../flag.ts';
import type { Flag } from '../flag.ts';
import { MANIFEST_CACHE_BYTES_DEFAULT } from '../../snapshots/limits.ts';
import { bytes, choice, count, onOff, path, text, uint64 } from '../kinds.ts';

export const dataLink: Flag<string | null> = optionalFlag(
  text('LINK', 'a link to a data set: BASE, BASE@refresh or BASE@sha256:<64 hex digits>'),
  {
    name: 'data',
    variable: 'MX8_DATASET_LINK',
    doc: 'The data set: a folder, a manifest file, or a packed data set, pinned by its link.',
  },
  'the input that the job names',
);

export const manifestStoreRoot: Flag<string | null> = optionalFlag(
  path('DIR', 'a folder'),
  {
    name: 'manifest-store',
    variable: 'MX8_MANIFEST_STORE_ROOT',
    doc: 'The folder, or s3://, gs:// or az://BUCKET/PREFIX, that keeps pinned manifests and which one is current for a link.',
  },
  '~/.mx8/manifests',
);

export const manifestCacheBytes: Flag<number> = flag(
  bytes({ min: 1024 ** 2 }),
  {
    name: 'manifest-cache-bytes',
    variable: 'MX8_MANIFEST_CACHE_BYTES',
    doc: 'What copies of manifests of stores take in ~/.mx8/manifest-cache at most, but for those used within a day.',
  },
  MANIFEST_CACHE_BYTES_DEFAULT,
  '20GiB',
);

export const manifestHealing: Flag<'on' | 'off'> = flag(
  choice(['on', 'off']),
  {
    name: 'manifest-healing',
    variable: 'MX8_MANIFEST_HEALING',
    doc: 'Whether a manifest that the leader cannot give is taken from --manifest-store or another coordinator, its hash checked, and waited for where nobody has it.',
  },
  'on',
);

export const shuffle: Flag<boolean> = flag(
  onOff(),
  {
    name: 'shuffle',
    variable: 'MX8_SHUFFLE',
    doc: 'Hand blocks out in an order drawn from seed and epoch instead of in id order.',
  },
  false,
);

export const seed: Flag<bigint> = flag(
  uint64(),
  { name: 'seed', variable: 'MX8_SEED', doc: 'The seed of the shuffled order.' },
  0n,
);

export const epoch: Flag<number> = flag(
  count('passes', { max: 4_294_967_295 }),
  {
    name: 'epoch',
    variable: 'MX8_EPOCH',
    doc: 'Which pass over the data this is; each has its own order.',
  },
  0,
);

export const labels: Flag<'auto' | 'imagefolder' | 'none'> = flag(
  choice(['auto', 'imagefolder', 'none']),
  {
    name: 'labels',
    variable: 'MX8_LABELS',
    doc: 'Whether the first folder below the input is the class of a sample.',
  },
  'auto',
);

export const blockSize: Flag<number | null> = optionalFlag(
  count('samples', { min: 1, max: 4_294_967_295 }),
  {
    name: 'block-size',
    variable: 'MX8_DEV_BLOCK_SIZE',
    doc: 'Samples in one lease: what is handed out, and what is done again after a crash.',
  },
  'chosen from the number of samples and nodes',
);

export const shardBytes: Flag<number> = flag(
  bytes({ min: 1024 }),
  {
    name: 'shard-size',
    variable: 'MX8_SHARD_SIZE_BYTES',
    doc: 'The size that a shard of a packed data set does not pass.',
  },
  256 * 1024 ** 2,
  '256MiB',
);

export const refresh: Flag<boolean> = flag(
  onOff(),
  {
    name: 'refresh',
    variable: 'MX8_REFRESH',
    doc: 'Remove what an interrupted pack left, list the input again and begin anew.',
  },
  false,
);
