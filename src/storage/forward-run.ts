/**
 * One object read forwards: ranges of growing size are asked for ahead of who reads, so that a store's round
 * trips are waited for once and not for each piece. Nothing is asked for ahead before somebody reads on where
 * the last read ended.
 */
import { must } from '../core/base/assert.ts';

/** Reads bytes [start, end) of the object. */
export type ReadPiece = (start: number, end: number, signal: AbortSignal) => Promise<Uint8Array>;

/** The first pieces are small: who looks at a header does not want the rest. */
const PIECE_BYTES_MIN: number = 256 * 1024;
const PIECE_BYTES_MAX: number = 1024 * 1024;
/**
 * Bytes that are asked for or here, beside what is being read: at 20 ms a round trip some 400 MB/s, more than
 * one thread decompresses.
 */
export const AHEAD_BYTES_MAX: number = 8 * 1024 * 1024;

interface Piece {
  readonly start: number;
  readonly end: number;
  readonly bytes: Promise<Uint8Array>;
}

export class ForwardRun {
  readonly #size: number;
  readonly #readPiece: ReadPiece;
  readonly #stop: AbortController = new AbortController();
  /** In order, without gaps. */
  #pieces: Piece[] = [];
  /** Where the last read ended; -1: nothing was read. */
  #position = -1;
  #pieceBytes = PIECE_BYTES_MIN;

  constructor(size: number, readPiece: ReadPiece) {
    this.#size = size;
    this.#readPiece = readPiece;
  }

  /** Whether a read at `position` finds its bytes here, or next. */
  reaches(position: number): boolean {
    const first = this.#pieces[0];
    if (first === undefined) return position === this.#position || this.#position === -1;
    return position >= first.start && position <= (this.#pieces.at(-1)?.end ?? 0);
  }

  /** `into` lies within the object. One at a time. */
  async read(position: number, into: Uint8Array): Promise<void> {
    const isOn = position === this.#position;
    const end = position + into.length;
    while (this.#pieces[0] !== undefined && this.#pieces[0].end <= position) this.#pieces.shift();
    while ((this.#pieces.at(-1)?.end ?? position) < end) this.#ask(position, end);
    if (isOn) this.#askAhead();
    for (const { start, end: pieceEnd, bytes } of this.#pieces.slice()) {
      if (start >= end) break;
      const from = Math.max(start, position);
      const part = (await bytes).subarray(from - start, Math.min(end, pieceEnd) - start);
      into.set(part, from - position);
    }
    this.#position = end;
  }

  /** What is under way is given up, and whoever waits for it is told `reason`. */
  leave(reason: unknown): void {
    this.#stop.abort(reason);
    this.#pieces = [];
  }

  #askAhead(): void {
    for (;;) {
      const first = must(this.#pieces[0], 'what is read next was asked for');
      const last = must(this.#pieces.at(-1), 'what is read next was asked for');
      const aheadBytes = last.end - first.start;
      if (last.end === this.#size || aheadBytes + this.#pieceBytes > AHEAD_BYTES_MAX) return;
      this.#ask(last.end, 0);
      this.#pieceBytes = Math.min(PIECE_BYTES_MAX, this.#pieceBytes * 2);
    }
  }

  /** For the next piece: up to `end` at least. */
  #ask(position: number, end: number): void {
    const start = this.#pieces.at(-1)?.end ?? position;
    const to = Math.min(this.#size, Math.max(end, start + this.#pieceBytes));
    const bytes = this.#readPiece(start, to, this.#stop.signal);
    // Whoever reads it is told; a piece that nobody comes to need not be.
    bytes.catch(() => undefined);
    this.#pieces.push({ start, end: to, bytes });
  }
}
