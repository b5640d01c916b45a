/**
 * The part of the error table that is about the coordinator: what its calls answer, and its durable
 * state. `error-kinds.ts` has the rest, and the rules for all of it.
 */
export const PROTOCOL_ERROR_KINDS = {
  field_missing: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Set the field that the message names.',
  },
  field_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Give the field that the message names a value within the limits it states.',
  },
  job_unknown: {
    status: 'NOT_FOUND',
    retryable: false,
    remedy:
      'Give --job-id one of the ids that mx8 status --coord-url URL lists; a job that completed long ago was forgotten.',
  },
  job_exists: {
    status: 'ALREADY_EXISTS',
    retryable: false,
    remedy: 'Choose another --job-id, or submit the job with its old settings.',
  },
  job_not_ready: {
    status: 'FAILED_PRECONDITION',
    retryable: true,
    remedy: 'Start more agents until min_world_size have registered; those that wait need nothing.',
  },
  job_draining: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Finish and report the work in hand, then leave; no new lease is granted.',
  },
  job_commits_outputs: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Run mx8 agent with the job module: mx8.v0 cannot commit outputs.',
  },
  node_not_registered: {
    status: 'FAILED_PRECONDITION',
    retryable: true,
    remedy: 'Register the node, then repeat the call.',
  },
  node_id_in_use: {
    status: 'FAILED_PRECONDITION',
    retryable: true,
    remedy: 'Give each agent its own --node-id; that of a dead one is free after the TTL.',
  },
  membership_full: {
    status: 'FAILED_PRECONDITION',
    retryable: true,
    remedy: 'Wait for a node to leave, or make the job with a larger --world-size.',
  },
  world_size_exceeded: {
    status: 'RESOURCE_EXHAUSTED',
    retryable: true,
    remedy: 'Start no more nodes than world_size, or make the job with a larger --world-size.',
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
    remedy: 'Report a cursor from the start to the end of the lease, both included.',
  },
  cursor_regressed: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Report cursors that only move forward; the message names the last one accepted.',
  },
  commit_mismatch: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Commit the piece that begins at the lease’s cursor; the message names it.',
  },
  checkpoint_invalid: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Pass the bytes exactly as checkpoint() or GetResumeCheckpoint gave them.',
  },
  checkpoint_mismatch: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy:
      'Resume with the data set, seed, epoch and block size that the checkpoint was made with; the message names what differs.',
  },
  checkpoint_too_late: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Start the coordinator’s job anew and pass the checkpoint with the first registration.',
  },
  job_over: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy:
      'Look at the job’s phase with mx8 status; a failed or draining job goes on with mx8 resume.',
  },
  job_in_use: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy: 'Do first what the message says, then forget the job.',
  },
  step_too_large: {
    status: 'INVALID_ARGUMENT',
    retryable: false,
    remedy: 'Raise the cap in smaller steps, and look at the node’s memory after each.',
  },
  not_leader: {
    status: 'FAILED_PRECONDITION',
    retryable: true,
    remedy: 'Ask the coordinator that leads; clients with several addresses find it.',
  },
  coordinator_unavailable: {
    status: 'UNAVAILABLE',
    retryable: true,
    remedy: 'Check --coord-url and that the coordinator runs; agents keep trying by themselves.',
  },
  coordinator_state_invalid: {
    status: 'DATA_LOSS',
    retryable: false,
    remedy:
      'Put back a copy of the state folder from before the damage, or start with another --state: committed outputs stay where they are.',
  },
  coordinator_state_unusable: {
    status: 'FAILED_PRECONDITION',
    retryable: false,
    remedy:
      'Mend what the message names (a limit of ulimit, room, permissions), then start again: the state itself is not damaged.',
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
    remedy: 'Stop the process that uses it, or choose another --state (or --out).',
  },
  store_unavailable: {
    status: 'UNAVAILABLE',
    retryable: true,
    remedy: 'Check that the store of the coordinator’s state runs and can be reached.',
  },
  store_outcome_unknown: {
    status: 'UNAVAILABLE',
    retryable: true,
    remedy: 'Ask again: repeating is safe, and the answer says whether it was made.',
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
    remedy: 'Raise --grpc-max-message-bytes on the coordinator and on its clients.',
  },
} as const;
