/**
 * The file `columns/<manifest hash>` of a manifest store: where in their shards the samples of a packed data set
 * lie, as numbers. Reading them so costs a tenth of taking the manifest's lines apart. It says nothing that
 * the manifest does not say, and other implementations never look here: without it, or where anything in it
 * is not as it should be, the lines are read.
 *
 * Little-endian. Blocks of 1024 samples, all of one size: their offsets and their lengths (float64 each),
 * then the runs of samples that have one location and one hint: how many (uint32); of each its first sample
 * in the block, and the bytes of both texts (uint32 each), and the texts. The last 4 bytes are the CRC-32 of the block's number
 * and of all before them. After the blocks: mark (8 bytes), manifest hash (32), number of samples (float64), and the CRC-32
 * of the three.
 */
import { endianness } from 'node:os';
import { crc32 } from 'node:zlib';

import type { ManifestHash } from '../core/base/units.ts';
import { MANIFEST_INDEX_STRIDE } from '../core/manifest/limits.ts';
import { RecordTable, newColumns } from '../core/manifest/record-table.ts';
import { Texts } from '../core/manifest/texts.ts';

export const BLOCK_SAMPLES: number = MANIFEST_INDEX_STRIDE;
const NUMBERS_BYTES: number = BLOCK_SAMPLES * 8;
export const LENGTHS_AT: number = NUMBERS_BYTES;
export const RUNS_AT: number = 2 * NUMBERS_BYTES;
const CHECK_BYTES = 4;
export const BLOCK_BYTES: number = RUNS_AT + 4096;
export const RUNS_END: number = BLOCK_BYTES - CHECK_BYTES;
/** Of a run, before its texts. */
export const RUN_HEAD_BYTES = 12;

const MARK = 'mx8col01';
const HASH_BYTES = 32;
const SAMPLES_AT: number = MARK.length + HASH_BYTES;
const FOOTER_CHECK_AT: number = SAMPLES_AT + 8;
export const FOOTER_BYTES: number = FOOTER_CHECK_AT + CHECK_BYTES;

/** Numbers are taken as they lie in memory. */
export const areColumnsKnownHere: boolean = endianness() === 'LE';

export function fileBytes(sampleCount: number): number {
  return Math.ceil(sampleCount / BLOCK_SAMPLES) * BLOCK_BYTES + FOOTER_BYTES;
}

export function encodeFooter(hash: ManifestHash, sampleCount: number): Buffer {
  const footer = Buffer.alloc(FOOTER_BYTES);
  footer.write(MARK, 0, 'latin1');
  footer.write(hash, MARK.length, 'hex');
  footer.writeDoubleLE(sampleCount, SAMPLES_AT);
  footer.writeUInt32LE(crc32(footer.subarray(0, FOOTER_CHECK_AT)), FOOTER_CHECK_AT);
  return footer;
}

/** Notes the sum of the block of that number. */
export function seal(block: Buffer, number: number): void {
  block.writeUInt32LE(sumOf(block, number), RUNS_END);
}

/** Samples [from, to) from the blocks that hold them; null where those are damaged. */
export function decodeBlocks(blocks: Buffer, from: number, to: number): RecordTable | null {
  const firstBlock = Math.floor(from / BLOCK_SAMPLES);
  const first = firstBlock * BLOCK_SAMPLES;
  const count = to - first;
  const columns = newColumns(count);
  const offsets = new Uint8Array(columns.byteOffsets.buffer);
  const lengths = new Uint8Array(columns.byteLengths.buffer);
  const runs = new Runs(columns.locationOf, columns.hintOf);
  for (let at = 0; at * BLOCK_SAMPLES < count; at += 1) {
    const block = blocks.subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES);
    if (block.length < BLOCK_BYTES) return null;
    if (block.readUInt32LE(RUNS_END) !== sumOf(block, firstBlock + at)) return null;
    const bytes = Math.min(BLOCK_SAMPLES, count - at * BLOCK_SAMPLES) * 8;
    offsets.set(block.subarray(0, bytes), at * NUMBERS_BYTES);
    lengths.set(block.subarray(LENGTHS_AT, LENGTHS_AT + bytes), at * NUMBERS_BYTES);
    runs.add(block, at * BLOCK_SAMPLES);
  }
  for (let index = 0; index < count; index += 1) columns.sampleIds[index] = first + index;
  const texts = { locations: Texts.of(runs.locations), hints: Texts.of(runs.hints) };
  return new RecordTable({ ...columns, ...texts }, from - first, count);
}

/** Puts the runs of blocks that follow each other together. */
class Runs {
  readonly locations: string[] = [];
  readonly hints: string[] = [];
  readonly #locationOf: Uint32Array;
  readonly #hintOf: Uint32Array;

  constructor(locationOf: Uint32Array, hintOf: Uint32Array) {
    this.#locationOf = locationOf;
    this.#hintOf = hintOf;
  }

  /** Those of the block whose first sample is at `start` in the columns. */
  add(block: Buffer, start: number): void {
    const count = block.readUInt32LE(RUNS_AT);
    let at = RUNS_AT + 4;
    for (let run = 0; run < count; run += 1) {
      const first = start + block.readUInt32LE(at);
      const hintAt = at + RUN_HEAD_BYTES + block.readUInt32LE(at + 4);
      const end = hintAt + block.readUInt32LE(at + 8);
      const location = numberOf(
        this.locations,
        block.toString('utf8', at + RUN_HEAD_BYTES, hintAt),
      );
      const hint = numberOf(this.hints, block.toString('utf8', hintAt, end));
      // What comes after the run is filled with the next one.
      this.#locationOf.fill(location, first, start + BLOCK_SAMPLES);
      this.#hintOf.fill(hint, first, start + BLOCK_SAMPLES);
      at = end;
    }
  }
}

/** Of the text at the end of `texts`, where it is added unless it is there. */
function numberOf(texts: string[], text: string): number {
  if (texts.at(-1) !== text) texts.push(text);
  return texts.length - 1;
}

function sumOf(block: Uint8Array, number: number): number {
  return crc32(block.subarray(0, RUNS_END), number);
}
