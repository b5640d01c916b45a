/**
 * Every way in which MX8 refuses or fails for a reason the caller can act on. Clients branch on the
 * code, never on the text. Codes are never renamed or reused. `docs/errors.md` explains each to a
 * reader; a test holds the two together.
 */

import { PROTOCOL_ERROR_KINDS } from './protocol-error-kinds.ts';
import { OBJECT_ERROR_KINDS } from './object-error-kinds.ts';

/** gRPC status names; `src/wire/` maps them to numbers. */
export type StatusName =
  | 'CANCELLED'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'UNAVAILABLE'
  | 'DATA_LOSS'
  | 'INTERNAL';

export interface ErrorKind {
  readonly status: StatusName;
  /** True when the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  /** What the person or program that got it should do: one imperative sentence. */
  readonly remedy: string;
}

const USER_ERROR_KINDS = {
  // What the user typed.
  flag_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Correct what the message names; mx8 COMMAND --help says what it takes.',
  },
  disk_cache_unusable: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy:
      'Name an empty folder that can be written, or one that is a disk cache already, with --disk-cache.',
  },
  flag_unknown: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Use the flag that the message suggests, or look for it in mx8 COMMAND --help.',
  },
  command_unknown: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Use the command that the message suggests, or pick one from mx8 --help.',
  },
  caps_conflict: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Change one of the limits that the message names, in the way it says.',
  },
  link_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Write BASE, BASE@refresh or BASE@sha256:<64 hex>; BASE is a folder or .tsv.',
  },
  port_in_use: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Stop the program that listens there (ss -ltnp), or give another --bind.',
  },
  insecure_bind: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Bind to 127.0.0.1, give --tls-cert and --tls-key, or pass --insecure.',
  },
  system_refused: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Mend what the message names (a limit of ulimit, room, permissions), then try again.',
  },
  interrupted: {
    status: 'CANCELLED',
    retryable: false,
    remedy: 'Type the same command again to go on; for mx8 run add --resume.',
  },

  // Data sets and manifests.
  input_missing: {
    status: 'NOT_FOUND',
    retryable: false,
    remedy:
      'Correct the path: it counts from the folder in which the command runs, and on a cluster every machine must see it.',
  },
  input_empty: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy:
      'Give a folder, or a prefix of a store, with files below it; what is named _mx8 or shards is passed over.',
  },
  scheme_unsupported: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Copy or mount the data so that it has a path on this machine, and link to that.',
  },
  manifest_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Correct the named line, or write the manifest again (mx8 resolve, mx8 pack).',
  },
  manifest_missing: {
    status: 'NOT_FOUND',
    retryable: false,
    remedy: 'Give the --manifest-store that it was pinned in, or run mx8 resolve LINK.',
  },
  manifest_corrupt: {
    status: 'DATA_LOSS',
    retryable: false,
    remedy: 'Delete the named file, then pin again with mx8 resolve LINK@refresh.',
  },
  listing_changed: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy:
      'Begin the reading again, which then reads what is pinned; resume no checkpoint of this one.',
  },
  manifest_lock_timeout: {
    status: 'UNAVAILABLE',
    retryable: true,
    remedy: 'Try again; the lock of a dead resolver is taken over within a minute.',
  },
  manifest_store_failed: {
    status: 'INTERNAL',
    retryable: false,
    remedy: 'Free space or mend the permissions there, or choose another --manifest-store.',
  },
  file_empty: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy:
      'Set it aside with --on-error quarantine, or remove it and run again with LINK@refresh and another --out.',
  },
  label_missing: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Move the named file into the folder of its class, or use --labels auto or none.',
  },
  sample_missing: {
    status: 'NOT_FOUND',
    retryable: false,
    remedy:
      'Restore the file and go on with --resume, or set it aside with --on-error quarantine, or start anew with LINK@refresh and another --out.',
  },
  sample_changed: {
    status: 'DATA_LOSS',
    retryable: false,
    remedy:
      'Restore the file, or accept what is there now with mx8 resolve LINK@refresh, then go on with --resume; --on-error quarantine sets it aside.',
  },
  sample_unreadable: {
    status: 'DATA_LOSS',
    retryable: false,
    remedy:
      'Make the named file readable for the user that runs mx8 (ls -l, and the folders above it), or set it aside with --on-error quarantine.',
  },
  sample_too_large: {
    status: 'RESOURCE_EXHAUSTED',
    retryable: false,
    remedy:
      'Raise --max-inflight-bytes (of load(): maxInflightBytes) above the size that the message names, or set the sample aside with --on-error quarantine.',
  },
  sample_corrupt: {
    status: 'DATA_LOSS',
    retryable: false,
    remedy:
      'Mend the named sample where it comes from, or set it aside with --on-error quarantine.',
  },
  unpack_budget_exceeded: {
    status: 'RESOURCE_EXHAUSTED',
    retryable: false,
    remedy:
      'See whether the named file is what it should be; then raise the limit that the message names.',
  },
  shard_corrupt: {
    status: 'DATA_LOSS',
    retryable: false,
    remedy:
      'Fetch or make the named file again (mx8 pack for packed data sets); mx8 verify names every damaged sample.',
  },

  // Jobs and their outputs.
  job_module_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Mend the named place; the module ends with export default defineJob({ … }).',
  },
  job_options_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Change the option of defineJob that the message names.',
  },
  process_failed: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy:
      'Mend process() for the named sample and go on with --resume, or set such samples aside with --on-error quarantine.',
  },
  sink_failed: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Mend the sink of the job at the place that the message names and go on with --resume.',
  },
  process_stalled: {
    status: 'DEADLINE_EXCEEDED',
    retryable: false,
    remedy: 'Make process() return sooner (a smaller batch), or raise --stall-budget-ms.',
  },
  row_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy:
      'Mend what process() returns for the named sample and go on with --resume, or set it aside with --on-error quarantine.',
  },
  output_occupied: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Choose another --out; mx8 run goes on with a job that is there with --resume.',
  },
  pack_not_resumable: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Give mx8 pack what the interrupted one was given, or --refresh to begin anew.',
  },
  output_nothing_to_resume: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Leave --resume out to start the job, or correct --out.',
  },
  output_write_failed: {
    status: 'INTERNAL',
    retryable: false,
    remedy:
      'Free space, or mend the permissions of the named path or object, then go on: mx8 run with --resume, at a coordinator mx8 resume and new agents, mx8 pack as it was.',
  },
  job_failed: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy:
      'Mend what the message says, then go on: mx8 run … --resume, at a coordinator mx8 resume.',
  },
  worker_crashed: {
    status: 'INTERNAL',
    retryable: true,
    remedy: 'Mend what the last words in the message say; the samples in hand are named.',
  },
  agents_lost: {
    status: 'UNAVAILABLE',
    retryable: false,
    remedy: 'Read the agents’ last lines above, mend what they say, then --resume.',
  },
  rss_cap_exceeded: {
    status: 'RESOURCE_EXHAUSTED',
    retryable: false,
    remedy:
      'Turn down the knobs that the message names (fewer --workers, a smaller batch, --max-inflight-bytes), or raise the cap.',
  },
} as const;

const LIBRARY_ERROR_KINDS = {
  batch_released: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Read the batch before asking for the next, or call batch.keep() and release it later.',
  },
  loader_closed: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Call load() again, with { resume: checkpoint } to go on where the old loader was.',
  },
  load_options_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Change the option of load() that the message names.',
  },

  internal: {
    status: 'INTERNAL',
    retryable: false,
    remedy: 'Report the message: it is a bug in mx8.',
  },
} as const;

type ErrorKinds = typeof USER_ERROR_KINDS &
  typeof OBJECT_ERROR_KINDS &
  typeof PROTOCOL_ERROR_KINDS &
  typeof LIBRARY_ERROR_KINDS;

export const ERROR_KINDS: ErrorKinds = {
  ...USER_ERROR_KINDS,
  ...OBJECT_ERROR_KINDS,
  ...PROTOCOL_ERROR_KINDS,
  ...LIBRARY_ERROR_KINDS,
};

export type ErrorCode = keyof typeof ERROR_KINDS;
