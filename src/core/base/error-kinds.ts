/**
 * Every way in which MX8 refuses or fails for a reason the caller can act on. Clients branch on the
 * code, never on the text. Codes are never renamed or reused. `docs/errors.md` explains each to a
 * reader; a test holds the two together.
 */

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

export const ERROR_KINDS = {
  // What the user typed.
  flag_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Give the flag or variable a value of the kind it takes.',
  },
  flag_unknown: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Check the spelling against the command’s --help.',
  },
  command_unknown: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Pick a command from mx8 --help.',
  },
  caps_conflict: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Change one of the named caps so that they fit each other.',
  },
  link_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Write BASE, BASE@refresh or BASE@sha256:<64 hex digits>.',
  },
  port_in_use: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Stop the other program or choose another address.',
  },
  insecure_bind: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Bind to loopback, configure TLS, or pass --insecure.',
  },
  interrupted: {
    status: 'CANCELLED',
    retryable: false,
    remedy: 'Start it again to go on; mx8 run goes on with --resume.',
  },

  // Data sets and manifests.
  input_missing: {
    status: 'NOT_FOUND',
    retryable: false,
    remedy: 'Check the path or link of the data set.',
  },
  input_empty: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Point at a place that holds at least one sample.',
  },
  scheme_unsupported: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Use a link of a supported scheme.',
  },
  manifest_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Mend the named line of the manifest.',
  },
  manifest_missing: {
    status: 'NOT_FOUND',
    retryable: false,
    remedy: 'Resolve the link again or copy the manifest into the store.',
  },
  manifest_corrupt: {
    status: 'DATA_LOSS',
    retryable: false,
    remedy: 'Delete the damaged manifest and resolve the link again.',
  },
  manifest_lock_timeout: {
    status: 'UNAVAILABLE',
    retryable: true,
    remedy: 'Wait for the other resolver, or remove its lock if it is dead.',
  },
  manifest_store_failed: {
    status: 'INTERNAL',
    retryable: false,
    remedy: 'Free space or mend the permissions of the manifest store, then try again.',
  },
  file_empty: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy:
      'Set it aside with --on-error quarantine, or remove it and run again with another --out.',
  },
  label_missing: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Put every file below a class folder or use --labels auto or none.',
  },
  sample_missing: {
    status: 'NOT_FOUND',
    retryable: false,
    remedy: 'Restore the file, or resolve the link again with @refresh.',
  },
  sample_changed: {
    status: 'DATA_LOSS',
    retryable: false,
    remedy: 'Restore the pinned file, or resolve the link again with @refresh.',
  },
  sample_unreadable: {
    status: 'DATA_LOSS',
    retryable: false,
    remedy: 'Check the permissions and the disk that holds the sample.',
  },
  sample_too_large: {
    status: 'RESOURCE_EXHAUSTED',
    retryable: false,
    remedy: 'Raise max_inflight_bytes above the size of the sample.',
  },
  shard_corrupt: {
    status: 'DATA_LOSS',
    retryable: false,
    remedy: 'Pack the shard again from its source.',
  },

  // Jobs and their outputs.
  job_module_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Export default defineJob({ … }) from the job module.',
  },
  job_options_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Change the named option of defineJob.',
  },
  process_failed: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Mend process() or run with --on-error quarantine.',
  },
  process_stalled: {
    status: 'DEADLINE_EXCEEDED',
    retryable: false,
    remedy: 'Make process() return sooner or raise the stall budget.',
  },
  row_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Return rows of the shape that the output takes.',
  },
  output_occupied: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Choose another --out, or pass --resume to go on with that job.',
  },
  output_nothing_to_resume: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Run without --resume to start the job.',
  },
  output_write_failed: {
    status: 'INTERNAL',
    retryable: false,
    remedy: 'Free space or mend the permissions of the output folder, then --resume.',
  },
  job_failed: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Mend the cause, then run again with --resume.',
  },
  worker_crashed: {
    status: 'INTERNAL',
    retryable: true,
    remedy: 'Look at the worker’s last words in the log.',
  },
  agents_lost: {
    status: 'UNAVAILABLE',
    retryable: false,
    remedy: 'Look at the agents’ last words in the log, then run again with --resume.',
  },
  rss_cap_exceeded: {
    status: 'RESOURCE_EXHAUSTED',
    retryable: false,
    remedy: 'Lower the named knobs or raise the cap.',
  },

  // The coordinator's protocol.
  field_missing: { status: 'INVALID_ARGUMENT', retryable: false, remedy: 'Set the named field.' },
  field_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Give the named field a value of the kind it takes.',
  },
  job_unknown: {
    status: 'NOT_FOUND',
    retryable: false,
    remedy: 'Use the id of a job that this coordinator runs.',
  },
  job_exists: {
    status: 'ALREADY_EXISTS',
    retryable: false,
    remedy: 'Choose another job id, or submit the same job again unchanged.',
  },
  job_not_ready: {
    status: 'FAILED_PRECONDITION',
    retryable: true,
    remedy: 'Wait until min_world_size nodes have registered.',
  },
  job_draining: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Finish the work in hand; no new lease is granted.',
  },
  job_commits_outputs: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Report through the v1 session: this job commits outputs.',
  },
  node_not_registered: {
    status: 'FAILED_PRECONDITION',
    retryable: true,
    remedy: 'Register the node, then repeat the call.',
  },
  node_id_in_use: {
    status: 'FAILED_PRECONDITION',
    retryable: true,
    remedy: 'Give each agent a node id of its own.',
  },
  membership_full: {
    status: 'FAILED_PRECONDITION',
    retryable: true,
    remedy: 'Wait for a rank to be released or raise world_size.',
  },
  world_size_exceeded: {
    status: 'RESOURCE_EXHAUSTED',
    retryable: true,
    remedy: 'Start no more than world_size nodes.',
  },
  lease_unknown: {
    status: 'NOT_FOUND',
    retryable: false,
    remedy: 'Stop work on that lease and ask for another.',
  },
  lease_not_owned: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Stop work on that lease and ask for another.',
  },
  cursor_outside: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Report a cursor inside the range of the lease.',
  },
  cursor_regressed: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Report cursors that only move forward.',
  },
  commit_mismatch: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Commit from the cursor of the lease.',
  },
  checkpoint_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Pass the checkpoint bytes unchanged.',
  },
  checkpoint_mismatch: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Resume with the data, seed and epoch of the checkpoint.',
  },
  checkpoint_too_late: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Pass the checkpoint before the first lease is granted.',
  },
  job_over: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy:
      'Look at the job’s phase with mx8 status; a failed or draining job goes on with mx8 resume.',
  },
  step_too_large: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Raise the cap in smaller steps, and look at the node’s memory after each.',
  },
  not_leader: {
    status: 'FAILED_PRECONDITION',
    retryable: true,
    remedy: 'Repeat the call at the coordinator that leads.',
  },
  coordinator_unavailable: {
    status: 'UNAVAILABLE',
    retryable: true,
    remedy: 'Check the address and that the coordinator runs.',
  },
  coordinator_state_invalid: {
    status: 'DATA_LOSS',
    retryable: false,
    remedy: 'Restore the state from a backup; the message names the entry.',
  },
  coordinator_state_newer: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Start a version of mx8 at least as new as the one that wrote the state.',
  },
  coordinator_state_write_failed: {
    status: 'INTERNAL',
    retryable: false,
    remedy: 'Free space on the disk that holds the state, or mend it, then start again.',
  },
  coordinator_state_in_use: {
    status: 'FAILED_PRECONDITION',
    retryable: true,
    remedy: 'Stop the process that uses the state, or choose another --state or --out.',
  },
  store_unavailable: {
    status: 'UNAVAILABLE',
    retryable: true,
    remedy: 'Check that the store of the coordinator’s state runs and can be reached.',
  },
  store_outcome_unknown: {
    status: 'UNAVAILABLE',
    retryable: true,
    remedy: 'Ask again; the write may or may not have been made.',
  },
  store_refused: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Check the address, the credentials and the certificates of the store.',
  },
  candidate_duplicate: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Give each coordinator an address of its own, or stop the one that has it.',
  },
  message_too_large: {
    status: 'RESOURCE_EXHAUSTED',
    retryable: false,
    remedy: 'Raise MX8_GRPC_MAX_MESSAGE_BYTES on both sides.',
  },

  // The reading library.
  batch_released: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Read the batch before asking for the next, or call batch.keep().',
  },
  loader_closed: { status: 'FAILED_PRECONDITION', retryable: false, remedy: 'Make a new loader.' },
  load_options_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Change the named option of load().',
  },

  internal: {
    status: 'INTERNAL',
    retryable: false,
    remedy: 'Report the message: it is a bug in mx8.',
  },
} as const;

export type ErrorCode = keyof typeof ERROR_KINDS;
