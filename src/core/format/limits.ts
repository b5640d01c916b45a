/** Limits of the sample formats: what each is for, and what happens when it is reached. */

/** The header record of a CSV file; it goes into the hint of every record. A longer one is refused. */
export const CSV_HEADER_BYTES_MAX: number = 4 * 1024;

/** Extended headers of one tar member (long names); more is no name any more. */
export const TAR_EXTENDED_BYTES_MAX: number = 64 * 1024;

/** Members of one sample: a key that so many members share is a shard without keys. */
export const TAR_MEMBERS_MAX = 1024;

/** A class in a `.cls` member is a number; longer members are something else. */
export const CLASS_BYTES_MAX = 16;

/** The offsets of an MDS shard and the description of its columns lie before its samples. */
export const MDS_SAMPLES_MAX: number = 16 * 1024 * 1024;

/** `index.json` of an MDS data set: some hundred bytes for each shard. */
export const MDS_INDEX_BYTES_MAX: number = 256 * 1024 * 1024;

/** Fields of an Arrow schema, those in others included: wide tables have thousands. */
export const ARROW_FIELDS_MAX: number = 64 * 1024;
/** Fields in fields. */
export const ARROW_FIELD_DEPTH_MAX = 64;

/** Rows that are a sample together. A row group of more rows is not decoded, so this is always a whole one. */
export const ROWS_PER_SAMPLE_MAX: number = 4 * 1024 * 1024;
