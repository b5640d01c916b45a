/** Goes through the bytes of a tar member by member: what a scanner of shards and a view of samples share. */
import { USTAR_BLOCK_BYTES } from '../base/ustar.ts';
import { FormatError } from './format-error.ts';
import { TAR_EXTENDED_BYTES_MAX } from './limits.ts';
import { paddingOf, readPax, readTarHeader, textUpToNul } from './tar-header.ts';

export interface TarMember {
  readonly name: string;
  readonly isFile: boolean;
  /** Of its data. */
  readonly size: number;
  /** Where its first header starts, and its data. */
  readonly start: number;
  readonly dataStart: number;
}

type Extended = 'pax' | 'long_name' | 'ignored';

type Step =
  | { readonly type: 'header' }
  /** Data of a header that is about the next member. */
  | {
      readonly type: 'extended';
      readonly kind: Extended;
      readonly size: number;
      readonly bytes: number;
    }
  | { readonly type: 'data'; readonly bytes: number };

const HEADER: Step = { type: 'header' };

export class TarWalk {
  /** Position of the next byte. */
  position: number = 0;
  /** A block of zeros ended the archive. */
  isOver: boolean = false;
  #step: Step = HEADER;
  /** Of the step, gone by so far. */
  #gone = 0;
  #block: Uint8Array = new Uint8Array(USTAR_BLOCK_BYTES);
  #start = 0;
  /** Headers that are about the next member came before it. */
  #isPending = false;
  #path: string | null = null;
  #size: number | null = null;

  /** Bytes of data and padding that come next. */
  get dataBytes(): number {
    return this.#step.type === 'data' ? this.#step.bytes - this.#gone : 0;
  }

  /**
   * Takes a piece of `bytes` from `from` on, up to the end of what it is a piece of, and answers where that
   * piece ends. With a member when its header is complete.
   */
  take(
    bytes: Uint8Array,
    from: number,
  ): { readonly end: number; readonly member: TarMember | null } {
    const step = this.#step;
    const wanted = step.type === 'header' ? USTAR_BLOCK_BYTES : step.bytes;
    const end = Math.min(bytes.length, from + wanted - this.#gone);
    if (step.type !== 'data') this.#block.set(bytes.subarray(from, end), this.#gone);
    this.#moved(end - from);
    if (this.#gone < wanted) return { end, member: null };
    this.#gone = 0;
    if (step.type === 'header') return { end, member: this.#header() };
    if (step.type === 'extended') this.#extended(step.kind, step.size);
    this.#step = HEADER;
    this.#block = new Uint8Array(USTAR_BLOCK_BYTES);
    return { end, member: null };
  }

  skip(bytes: number): void {
    this.#moved(bytes);
    const { dataBytes } = this;
    if (dataBytes > 0) return;
    this.#gone = 0;
    this.#step = HEADER;
  }

  /** Throws when the archive ends inside a member. */
  finish(): void {
    if (this.isOver || (this.#step.type === 'header' && this.#gone === 0 && !this.#isPending))
      return;
    const what =
      this.#step.type === 'data'
        ? `${this.dataBytes} bytes before its end`
        : 'in the middle of a header';
    throw new FormatError(`the tar ends inside a member, ${what}: it was cut off`, this.position);
  }

  #moved(bytes: number): void {
    this.position += bytes;
    this.#gone += bytes;
  }

  #header(): TarMember | null {
    const at = this.position - USTAR_BLOCK_BYTES;
    const header = inPlace(at, () => readTarHeader(this.#block));
    if (header === null) {
      this.isOver = true;
      return null;
    }
    if (!this.#isPending) this.#start = at;
    const { kind } = header;
    if (kind === 'pax' || kind === 'long_name' || kind === 'ignored') {
      this.#isPending = true;
      if (header.size > TAR_EXTENDED_BYTES_MAX || header.size === 0) {
        const what = `an extended tar header of ${header.size} bytes; names have 1 to ${TAR_EXTENDED_BYTES_MAX}`;
        throw new FormatError(what, at);
      }
      const bytes = header.size + paddingOf(header.size);
      this.#block = new Uint8Array(bytes);
      this.#step = { type: 'extended', kind, size: header.size, bytes };
      return null;
    }
    const size = kind === 'file' ? (this.#size ?? header.size) : header.size;
    const name = this.#path ?? header.name;
    const bytes = size + paddingOf(size);
    if (bytes > 0) this.#step = { type: 'data', bytes };
    const member = { name, isFile: kind === 'file', size, start: this.#start };
    this.#isPending = false;
    this.#path = null;
    this.#size = null;
    return { ...member, dataStart: this.position };
  }

  #extended(kind: Extended, size: number): void {
    if (kind === 'ignored') return;
    const data = this.#block.subarray(0, size);
    if (kind === 'long_name') {
      this.#path = textUpToNul(data);
      return;
    }
    const fields = inPlace(this.position - this.#block.length, () => readPax(data));
    this.#path = fields.path ?? this.#path ?? null;
    this.#size = fields.size ?? this.#size;
  }
}

function inPlace<T>(at: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(error.message, at);
  }
}
