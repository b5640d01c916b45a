/** One line of a manifest: where the bytes of one sample are. See the wire contract, section 2. */
export interface SampleRecord {
  readonly sampleId: number;
  /** An absolute path for files, else a URL. */
  readonly location: string;
  /** Where the sample starts in `location`; null when the sample is the whole object. */
  readonly byteOffset: number | null;
  /** Length in bytes, > 0; null exactly when `byteOffset` is null. */
  readonly byteLength: number | null;
  /** `key=value` pairs for the decoder, such as `mx8:vision:imagefolder;label_id=3`; '' for none. */
  readonly decodeHint: string;
}
