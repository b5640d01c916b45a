/** What is wrong with the bytes of a shard or sample, before anybody knows which file they are from. */
export class FormatError extends Error {
  override readonly name: string = 'FormatError';
  /** Where in the bytes that were looked at. */
  readonly at: number;

  constructor(what: string, at: number) {
    super(what);
    this.at = at;
  }
}

/** One part of a compressed file is not what it was; those after it may be. */
export class PartChangedError extends FormatError {
  override readonly name: string = 'PartChangedError';
}
