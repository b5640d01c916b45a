/** Writes samples one after the other into USTAR shards, through one buffer that is used again. */
import { must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import {
  USTAR_BLOCK_BYTES,
  USTAR_END_BYTES,
  USTAR_ENTRY_BYTES_MAX,
  encodeUstarHeader,
  paddedLength,
} from '../core/base/ustar.ts';
import { PACK_BUFFER_BYTES } from './limits.ts';
import type { PackSource } from './pack-input.ts';
import type { PackFile, PackTarget } from './pack-target.ts';

export interface PackedPart {
  /** Name of the shard. */
  readonly shard: string;
  readonly byteOffset: number;
  readonly byteLength: number;
}

export class ShardWriter {
  readonly #target: Pick<PackTarget, 'openShard'>;
  readonly #shardBytes: number;
  readonly #buffer: Buffer = Buffer.allocUnsafeSlow(PACK_BUFFER_BYTES);
  #filled = 0;
  #shard: PackFile | null = null;
  #shardCount = 0;
  /** Bytes of the open shard, written or in the buffer. */
  #position = 0;

  constructor(target: Pick<PackTarget, 'openShard'>, shardBytes: number) {
    this.#target = target;
    this.#shardBytes = shardBytes;
  }

  get shardCount(): number {
    return this.#shardCount;
  }

  /** Appends the whole of `file`; `sample_changed` when it does not hold still meanwhile. */
  async add(name: string, file: PackSource): Promise<PackedPart> {
    checkSize(file);
    const entryBytes = USTAR_BLOCK_BYTES + paddedLength(file.size);
    if (this.#shard !== null && this.#position + entryBytes > this.#shardBytes) {
      await this.#endShard();
    }
    if (this.#shard === null) await this.#startShard();
    await this.#append(encodeUstarHeader({ name, size: file.size }));
    const byteOffset = this.#position;
    await this.#appendFile(file);
    await this.#appendZeros(paddedLength(file.size) - file.size);
    return { shard: shardName(this.#shardCount - 1), byteOffset, byteLength: file.size };
  }

  /** Ends the last shard; every shard is durable afterwards (their folder's entries are not yet). */
  async finish(): Promise<void> {
    if (this.#shard !== null) await this.#endShard();
  }

  /** Gives up the open shard. */
  async abandon(): Promise<void> {
    await this.#shard?.abandon();
    this.#shard = null;
  }

  async #startShard(): Promise<void> {
    this.#shard = await this.#target.openShard(shardName(this.#shardCount));
    this.#shardCount += 1;
    this.#position = 0;
  }

  async #endShard(): Promise<void> {
    await this.#appendZeros(USTAR_END_BYTES);
    await this.#flush();
    const shard = must(this.#shard, 'a shard is open when it ends');
    await shard.finish();
    this.#shard = null;
  }

  async #append(bytes: Uint8Array): Promise<void> {
    if (this.#filled + bytes.length > this.#buffer.length) await this.#flush();
    this.#buffer.set(bytes, this.#filled);
    this.#advance(bytes.length);
  }

  async #appendZeros(count: number): Promise<void> {
    await this.#append(new Uint8Array(count));
  }

  async #appendFile(file: PackSource): Promise<void> {
    let left = file.size;
    while (left > 0) {
      if (this.#filled === this.#buffer.length) await this.#flush();
      const end = Math.min(this.#buffer.length, this.#filled + left);
      const bytes = await file.read(this.#buffer.subarray(this.#filled, end));
      if (bytes === 0) throw changed(file, 'it got shorter');
      left -= bytes;
      this.#advance(bytes);
    }
    if ((await file.read(new Uint8Array(1))) !== 0) throw changed(file, 'it got longer');
  }

  #advance(bytes: number): void {
    this.#filled += bytes;
    this.#position += bytes;
  }

  async #flush(): Promise<void> {
    const shard = must(this.#shard, 'a shard is open while bytes are written');
    const bytes = this.#buffer.subarray(0, this.#filled);
    await shard.write(bytes);
    this.#filled = 0;
  }
}

export function shardName(index: number): string {
  return `shard-${String(index).padStart(5, '0')}.tar`;
}

function checkSize(file: PackSource): void {
  if (file.size === 0) {
    throw new Mx8Error('file_empty', `The file ${file.path} is empty; a sample has bytes.`, {
      location: file.path,
    });
  }
  if (file.size > USTAR_ENTRY_BYTES_MAX) {
    throw new Mx8Error(
      'row_invalid',
      `The file ${file.path} has ${file.size} bytes; a packed data set holds files of up to ${USTAR_ENTRY_BYTES_MAX}.`,
      { location: file.path, size_bytes: file.size },
    );
  }
}

function changed(file: PackSource, how: string): Mx8Error {
  return new Mx8Error(
    'sample_changed',
    `The file ${file.path} changed while it was packed: ${how}. Pack again when nobody writes to it.`,
    { location: file.path },
  );
}
