/**
 * Which parts of the stream belong to which lease, and how far the consumer is with each. Batches are
 * handed out in order but finished in any order; a lease's cursor moves over what is finished without
 * a gap.
 */
import { must } from '../core/base/assert.ts';
import type { LeaseId } from '../core/base/units.ts';
import type { StreamPiece } from './source.ts';

export interface Advance {
  readonly leaseId: LeaseId;
  /** Everything of the lease below this sample id is done with. */
  readonly cursor: number;
  readonly samples: number;
  readonly bytes: number;
}

interface Segment {
  readonly leaseId: LeaseId;
  /** Records [start, end) of the stream are samples firstId, firstId + 1, … */
  readonly start: number;
  readonly end: number;
  readonly firstId: number;
}

interface OpenPiece {
  readonly piece: StreamPiece;
  readonly cursor: number;
  finished: boolean;
}

export class LeaseProgress {
  /** In stream order; those that have been handed out to their end are dropped. */
  #segments: Segment[] = [];
  #streamEnd: number = 0;
  readonly #live: Set<LeaseId> = new Set();
  /** Pieces handed out and not yet behind the cursor, by lease, in order. */
  readonly #pieces: Map<LeaseId, OpenPiece[]> = new Map();

  lost(leaseId: LeaseId): void {
    this.#live.delete(leaseId);
    this.#pieces.delete(leaseId);
  }

  isLive(leaseId: LeaseId): boolean {
    return this.#live.has(leaseId);
  }

  started(leaseId: LeaseId): void {
    this.#live.add(leaseId);
    this.#pieces.set(leaseId, []);
  }

  /** The next `count` records of the stream are samples of this lease, from `firstId` on. */
  append(leaseId: LeaseId, firstId: number, count: number): void {
    const start = this.#streamEnd;
    this.#streamEnd += count;
    this.#segments.push({ leaseId, start, end: this.#streamEnd, firstId });
  }

  /** Whether the piece may be handed out: its lease is still held. */
  admits(piece: StreamPiece): boolean {
    const { leaseId, start, firstId } = this.#segmentOf(piece);
    const pieces = this.#pieces.get(leaseId);
    if (pieces === undefined) return false;
    pieces.push({ piece, cursor: firstId + piece.end - start, finished: false });
    return true;
  }

  /** How far its lease has come by this; null while something before it is unfinished. */
  finished(piece: StreamPiece): Advance | null {
    for (const [leaseId, pieces] of this.#pieces) {
      const open = pieces.find((other) => other.piece === piece);
      if (open === undefined) continue;
      open.finished = true;
      return this.#advance(leaseId, pieces);
    }
    // The lease was lost meanwhile; whoever has it now does the rest.
    return null;
  }

  #advance(leaseId: LeaseId, pieces: OpenPiece[]): Advance | null {
    let samples = 0;
    let bytes = 0;
    let cursor: number | null = null;
    while (pieces[0]?.finished === true) {
      const [first] = pieces.splice(0, 1);
      if (first === undefined) break;
      cursor = first.cursor;
      samples += first.piece.samples;
      bytes += first.piece.bytes;
    }
    return cursor === null ? null : { leaseId, cursor, samples, bytes };
  }

  #segmentOf(piece: StreamPiece): Segment {
    while ((this.#segments[0]?.end ?? Infinity) <= piece.start) this.#segments.shift();
    const segment = must(this.#segments[0], 'what is delivered belongs to a lease');
    must(piece.end <= segment.end ? segment : null, 'a batch never holds samples of two leases');
    return segment;
  }
}
