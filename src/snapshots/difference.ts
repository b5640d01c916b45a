/** What a sample is found to differ in from what was pinned of it. */
export interface Difference {
  readonly sampleId: number;
  readonly location: string;
  /**
   * `missing`: no such file · `empty`: a file without bytes · `shorter`: it ends before the sample does ·
   * `resized`: a whole file has another size than when it was pinned · `modified`: it has that size, but
   * was written to since · `unreadable`: the system refuses · `header`: the tar header before the sample says something else ·
   * `content`: what is decompressed is another sample than was pinned, or nothing; or the bytes are no sample of their
   * format any more.
   */
  readonly kind:
    'missing' | 'empty' | 'shorter' | 'resized' | 'modified' | 'unreadable' | 'header' | 'content';
  /** A sentence. */
  readonly what: string;
}
