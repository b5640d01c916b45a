/** A file of rows in columns, and reading parts of it. */
import { FormatError } from '../core/format/format-error.ts';
import type { ByteSource } from '../ports/byte-source.ts';

export interface TableFile {
  readonly source: ByteSource;
  readonly location: string;
  /** What a row is made of; null: all columns. */
  readonly columns: readonly string[] | null;
  readonly signal?: AbortSignal | undefined;
}

/** Exactly these bytes, in memory of their own. */
export async function readAll(
  { source, location, signal }: TableFile,
  at: number,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const into = new Uint8Array(bytes);
  const got = await source.read(location, at, into, signal);
  if (got === bytes) return into;
  throw new FormatError(`the file ends at byte ${at + got}: it was cut off`, at + got);
}
