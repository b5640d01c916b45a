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
  const into = newBytes(bytes);
  await fill({ source, location, signal }, at, into);
  return into;
}

/** Exactly as many bytes as `into` has. */
export async function fill(
  { source, location, signal }: Omit<TableFile, 'columns'>,
  at: number,
  into: Uint8Array,
): Promise<void> {
  const got = await source.read(location, at, into, signal);
  if (got === into.length) return;
  throw new FormatError(`the file ends at byte ${at + got}: it was cut off`, at + got);
}

/** What is in them is anything: for who fills all of them. */
export function newBytes(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
}
