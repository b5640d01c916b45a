/** Parts of one compressed file, taken in order: what lies between two of them is decompressed and dropped. */
import { crc32 } from 'node:zlib';

import { FormatError, PartChangedError } from '../core/format/format-error.ts';
import type { CodedPart } from '../core/format/coded-part.ts';
import type { PartCodec } from '../core/format/format-name.ts';
import type { ByteSource } from '../ports/byte-source.ts';
import { arrowRows } from './arrow-rows.ts';
import { UNPACK_CHUNK_BYTES } from './limits.ts';
import { parquetRows } from './parquet-rows.ts';
import type { TableFile } from './table-file.ts';
import { unpack } from './unpack.ts';
import type { UnpackedChunk } from './unpack.ts';

export class PartStream {
  readonly location: string;
  readonly #codec: PartCodec;
  readonly #columns: readonly string[] | null;
  readonly #stop: AbortController = new AbortController();
  readonly #chunks: AsyncGenerator<UnpackedChunk, void, undefined>;
  /** Where in the file the frame starts that positions count from. */
  #frameAt: number;
  /** Decompressed bytes of that frame, and those after it, that are gone. */
  #position = 0;
  /** What of the chunk in hand is not gone. */
  #rest: Uint8Array = new Uint8Array(0);
  /** The frame of the chunk in hand, and how many bytes were gone when it began. */
  #latest: { readonly frameAt: number; readonly position: number };

  /** Decompressing begins at byte `frameAt` of the file. */
  constructor(
    source: ByteSource,
    location: string,
    part: Pick<CodedPart, 'codec' | 'columns'>,
    frameAt: number,
  ) {
    const { codec, columns } = part;
    this.location = location;
    this.#codec = codec;
    this.#columns = columns;
    this.#frameAt = frameAt;
    this.#latest = { frameAt, position: 0 };
    const { signal } = this.#stop;
    this.#chunks = unpackedFile({ source, location, columns, signal }, codec, frameAt);
  }

  /** Whether the part is still to come. */
  canTake(location: string, { codec, columns, start }: CodedPart, frameAt: number): boolean {
    if (location !== this.location || codec !== this.#codec) return false;
    if (columns !== this.#columns && String(columns) !== String(this.#columns)) return false;
    if (frameAt === this.#frameAt) return start >= this.#position;
    return frameAt === this.#latest.frameAt && start >= this.#position - this.#latest.position;
  }

  /**
   * Fills `into`, which is as long as the part; null: looks whether the part is what it was. Throws `PartChangedError`
   * when it is another one, `FormatError` when the file cannot be decompressed up to it.
   */
  async take(part: CodedPart, frameAt: number, into: Uint8Array | null): Promise<void> {
    this.#enter(frameAt);
    await this.#pass(part.start - this.#position, null, () => undefined);
    let sum = 0;
    await this.#pass(part.bytes, into, (bytes) => {
      sum = crc32(bytes, sum);
    });
    checkSum(sum, part, frameAt);
  }

  /** The same at once, where the part is in the chunk in hand: most are, and waiting costs more than taking one. False: it is not. */
  takeNow(part: CodedPart, frameAt: number, into: Uint8Array): boolean {
    this.#enter(frameAt);
    const skipped = part.start - this.#position;
    const end = skipped + part.bytes;
    if (end > this.#rest.length) return false;
    const bytes = this.#rest.subarray(skipped, end);
    this.#rest = this.#rest.subarray(end);
    this.#position += end;
    into.set(bytes);
    checkSum(crc32(bytes), part, frameAt);
    return true;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#chunks.return();
  }

  /** Positions count from the start of this frame. */
  #enter(frameAt: number): void {
    if (frameAt === this.#frameAt) return;
    this.#position -= this.#latest.position;
    this.#frameAt = frameAt;
    this.#latest = { frameAt, position: 0 };
  }

  async #pass(
    bytes: number,
    into: Uint8Array | null,
    look: (bytes: Uint8Array) => void,
  ): Promise<void> {
    for (let done = 0; done < bytes;) {
      if (this.#rest.length === 0) await this.#next();
      const part = this.#rest.subarray(0, bytes - done);
      into?.set(part, done);
      look(part);
      this.#rest = this.#rest.subarray(part.length);
      this.#position += part.length;
      done += part.length;
    }
  }

  async #next(): Promise<void> {
    const next = await this.#chunks.next();
    if (next.done === true) {
      const what = `the file ends after ${this.#position} decompressed bytes, before the sample does: it has changed`;
      throw new FormatError(what, this.#frameAt);
    }
    const { bytes, frameAt } = next.value;
    this.#rest = bytes;
    if (frameAt !== this.#latest.frameAt) this.#latest = { frameAt, position: this.#position };
  }
}

function checkSum(sum: number, part: CodedPart, frameAt: number): void {
  if (sum === part.crc32) return;
  const what =
    'its bytes are not those that were pinned (another CRC-32): the file has changed, or is damaged';
  throw new PartChangedError(what, frameAt);
}

/** What comes out of a file from a place on where that can begin. */
export function unpackedFile(
  file: TableFile,
  codec: PartCodec,
  from: number,
): AsyncGenerator<UnpackedChunk, void, undefined> {
  if (codec === 'parquet') return parquetRows(file, from);
  if (codec === 'arrow') return arrowRows(file, from);
  const { source, location, signal } = file;
  return unpack(codec, fileBytes(source, location, from, signal), from);
}

/** The file from `from` on, in chunks of memory of their own. */
export async function* fileBytes(
  source: ByteSource,
  location: string,
  from: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = from; ;) {
    const chunk = new Uint8Array(UNPACK_CHUNK_BYTES);
    const bytes = await source.read(location, at, chunk, signal);
    if (bytes > 0) yield chunk.subarray(0, bytes);
    if (bytes < chunk.length) return;
    at += bytes;
  }
}
