/**
 * Who holds how many bytes of slab memory. A slab is one piece of memory that carries one batch; its
 * permit is its capacity. The ledger decides, the shell (`src/pipeline/slab-pool.ts`) allocates:
 *
 *   request(bytes) ──▶ granted: a free slab again, or a new one (after freeing others)
 *                └───▶ waiting, first come first served
 *   release(slab)  ──▶ the slab is free; grants to those who wait
 *   forget(slab)   ──▶ its memory is gone; grants to those who wait
 *
 * Invariant: bytes held + bytes free <= cap, always. So the cap holds for the memory that exists, not
 * only for the part of it that is in use. Whoever waits first is served first, even where a later,
 * smaller request would fit: otherwise a large batch could starve.
 */
import { assert, must } from '../base/assert.ts';

/** Slabs come in eight sizes per doubling, so that batches of nearly the same size share them. */
const SIZES_PER_DOUBLING_LOG2 = 3;
/** Below this, finer sizes would only keep slabs from being used again. */
const SLAB_BYTES_STEP_MIN = 4096;
/** A free slab is used again for a batch that fills at least two thirds of it. */
const REUSE_WASTE_MAX = 1.5;

/** An answer to one request. */
export interface SlabGrant {
  readonly ticket: number;
  readonly slabId: number;
  readonly capacityBytes: number;
  /** True: `slabId` was released earlier and has kept its memory. */
  readonly reused: boolean;
  /** Free slabs whose memory must be given back before the new slab is allocated. */
  readonly dropped: readonly number[];
}

const NO_GRANTS: readonly SlabGrant[] = [];

interface Waiting {
  readonly ticket: number;
  readonly bytes: number;
}

export class ByteLedger {
  readonly capBytes: number;
  readonly #held: Map<number, number> = new Map();
  /** Free slabs, the one used last at the end: its memory is the likeliest to be in a CPU cache. */
  readonly #free: Map<number, number> = new Map();
  #waiting: Waiting[] = [];
  #heldBytes: number = 0;
  #freeBytes: number = 0;
  #heldBytesHighWater: number = 0;
  #nextId: number = 1;

  constructor(capBytes: number) {
    assert(Number.isSafeInteger(capBytes) && capBytes > 0, 'a byte cap is a positive number');
    this.capBytes = capBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  get heldBytesHighWater(): number {
    return this.#heldBytesHighWater;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Asks for a slab of at least `bytes`, at most the cap. The grant comes now or from a later call. */
  request(bytes: number): { readonly ticket: number; readonly grants: readonly SlabGrant[] } {
    assert(bytes > 0 && bytes <= this.capBytes, 'a slab that is asked for fits the cap');
    const ticket = this.#nextId;
    this.#nextId += 1;
    const wanted = { ticket, bytes };
    const grant = this.#waiting.length === 0 ? this.#grant(wanted) : null;
    if (grant === null) this.#waiting.push(wanted);
    return { ticket, grants: grant === null ? NO_GRANTS : [grant] };
  }

  /** Takes a request back that has not been granted. */
  cancel(ticket: number): readonly SlabGrant[] {
    this.#waiting = this.#waiting.filter((waiting) => waiting.ticket !== ticket);
    return this.#serve();
  }

  /** The batch is done with; the slab keeps its memory for the next one. */
  release(slabId: number): readonly SlabGrant[] {
    const capacityBytes = this.#unhold(slabId);
    this.#free.set(slabId, capacityBytes);
    this.#freeBytes += capacityBytes;
    return this.#serve();
  }

  /** The slab's memory no longer exists: it was collected, or lost with a thread. */
  forget(slabId: number): readonly SlabGrant[] {
    this.#unhold(slabId);
    return this.#serve();
  }

  /** Gives up every free slab; the caller frees their memory. */
  dropFree(): readonly number[] {
    const dropped = [...this.#free.keys()];
    this.#free.clear();
    this.#freeBytes = 0;
    return dropped;
  }

  assertInvariants(): void {
    const sum = (slabs: Map<number, number>): number =>
      slabs.values().reduce((total, bytes) => total + bytes, 0);
    assert(sum(this.#held) === this.#heldBytes, 'held bytes are the sum of the permits');
    assert(sum(this.#free) === this.#freeBytes, 'free bytes are the sum of the free slabs');
    assert(this.#heldBytes + this.#freeBytes <= this.capBytes, 'slabs stay within the cap');
    for (const slabId of this.#held.keys()) {
      assert(!this.#free.has(slabId), 'no slab is both held and free');
    }
    const first = this.#waiting[0];
    if (first !== undefined && this.#held.size === 0) {
      assert(first.bytes > this.capBytes, 'nobody waits while nothing is held');
    }
  }

  #unhold(slabId: number): number {
    const capacityBytes = must(this.#held.get(slabId), 'a slab that is released is held');
    this.#held.delete(slabId);
    this.#heldBytes -= capacityBytes;
    return capacityBytes;
  }

  #serve(): readonly SlabGrant[] {
    if (this.#waiting.length === 0) return NO_GRANTS;
    const grants: SlabGrant[] = [];
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const grant = this.#grant(first);
      if (grant === null) break;
      this.#waiting.shift();
      grants.push(grant);
    }
    return grants;
  }

  #grant(wanted: Waiting): SlabGrant | null {
    return this.#grantFree(wanted) ?? this.#grantNew(wanted);
  }

  #grantFree(wanted: Waiting): SlabGrant | null {
    let best: number | null = null;
    let bestBytes = wanted.bytes * REUSE_WASTE_MAX;
    for (const [slabId, bytes] of this.#free) {
      if (bytes < wanted.bytes || bytes > bestBytes) continue;
      best = slabId;
      bestBytes = bytes;
    }
    if (best === null) return null;
    this.#free.delete(best);
    this.#freeBytes -= bestBytes;
    return this.#hold(wanted, best, bestBytes, true, []);
  }

  #grantNew(wanted: Waiting): SlabGrant | null {
    const capacityBytes = slabCapacityBytes(wanted.bytes, this.capBytes);
    if (this.#heldBytes + capacityBytes > this.capBytes) return null;
    const dropped: number[] = [];
    for (const [slabId, bytes] of this.#free) {
      if (this.#heldBytes + this.#freeBytes + capacityBytes <= this.capBytes) break;
      this.#free.delete(slabId);
      this.#freeBytes -= bytes;
      dropped.push(slabId);
    }
    const slabId = this.#nextId;
    this.#nextId += 1;
    return this.#hold(wanted, slabId, capacityBytes, false, dropped);
  }

  #hold(
    wanted: Waiting,
    slabId: number,
    capacityBytes: number,
    reused: boolean,
    dropped: readonly number[],
  ): SlabGrant {
    this.#held.set(slabId, capacityBytes);
    this.#heldBytes += capacityBytes;
    this.#heldBytesHighWater = Math.max(this.#heldBytesHighWater, this.#heldBytes);
    return { ticket: wanted.ticket, slabId, capacityBytes, reused, dropped };
  }
}

/** The size of a new slab for `bytes`: rounded up to one of eight sizes per doubling, within the cap. */
export function slabCapacityBytes(bytes: number, capBytes: number): number {
  const doubling = 2 ** Math.floor(Math.log2(bytes));
  const step = Math.max(SLAB_BYTES_STEP_MIN, doubling / 2 ** SIZES_PER_DOUBLING_LOG2);
  return Math.min(Math.ceil(bytes / step) * step, capBytes);
}
