/**
 * Puts samples, in order, into tar shards, in parts that are written while the next ones are filled: of several shards
 * at a time, in memory that is taken once. The bytes are copied once, from where they were read to the part.
 */
import { assert, must } from '../core/base/assert.ts';
import {
  USTAR_BLOCK_BYTES,
  USTAR_END_BYTES,
  encodeUstarHeader,
  paddedLength,
} from '../core/base/ustar.ts';
import { PACK_SHARDS_AT_ONCE } from './limits.ts';
import type { PartSizes } from './pack-parts.ts';
import type { PackShard, PackTarget, ShardFacts } from './pack-target.ts';

/** New ones that a piece of a sample may need, with its header and the end of the shard before it. */
const PARTS_PER_PIECE = 3;

interface OpenShard {
  readonly facts: ShardFacts;
  readonly shard: PackShard;
  readonly puts: Promise<void>[];
  /** Bytes of it so far, in parts that are sent or in the one that is being filled. */
  position: number;
}

export class ShardPacker {
  readonly #target: Pick<PackTarget, 'openShard'>;
  readonly #parts: PartSizes;
  readonly #onFinished: (shard: ShardFacts) => void;
  readonly #header: Uint8Array = new Uint8Array(USTAR_BLOCK_BYTES);
  readonly #free: Buffer[] = [];
  #partsMade = 0;
  /** The part that is being filled. */
  #part: Buffer | null = null;
  #filled = 0;
  #open: OpenShard | null = null;
  /** Shards whose last part is sent. */
  readonly #finishing: Map<OpenShard, Promise<void>> = new Map();
  #failure: { readonly error: unknown } | null = null;
  /** Called when a part has come back, a shard is finished, or something failed. */
  #wake: (() => void) | null = null;

  constructor(
    target: Pick<PackTarget, 'openShard'>,
    parts: PartSizes,
    onFinished: (shard: ShardFacts) => void,
  ) {
    this.#target = target;
    this.#parts = parts;
    this.#onFinished = onFinished;
  }

  /** Whether a piece, of at most the size of a part, can be added without waiting. */
  get hasRoom(): boolean {
    if (this.#failure !== null) throw this.#failure.error;
    const parts = this.#free.length + this.#parts.partsAtOnce - this.#partsMade;
    return parts >= PARTS_PER_PIECE && this.#finishing.size < PACK_SHARDS_AT_ONCE;
  }

  async untilRoom(): Promise<void> {
    while (!this.hasRoom) await this.#change();
  }

  /** The header of the next sample; of the next shard, if it is not in the same one. */
  begin(facts: ShardFacts, entry: string, bytes: number): void {
    if (this.#open?.facts.name !== facts.name) {
      this.#endShard();
      const shard = this.#target.openShard(facts, this.#parts.partBytes);
      this.#open = { facts, shard, puts: [], position: 0 };
    }
    this.#append(encodeUstarHeader({ name: entry, size: bytes }, this.#header));
  }

  /** More of the sample. */
  data(bytes: Uint8Array): void {
    this.#append(bytes);
  }

  /** All of its `bytes` are there. */
  end(bytes: number): void {
    this.#appendZeros(paddedLength(bytes) - bytes);
  }

  /** No sample follows in the open shard. It is finished while others are written. */
  #endShard(): void {
    const open = this.#open;
    if (open === null) return;
    this.#appendZeros(USTAR_END_BYTES);
    this.#send();
    this.#open = null;
    assert(open.position === open.facts.bytes, `${open.facts.name} is as large as was planned`);
    const finished = Promise.all(open.puts)
      .then(() => open.shard.finish())
      .then(() => {
        // One that failed is given up at the end.
        this.#finishing.delete(open);
        this.#onFinished(open.facts);
      })
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#wake?.());
    this.#finishing.set(open, finished);
  }

  /** Every shard is finished. */
  async finish(): Promise<void> {
    await this.untilRoom();
    this.#endShard();
    while (this.#finishing.size > 0) {
      if (this.#failure !== null) throw this.#failure.error;
      await this.#change();
    }
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** Gives up what is not finished, once nothing of it is on its way. */
  async abandon(): Promise<void> {
    const unfinished = [...this.#finishing.keys(), ...(this.#open === null ? [] : [this.#open])];
    await Promise.all(this.#finishing.values());
    await Promise.all(
      unfinished.map(async ({ shard, puts }) => {
        await Promise.allSettled(puts);
        await shard.abandon();
      }),
    );
  }

  #append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const room = Math.min(this.#parts.partBytes - this.#filled, bytes.length - at);
      this.#partNow().set(
        room === bytes.length ? bytes : bytes.subarray(at, at + room),
        this.#filled,
      );
      at += room;
      this.#advance(room);
    }
  }

  #appendZeros(count: number): void {
    for (let left = count; left > 0;) {
      const room = Math.min(this.#parts.partBytes - this.#filled, left);
      this.#partNow().fill(0, this.#filled, this.#filled + room);
      left -= room;
      this.#advance(room);
    }
  }

  #advance(bytes: number): void {
    this.#filled += bytes;
    must(this.#open, 'a shard is open while bytes are added').position += bytes;
    if (this.#filled === this.#parts.partBytes) this.#send();
  }

  #partNow(): Buffer {
    if (this.#part !== null) return this.#part;
    const free = this.#free.pop();
    if (free === undefined) {
      assert(this.#partsMade < this.#parts.partsAtOnce, 'who adds a piece has waited for room');
      this.#partsMade += 1;
    }
    this.#part = free ?? Buffer.allocUnsafeSlow(this.#parts.partBytes);
    return this.#part;
  }

  #send(): void {
    const part = this.#part;
    if (part === null || this.#filled === 0) return;
    const { shard, puts } = must(this.#open, 'a shard is open while a part is sent');
    const put = shard.put(puts.length, part.subarray(0, this.#filled));
    this.#part = null;
    this.#filled = 0;
    puts.push(put);
    put
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#free.push(part);
        this.#wake?.();
      });
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = (): void => {
        this.#wake = null;
        resolve();
      };
    });
  }
}
