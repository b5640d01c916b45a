/** One line of a manifest: where the bytes of one sample are. See the wire contract, section 2. */
export interface SampleRecord {
  readonly sampleId: number;
  /** An absolute path for files, else a URL. */
  readonly location: string;
  /** Where the sample starts in `location`; null when the sample is the whole object. */
  readonly byteOffset: number | null;
  /** Length in bytes, > 0; null exactly when `byteOffset` is null. */
  readonly byteLength: number | null;
  /**
   * Of a whole file: its bytes when it was pinned, > 0. It is no part of the manifest, and absent where
   * nobody took it down.
   */
  readonly pinnedBytes?: number;
  /**
   * `etagTag` of the object in a store that it is in, when that was pinned, > 0. Like `pinnedBytes` it is
   * no part of the manifest.
   */
  readonly pinnedTag?: number;
  /** `key=value` pairs for the decoder, such as `mx8:vision:imagefolder;label_id=3`; '' for none. */
  readonly decodeHint: string;
}
