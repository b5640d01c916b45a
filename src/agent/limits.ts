/** Limits and defaults of an agent: what each is for and what happens when it is reached. */

/** How long finished batches may wait for their commit: what a crash of the machine costs at most. */
export const COMMIT_INTERVAL_MS_DEFAULT = 5_000;
/** Longest time without a finished batch before a worker is killed. */
export const STALL_TIMEOUT_MS_DEFAULT = 60_000;
/** wire.md §7. */
export const PROGRESS_INTERVAL_MS_DEFAULT = 500;
export const SINK_SLEEP_MS_DEFAULT = 0;
/** What a drain may take, so that Ctrl-C ends a run within two seconds. */
export const DRAIN_TIMEOUT_MS_DEFAULT = 1_500;
/** What the last call to the coordinator may take once everything else is over. */
export const LEAVE_TIMEOUT_MS = 300;
/** What a worker that was asked to exit may take before it is killed. */
export const EXIT_TIMEOUT_MS = 500;
/** How long after a worker has ended its last words may arrive, where others hold the pipe open. */
export const LAST_OUTPUT_WAIT_MS = 1_000;

export const WORKERS_MAX = 256;

/** Records handed to a worker at a time: some 100 KiB of IPC, and enough to fill several batches. */
export const RECORDS_PER_CHUNK = 1_024;

/** How long a failure is not told while its drafts are removed: a store that is away makes that long. */
export const CLEAR_UP_MS_MAX = 1_000;

/** How often a worker says how much memory it holds. */
export const STATS_INTERVAL_MS = 250;

/** How long a worker goes by its part of a share of a store: several times that, as either may be busy. */
export const WORKER_SHARE_TTL_MS = 3_000;

/** Hosts in one message of a worker; more are no report of ours. */
export const WORKER_STORES_MAX = 64;

/** Longest line of a worker's output that is passed on; what is beyond is cut with a mark. */
export const OUTPUT_LINE_CHARS_MAX = 4_096;
/** How much of a worker's last output goes into the sentence about its death. */
export const LAST_WORDS_CHARS_MAX = 600;

/** Committed pieces being published at once by one agent. */
export const PUBLICATIONS_MAX = 2;

/** First and longest wait before reading from the coordinator is tried again. */
export const READ_RETRY_BASE_MS = 100;
export const READ_RETRY_MAX_MS = 2_000;

/**
 * How long a manifest that nobody has is asked for before the job fails with its name; half the stall budget
 * where that is shorter, as the worker that waits for it would be killed then.
 */
export const MANIFEST_WAIT_MS_MAX = 150_000;

/** Samples of a manifest in one question to another coordinator: about 4 MiB of lines. */
export const MANIFEST_COPY_SAMPLES = 32_768;

/**
 * The worker's JavaScript heap gets this part of what its RSS cap leaves besides the slabs, so that V8
 * ends a runaway with its own words before the cap does; never less than the floor, or no module loads.
 */
export const HEAP_PART_OF_RSS_CAP = 0.75;
export const HEAP_MIB_MIN = 64;

/** How often a worker looks whether its agent still lives, should its event loop be stuck. */
export const ORPHAN_CHECK_INTERVAL_MS = 500;

/** How often the agent looks at its workers' memory from outside: a look costs about 10 µs a worker. */
export const WORKER_RSS_INTERVAL_MS = 50;
