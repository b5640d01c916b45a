/**
 * Where samples of these sizes, in this order, lie in the tar shards of a packed data set. A function of the sizes
 * and of the shard size alone: so who packs again, from any sample on, makes the same shards.
 */
import { USTAR_BLOCK_BYTES, USTAR_END_BYTES, paddedLength } from '../base/ustar.ts';

export interface CutShard {
  /** Samples [firstSample, endSample). */
  readonly firstSample: number;
  endSample: number;
  /** Of the whole file, its end included. */
  bytes: number;
  /** Of the samples alone. */
  sampleBytes: number;
}

export interface CutSample {
  /** Index of its shard. */
  readonly shard: number;
  /** Where in the shard its data begin. */
  readonly byteOffset: number;
}

export class ShardCutter {
  readonly shards: CutShard[] = [];
  readonly #shardBytes: number;
  #samples = 0;

  /** `shardBytes`: a shard does not grow past this, but for one sample that is larger by itself. */
  constructor(shardBytes: number) {
    this.#shardBytes = shardBytes;
  }

  get sampleCount(): number {
    return this.#samples;
  }

  /** The next sample. */
  add(bytes: number): CutSample {
    const entryBytes = USTAR_BLOCK_BYTES + paddedLength(bytes);
    let last = this.shards.at(-1);
    // The end of the archive is not counted: other packers do not count it either.
    if (last === undefined || last.bytes - USTAR_END_BYTES + entryBytes > this.#shardBytes) {
      const start = { firstSample: this.#samples, endSample: this.#samples };
      last = { ...start, bytes: USTAR_END_BYTES, sampleBytes: 0 };
      this.shards.push(last);
    }
    const byteOffset = last.bytes - USTAR_END_BYTES + USTAR_BLOCK_BYTES;
    last.bytes += entryBytes;
    last.sampleBytes += bytes;
    last.endSample += 1;
    this.#samples += 1;
    return { shard: this.shards.length - 1, byteOffset };
  }
}
