/**
 * Reads parts of compressed files, best in order. The file stays open behind the last part, for the next one;
 * a part that lies before it is reached from the start of its frame again.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { FormatError, PartChangedError } from '../core/format/format-error.ts';
import type { CodedPart } from '../core/format/coded-part.ts';
import type { ByteSource } from '../ports/byte-source.ts';
import { PartStream } from './part-stream.ts';
import { RangeReader } from './range-reader.ts';

/** Where a file turned out to be damaged: who asks for something behind it need not try again. */
interface Damage {
  readonly location: string;
  readonly frameAt: number;
  /** Parts that start here or later cannot be had. */
  readonly start: number;
  readonly error: FormatError;
}

export class PartReader {
  readonly #source: ByteSource;
  readonly #ranges: RangeReader;
  #stream: PartStream | null = null;
  #damage: Damage | null = null;
  #isClosed = false;

  constructor(source: ByteSource) {
    this.#source = source;
    this.#ranges = new RangeReader(source);
  }

  /**
   * Fills `into`, which is as long as the part; null: only looks at it. `FormatError` when the file cannot be decompressed so far or the
   * part is not what was pinned; the source's own errors when it cannot be read. `upcoming`: where the frames of this file start that will
   * be read next, as far as that is known.
   */
  async read(
    location: string,
    part: CodedPart,
    frameAt: number,
    into: Uint8Array | null,
    upcoming: readonly number[] = [],
  ): Promise<void> {
    const damage = this.#damage;
    const isSame = damage?.location === location && damage.frameAt === frameAt;
    if (isSame && part.start >= damage.start) throw damage.error;
    try {
      if (part.rows === null) await this.#take(location, part, frameAt, into);
      else await this.#ranges.read(location, part, frameAt, into, upcoming);
    } catch (error) {
      if (error instanceof PartChangedError) throw error;
      await this.#leave();
      if (error instanceof FormatError) {
        this.#damage = { location, frameAt, start: part.start, error };
      }
      throw error;
    }
  }

  async #take(
    location: string,
    part: CodedPart,
    frameAt: number,
    into: Uint8Array | null,
  ): Promise<void> {
    let stream = this.#stream;
    if (stream?.canTake(location, part, frameAt) !== true) {
      await this.#leave();
      if (this.#isClosed) throw new Mx8Error('interrupted', 'the reader was closed');
      stream = new PartStream(this.#source, location, part, frameAt);
      this.#stream = stream;
    }
    await stream.take(part, frameAt, into);
  }

  /** The same at once, where nothing has to be waited for. False: call `read`. Not while that is under way. */
  readNow(location: string, part: CodedPart, frameAt: number, into: Uint8Array): boolean {
    if (part.rows !== null) return this.#ranges.readNow(location, part, frameAt, into);
    const stream = this.#stream;
    return stream?.canTake(location, part, frameAt) === true
      ? stream.takeNow(part, frameAt, into)
      : false;
  }

  /** Lets go of the open file; a read that is under way fails, and so does every other. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#ranges.close();
    await this.#leave();
  }

  async #leave(): Promise<void> {
    const stream = this.#stream;
    this.#stream = null;
    this.#ranges.leave();
    await stream?.close();
  }
}
