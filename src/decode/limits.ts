/** Limits of decompressing: what each is for, and what happens when it is reached. */

/** Compressed files are read, and what comes out is handed on, in pieces of this size. */
export const UNPACK_CHUNK_BYTES: number = 128 * 1024;

/**
 * Memory that a zstd file may ask for is 2 to this: 128 MiB, what `zstd --ultra -22` uses, and the most that the
 * zstd program takes by itself. A file that asks for more is refused as damaged.
 */
export const ZSTD_WINDOW_LOG_MAX = 27;

/** A footer has some hundred bytes for each column of each row group. */
export const PARQUET_FOOTER_BYTES_MAX: number = 64 * 1024 * 1024;

/** The end of a file is read at once with what most footers need: a store answers one request, not two. */
export const PARQUET_FOOTER_GUESS_BYTES: number = 64 * 1024;

/** What describes an Arrow message or file: some hundred bytes for each column. */
export const ARROW_METADATA_BYTES_MAX: number = 64 * 1024 * 1024;

/** Of Arrow's buffers: what lies closer together is read at once with what is between. */
export const ARROW_GAP_BYTES: number = 64 * 1024;

/**
 * A row group of Parquet, or a record batch of Arrow, is decoded as a whole, into several times this memory. At the
 * limit: fewer columns, or smaller groups.
 */
export const TABLE_GROUP_BYTES_MAX: number = 256 * 1024 * 1024;
export const TABLE_GROUP_ROWS_MAX: number = 4 * 1024 * 1024;

/**
 * Of a column that becomes JavaScript values: as many as its group can have bytes for, at four each; and the bytes of texts
 * that are stored as what differs from the one before. More would not find memory: only a damaged file says so.
 */
export const TABLE_VALUES_MAX: number = TABLE_GROUP_BYTES_MAX / 4;
export const SHARED_BYTES_MAX: number = TABLE_GROUP_BYTES_MAX * 8;

/**
 * What is read and decompressed of a Parquet file before its turn has at most this memory: that of one row group of some 100,000
 * rows with texts. Pages that are smaller than the other take less time to decompress than to hand to another thread.
 */
export const AHEAD_BYTES_MAX: number = 32 * 1024 * 1024;
export const AHEAD_PAGE_BYTES_MIN: number = 256 * 1024;

/** Columns of Parquet that lie closer together than the first are read at once, as long as that is not more than the second. */
export const SPAN_GAP_BYTES: number = 128 * 1024;
export const SPAN_BYTES_MAX: number = 4 * 1024 * 1024;
