/** Bytes of files, wherever they are, by place. Both calls reject with an `Mx8Error` that names the location. */
export interface ByteSource {
  /**
   * What is read of an object in a store next must be of this `etagTag`, which was pinned: else `object_changed`.
   * 0: nobody took it down. Files have none.
   */
  expect(location: string, tag: number): void;
  sizeOf(location: string, signal?: AbortSignal): Promise<number>;
  /** Fills `into` from byte `position` on; answers how many bytes, fewer only at the end of the file. */
  read(location: string, position: number, into: Uint8Array, signal?: AbortSignal): Promise<number>;
  /** Waits for nothing; what is under way fails. */
  close(): Promise<void>;
}
