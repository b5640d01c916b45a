/**
 * The memory of batches. The ledger decides who gets which slab; this allocates, waits and frees. A
 * slab's memory is an ArrayBuffer that only its user holds: a batch that may be forgotten, and is, is collected
 * with it, and the pool hears of that and gives its bytes to the next one.
 */
import { assert, must } from '../core/base/assert.ts';
import { ByteLedger } from '../core/memory/byte-ledger.ts';
import type { SlabGrant } from '../core/memory/byte-ledger.ts';
import { SlabStart } from './slab-start.ts';

export interface Slab {
  readonly slabId: number;
  readonly buffer: ArrayBuffer;
}

export class SlabPool {
  readonly #ledger: ByteLedger;
  readonly #free: Map<number, ArrayBuffer> = new Map();
  readonly #starts: Map<number, SlabStart> = new Map();
  readonly #waiting: Map<number, (slab: Slab | null) => void> = new Map();
  readonly #onFreed: () => void;
  readonly #forgotten: FinalizationRegistry<number>;
  #closed: boolean = false;

  /** `onFreed` is called whenever a slab comes back. */
  constructor(capBytes: number, onFreed: () => void) {
    this.#ledger = new ByteLedger(capBytes);
    this.#onFreed = onFreed;
    this.#forgotten = new FinalizationRegistry((slabId) => this.lost(slabId));
  }

  get heldBytes(): number {
    return this.#ledger.heldBytes;
  }

  get heldBytesHighWater(): number {
    return this.#ledger.heldBytesHighWater;
  }

  /** True while somebody waits for memory that others hold. */
  get isWaitedFor(): boolean {
    return this.#ledger.waitingCount > 0;
  }

  /**
   * A slab of at least `bytes`, first come first served; null when the pool closes first. A promise
   * only where it has to be waited for.
   */
  take(bytes: number): Promise<Slab | null> | Slab | null {
    if (this.#closed) return null;
    const { ticket, grants } = this.#ledger.request(bytes);
    const [grant] = grants;
    if (grant !== undefined) {
      assert(grant.ticket === ticket, 'a request that is granted at once is the only one');
      return this.#slabFor(grant);
    }
    return new Promise((resolve) => {
      this.#waiting.set(ticket, resolve);
    });
  }

  /** The same where nobody has to wait for it; else null, and nothing is asked for. */
  takeNow(bytes: number): Slab | null {
    if (this.#closed || this.isWaitedFor) return null;
    const { ticket, grants } = this.#ledger.request(bytes);
    const [grant] = grants;
    if (grant !== undefined) return this.#slabFor(grant);
    this.#ledger.cancel(ticket);
    return null;
  }

  /** Where in the slab samples are to start. */
  startOf(slab: Slab): SlabStart {
    const known = this.#starts.get(slab.slabId);
    if (known !== undefined) return known;
    const start = new SlabStart();
    this.#starts.set(slab.slabId, start);
    return start;
  }

  /** From now on the slab comes back by itself when nothing refers to its memory any more. */
  watch(slab: Slab): void {
    this.#forgotten.register(slab.buffer, slab.slabId, slab.buffer);
  }

  /** It will be released instead. */
  unwatch(slab: Slab): void {
    this.#forgotten.unregister(slab.buffer);
  }

  /** Views of the memory that somebody kept become empty: they can never show another batch. */
  release(slab: Slab): void {
    if (this.#closed) {
      slab.buffer.transfer(0);
      this.#starts.delete(slab.slabId);
      this.#ledger.forget(slab.slabId);
    } else {
      this.#free.set(slab.slabId, slab.buffer.transfer());
      this.#hand(this.#ledger.release(slab.slabId));
    }
    this.#onFreed();
  }

  /** The slab's memory is gone. */
  lost(slabId: number): void {
    this.#starts.delete(slabId);
    this.#hand(this.#ledger.forget(slabId));
    this.#onFreed();
  }

  /** Frees what is free and answers null to all who wait. Slabs in use may still be released. */
  close(): void {
    this.#closed = true;
    for (const resolve of this.#waiting.values()) resolve(null);
    for (const ticket of this.#waiting.keys()) this.#ledger.cancel(ticket);
    this.#waiting.clear();
    for (const slabId of this.#ledger.dropFree()) this.#drop(slabId);
  }

  #hand(grants: readonly SlabGrant[]): void {
    for (const grant of grants) {
      const resolve = must(this.#waiting.get(grant.ticket), 'a grant belongs to a request');
      this.#waiting.delete(grant.ticket);
      resolve(this.#slabFor(grant));
    }
  }

  #slabFor(grant: SlabGrant): Slab {
    for (const slabId of grant.dropped) this.#drop(slabId);
    return { slabId: grant.slabId, buffer: this.#bufferFor(grant) };
  }

  #bufferFor(grant: SlabGrant): ArrayBuffer {
    if (!grant.reused) return new ArrayBuffer(grant.capacityBytes);
    const buffer = must(this.#free.get(grant.slabId), 'a free slab has its memory');
    this.#free.delete(grant.slabId);
    return buffer;
  }

  /** Gives the memory back at once instead of leaving it to the collector. */
  #drop(slabId: number): void {
    this.#free.get(slabId)?.transfer(0);
    this.#free.delete(slabId);
    this.#starts.delete(slabId);
  }
}
