/** Limits and defaults of memory: what each is for, and what happens when it is reached. */

/** Default of `max_inflight_bytes`: several batches of the usual samples, little beside a trainer. */
export const INFLIGHT_BYTES_DEFAULT: number = 64 * 1024 ** 2;
/** Where the RSS cap is small, a quarter of it: the rest is for the runtime and the user's code. */
export const INFLIGHT_PART_OF_RSS_CAP = 0.25;
/** Below one page nothing can be read sensibly. */
export const INFLIGHT_BYTES_MIN = 4096;

/**
 * Resident bytes that a worker process has before it reads its first sample: Node, mx8 and a small job
 * module. Measured: 85 to 95 MiB. Below it every worker would be ended as soon as it is looked at.
 */
export const WORKER_RSS_BYTES_MIN: number = 96 * 1024 ** 2;
/** What leaves a worker room for batches, and for the caches that the runtime fills before it collects. */
export const WORKER_RSS_BYTES_USUAL_MIN: number = 160 * 1024 ** 2;

/** Of a control group's limit: beyond that the kernel ends the process without a word. */
export const RSS_PART_OF_CGROUP = 0.9;
/** Of the whole machine, which other programs share. */
export const RSS_PART_OF_MACHINE = 0.8;

/** Of the RSS cap: above this nothing new is read while something is still in hand … */
export const THROTTLE_ABOVE_PART = 0.9;
/** … until RSS has fallen to this, so that it does not switch with every batch. */
export const THROTTLE_UNTIL_PART = 0.85;

/** Of the RSS cap: above this an agent holds fewer leases and reads less ahead, before it has to throttle … */
export const PRESSURE_LOWER_PART = 0.8;
/** … until it has been below this for a while. */
export const PRESSURE_RAISE_PART = 0.65;
/** Times that everything is halved: an eighth is little enough, and what does not help then is not this. */
export const PRESSURE_LEVEL_MAX = 3;
/** Between two steps down: what was read ahead is used up first. */
export const PRESSURE_LOWER_EVERY_MS = 1_000;
/** With room before a step is taken back, so that it does not swing. */
export const PRESSURE_RAISE_AFTER_MS = 10_000;

/** Batches read ahead and batches ready, unless said otherwise. */
export const PREFETCH_BATCHES_DEFAULT = 2;
export const MAX_QUEUE_BATCHES_DEFAULT = 4;
export const BATCH_SIZE_DEFAULT = 512;
/** More batches than this ahead is never useful and would cost memory for their records. */
export const BATCHES_AHEAD_MAX = 65_536;
/** Records of one batch are held in memory with their locations. */
export const BATCH_SIZE_MAX = 16_777_216;
