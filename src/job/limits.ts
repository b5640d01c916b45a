/** Limits of the job API: what each is for and what happens when it is reached. */

/** Most samples handed to one call of process(); more would make one failure, and one retry, too large. */
export const BATCH_SAMPLES_MAX = 65_536;

/** Further tries of one failing sample. */
export const RETRIES_DEFAULT = 2;
export const RETRIES_MAX = 100;
/** First and longest wait before a failing sample is tried again. */
export const RETRY_WAIT_BASE_MS = 50;
export const RETRY_WAIT_MAX_MS = 2_000;

/** Longest component of an output name: what common file systems take. */
export const NAME_BYTES_MAX = 255;
/** Longest output name: leaves room for the output folder below the usual limit of 4,096. */
export const NAME_PATH_BYTES_MAX = 1_024;

/** Longest part of an error of the user's code that is kept in a record or sentence. */
export const ERROR_TEXT_CHARS_MAX = 2_000;

/** Longest name of a job. */
export const NAME_OF_JOB_CHARS_MAX = 128;

/** What importing a job module may take: libraries and vocabularies are seconds at most. */
export const MODULE_LOAD_MS_MAX = 30_000;

/** A row group of `parquet()`: so many rows, or rows of so many bytes of JSON. Readers decode one at a time. */
export const PARQUET_GROUP_ROWS = 16_384;
export const PARQUET_GROUP_BYTES: number = 16 * 1024 * 1024;
/** Columns of a Parquet output: each costs some hundred bytes of footer for each row group. */
export const PARQUET_COLUMNS_MAX = 4_096;

/** A row group of columns: so many rows, or `PARQUET_GROUP_BYTES` of values. Whole tables go into one. */
export const PARQUET_TABLE_GROUP_ROWS = 122_880;
/** Columns that are one sample: readers decode a row group of at most twice this. */
export const PARQUET_TABLE_BYTES_MAX: number = 128 * 1024 * 1024;
/** About what the values of a page take. */
export const PARQUET_PAGE_BYTES: number = 1024 * 1024;
