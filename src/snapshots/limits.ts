/** Limits of manifest stores, indexing and packing. */

/** Manifests are read, hashed and written in pieces of this size: large enough to hide call costs. */
export const IO_CHUNK_BYTES: number = 1024 * 1024;

/** Records of a slice are handed out in chunks of about so many bytes of manifest. */
export const RECORD_CHUNK_BYTES: number = 256 * 1024;

/**
 * Manifests of up to so many samples and bytes are kept decoded, as far as they were read, by who reads them in short
 * pieces, as a shuffle by single samples does: some 20 MiB of packed data, at most 50 where each sample has a path
 * of its own. In longer ones it would find too little again to be worth its memory.
 */
export const TABLES_KEPT_SAMPLES_MAX = 131_072;
export const TABLES_KEPT_BYTES_MAX: number = 16 * 1024 * 1024;

/** Who follows a listing reads its lines in pieces of so many bytes, and at most so many lines. */
export const FOLLOW_CHUNK_BYTES: number = 512 * 1024;
export const FOLLOW_CHUNK_LINES = 8192;

/** Lines that are picked out of a manifest are read together where no more than this lies between them … */
export const FOLLOW_GAP_BYTES_MAX: number = 16 * 1024;

/** … up to so many bytes at a time. */
export const FOLLOW_READ_BYTES_MAX: number = 1024 * 1024;

/** A waiting resolver looks at the lock this often; nobody notices a fifth of a second. */
export const LOCK_POLL_MS = 100;

/** The same where looking is a request to a store. */
export const LOCK_OBJECT_POLL_MS = 500;

/** The holder of a lock touches it this often, which shows those who cannot see its process that it lives. */
export const LOCK_TOUCH_MS = 5_000;

/**
 * A lock whose holder this process cannot see (another machine or container) counts as dead after so
 * long without a touch, by the watcher's own clock. Twelve missed touches are no accident.
 */
export const LOCK_SILENT_MS_MAX = 60_000;

/** Who takes a listing says to other processes of this machine this often how far it has come, and they look as often. */
export const NOTICE_INTERVAL_MS = 200;

/** What two listings have in common is compared in pieces of so many samples, and bytes. */
export const COMPARE_CHUNK_SAMPLES = 65_536;
export const COMPARE_CHUNK_BYTES: number = 1024 * 1024;

/** How long a resolver waits for another that lives: longer than indexing 30 million files takes. */
export const LOCK_WAIT_MS_MAX: number = 30 * 60_000;

/** Objects are read in ranges of this size where somebody wants all of one: few requests, little memory. */
export const OBJECT_CHUNK_BYTES: number = 8 * 1024 * 1024;

/** Objects asked for their size and ETag at a time while pinning; each host has its own limit besides. */
export const STATS_AT_ONCE = 64;

/** Progress is told this often, counted in samples, so that telling costs nothing. */
export const PROGRESS_SAMPLES = 1024;

/** Packing holds at most so many bytes of samples that are read and not yet in a part. */
export const PACK_READ_BYTES_MAX: number = 64 * 1024 * 1024;

/** Samples are read in pieces of at most so many bytes, and so many of them at a time: small enough to have several on their way. */
export const PACK_PIECE_BYTES: number = 8 * 1024 * 1024;
export const PACK_SAMPLES_AT_ONCE = 1024;

/** Batches of pieces that are read ahead; their memory is what limits it. */
export const PACK_BATCHES_AHEAD = 8;

/** Shards are written in parts of this size: the rate of a connection, and few enough for what stores take of one object. */
export const PACK_PART_BYTES: number = 8 * 1024 * 1024;

/**
 * The largest that shards of very many bytes are written in: ten thousand of them are the 5 TB that S3 takes of one
 * object, and one buffer can have them.
 */
export const PACK_PART_BYTES_MAX: number = 512 * 1024 * 1024;

/** Parts in memory, of all shards together: one is being filled, the others are on their way. */
export const PACK_PARTS_AT_ONCE = 10;
/** With larger parts: one is being filled, three are free for what comes next, one is on its way. */
export const PACK_PARTS_AT_ONCE_MIN = 5;

/** Shards that are begun and not yet finished: the last step of one takes a while, also where the shard is small. */
export const PACK_SHARDS_AT_ONCE = 8;

/** Shards of an interrupted pack that a store is asked for at a time. */
export const PACK_LOOKS_AT_ONCE = 16;

/** Ranges that `verify` reads from a store at a time. */
export const VERIFY_READS_AT_ONCE = 16;

/** Samples of an object that follow each other are verified in ranges of at most so many bytes. */
export const VERIFY_RANGE_BYTES: number = 8 * 1024 * 1024;

/** Differences that `verify` keeps for its answer; it counts and tells of all of them. */
export const DIFFERENCES_MAX = 10_000;

/** Reads of at most `IO_CHUNK_BYTES` between two turns of the event loop: a few milliseconds. */
export const TURN_READS = 16;

/** Shards are looked through in pieces of this size … */
export const SCAN_CHUNK_BYTES: number = 256 * 1024;

/** … and what is of no interest is passed by where it is at least this long: another read costs less. */
export const SCAN_JUMP_BYTES_MIN: number = 128 * 1024;

/** No file is a decompression bomb before so much has come out of it. */
export const UNPACK_SLACK_BYTES: number = 16 * 1024 * 1024;

/**
 * Text compresses to a tenth, logs to a hundredth; gzip cannot do better than a thousandth, which takes a file
 * of one byte repeated. At the limit the file is refused, with the flag that raises it.
 */
export const UNPACK_RATIO_MAX_DEFAULT = 500;

/** Decompressed bytes of one file: larger shards than anybody writes, and hours of decompressing. */
export const UNPACK_BYTES_MAX_DEFAULT: number = 1024 ** 4;

/** What copies of manifests of stores take on a machine; those used within a day stay in any case. */
export const MANIFEST_CACHE_BYTES_DEFAULT: number = 20 * 1024 ** 3;
/** A copy that was not used for so long goes. It can be fetched again. */
export const MANIFEST_CACHE_KEEP_DAYS = 30;
