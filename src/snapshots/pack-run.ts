/**
 * Copies the samples of a list into shards, but for those in shards that are finished, and writes the manifest of all
 * of them. The list is read once, ahead of the samples; those are read in order, several batches ahead of who puts them into
 * parts, which are on their way while the next are filled.
 */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';

import { must } from '../core/base/assert.ts';
import { manifestHash } from '../core/base/units.ts';
import type { ManifestHash } from '../core/base/units.ts';
import { encodeHeader, encodeRecords } from '../core/manifest/encode.ts';
import { encodeLabels } from '../core/manifest/labels.ts';
import { isUrl } from '../core/manifest/location.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import { ShardCutter } from '../core/manifest/shard-cutter.ts';
import { openPipeline } from '../pipeline/index.ts';
import type { Clock } from '../ports/clock.ts';
import type { Places } from '../ports/place.ts';
import { PACK_BATCHES_AHEAD, PACK_PIECE_BYTES, PACK_SAMPLES_AT_ONCE } from './limits.ts';
import { resized } from './pack-error.ts';
import { entryName } from './pack-names.ts';
import type { PartSizes } from './pack-parts.ts';
import { PackPieces } from './pack-pieces.ts';
import type { Piece } from './pack-pieces.ts';
import { listedItems } from './pack-prepared.ts';
import type { Prepared } from './pack-prepared.ts';
import type { PackFile, PackTarget, ShardFacts } from './pack-target.ts';
import { ShardPacker } from './shard-packer.ts';

export interface PackRunOptions {
  readonly target: PackTarget;
  readonly prepared: Prepared;
  /** Names of the shards that are there. */
  readonly finished: ReadonlySet<string>;
  readonly parts: PartSizes;
  /** Bytes of samples that are read and not yet in a part. */
  readonly maxInflightBytes: number;
  readonly clock: Clock;
  readonly places: Places | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onFinished: (shard: ShardFacts) => void;
  /** So many more are in their shards. */
  readonly onSamples: (samples: number, bytes: number) => void;
}

export class PackRun {
  readonly #options: PackRunOptions;
  readonly #pieces: PackPieces;
  readonly #packer: ShardPacker;
  readonly #hash = createHash('sha256');

  constructor(options: PackRunOptions) {
    this.#options = options;
    const { maxInflightBytes, target, parts, onFinished } = options;
    // Half of the memory at most: the next piece is read while one is used.
    const pieceBytes = Math.min(PACK_PIECE_BYTES, Math.floor(maxInflightBytes / 2));
    this.#pieces = new PackPieces(pieceBytes, Math.min(PACK_SAMPLES_AT_ONCE, pieceBytes));
    this.#packer = new ShardPacker(target, parts, onFinished);
  }

  /** Every shard, the manifest and the labels are finished; the manifest's hash. */
  async run(): Promise<ManifestHash> {
    const { target, prepared } = this.#options;
    const manifest = await target.openMeta('manifest.tsv');
    try {
      await this.#write(manifest, encodeHeader());
      await this.#pack(manifest);
      await this.#packer.finish();
      if (prepared.labelNames !== null) await this.#writeLabels(prepared.labelNames);
      await manifest.finish();
    } finally {
      await this.#packer.abandon();
      await manifest.abandon();
    }
    return manifestHash(this.#hash.digest('hex'));
  }

  async #pack(manifest: PackFile): Promise<void> {
    const { maxInflightBytes, clock, places, signal } = this.#options;
    await using pipeline = openPipeline({
      records: this.#records(manifest),
      batchSize: Math.min(PACK_SAMPLES_AT_ONCE, maxInflightBytes),
      maxInflightBytes,
      prefetchBatches: PACK_BATCHES_AHEAD,
      maxQueueBatches: PACK_BATCHES_AHEAD,
      cutAtChunks: true,
      clock,
      ...(places === undefined ? {} : { openPlaces: () => borrowed(places) }),
      ...(signal === undefined ? {} : { signal }),
    });
    for await (const batch of pipeline) {
      using held = batch;
      let samples = 0;
      for (let index = 0; index < held.sampleCount; index += 1) {
        const piece = this.#pieces.next();
        if (piece.isLast) samples += 1;
        await this.#add(piece, held.sample(index));
      }
      this.#options.onSamples(samples, held.payload.length);
    }
  }

  /** Waits only where there is no room. */
  async #add(piece: Piece, bytes: Uint8Array): Promise<void> {
    const { item, shard, entry, isFirst, isLast } = piece;
    const packer = this.#packer;
    if (!packer.hasRoom) await packer.untilRoom();
    if (isFirst) packer.begin(shard, entry, item.bytes);
    packer.data(bytes.subarray(0, PACK_PIECE_BYTES));
    for (let at = PACK_PIECE_BYTES; at < bytes.length; at += PACK_PIECE_BYTES) {
      if (!packer.hasRoom) await packer.untilRoom();
      packer.data(bytes.subarray(at, at + PACK_PIECE_BYTES));
    }
    if (!isLast) return;
    packer.end(item.bytes);
    if (!isFirst) checkEnd(piece);
  }

  /** What is to be read, while the manifest is written: also of what is in its shard already. */
  async *#records(manifest: PackFile): AsyncGenerator<readonly SampleRecord[]> {
    const { target, prepared, signal, finished } = this.#options;
    const { shards, plan, labels } = prepared;
    const locations = shards.map(({ name }) => target.shardLocation(name));
    const cutter = new ShardCutter(plan.shardBytes);
    for await (const items of listedItems(target, plan.listHash, signal)) {
      const lines: SampleRecord[] = [];
      for (const item of items) {
        const sampleId = cutter.sampleCount;
        const { shard: index, byteOffset } = cutter.add(item.bytes);
        const shard = must(shards[index], 'the list is cut as it was before');
        const location = locations[index] ?? '';
        const decodeHint = labels.hintOf(item);
        lines.push({ sampleId, location, byteOffset, byteLength: item.bytes, decodeHint });
        if (finished.has(shard.name)) continue;
        this.#pieces.add({ sampleId, item, shard, entry: entryName(sampleId, item) });
      }
      await this.#write(manifest, encodeRecords(lines));
      yield* this.#ready();
    }
    this.#pieces.end();
    yield* this.#ready();
  }

  *#ready(): Generator<readonly SampleRecord[]> {
    for (let next = this.#pieces.takeReady(); next !== undefined; next = this.#pieces.takeReady()) {
      yield next;
    }
  }

  async #writeLabels(labels: readonly string[]): Promise<void> {
    const file = await this.#options.target.openMeta('labels.tsv');
    try {
      await file.write(Buffer.from(encodeLabels(labels)));
      await file.finish();
    } finally {
      await file.abandon();
    }
  }

  async #write(manifest: PackFile, bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    await manifest.write(bytes);
  }
}

/** A file that was read in pieces may have grown behind the last one. Objects have an ETag. */
function checkEnd({ item: { location, bytes, byteOffset } }: Piece): void {
  if (byteOffset !== -1 || isUrl(location)) return;
  const size = statSync(location, { throwIfNoEntry: false })?.size ?? 0;
  if (size !== bytes) throw resized(location, bytes, size);
}

/** They stay their owner's. */
function borrowed(places: Places): Places {
  const close = (): Promise<void> => Promise.resolve();
  return {
    of: (location) => places.of(location),
    writable: (location) => places.writable(location),
    close,
    [Symbol.asyncDispose]: close,
  };
}
