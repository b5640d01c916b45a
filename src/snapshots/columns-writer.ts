/** Writes the columns of a packed data set while the lines of its manifest are checked. */
import { open, rename } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { ManifestHash } from '../core/base/units.ts';
import type { LineSink } from '../core/manifest/canonical-checker.ts';
import type { ScannedLine } from '../core/manifest/line-scanner.ts';
import { makeFolders } from '../storage/make-folders.ts';
import {
  BLOCK_BYTES,
  BLOCK_SAMPLES,
  LENGTHS_AT,
  RUNS_AT,
  RUNS_END,
  RUN_HEAD_BYTES,
  areColumnsKnownHere,
  encodeFooter,
  seal,
} from './columns-format.ts';
import { discard, syncFolder } from './durable-file.ts';
import { systemCode } from './system-error.ts';

/** A manifest of fewer samples is read in no time anyway. */
const SAMPLES_MIN: number = 4 * BLOCK_SAMPLES;

/**
 * It gives up, which nobody needs to know, at the first line of a whole object, at one that had to be looked
 * at more closely, where a block has too many runs, and where the store cannot be written to: of such
 * manifests there are no columns. So nothing is written for a list of loose files.
 */
export class ColumnsWriter implements LineSink, AsyncDisposable {
  readonly #temporary: string;
  #hasGivenUp: boolean = !areColumnsKnownHere;
  #file: FileHandle | null = null;
  /** Blocks that are not written yet. */
  #full: Buffer[] = [];
  #block: Block = new Block();
  #blocks: number = 0;

  constructor(temporary: string) {
    this.#temporary = temporary;
  }

  passed(bytes: Uint8Array, line: ScannedLine, end: number): void {
    if (this.#hasGivenUp) return;
    if (!this.#block.add(bytes, line, end)) this.unproved();
    else if (this.#block.samples === BLOCK_SAMPLES) this.#seal();
  }

  unproved(): void {
    this.#hasGivenUp = true;
    this.#full = [];
  }

  /** Gives back the room on the disk that it took; answers whether it had any. */
  async giveUp(): Promise<boolean> {
    this.unproved();
    const file = this.#file;
    this.#file = null;
    if (file === null) return false;
    // What some file systems say only now was to be written there, and is not wanted any more.
    await this.#attempt(() => file.close());
    await discard(this.#temporary);
    return true;
  }

  /** To be called now and then, as the blocks that are full are in memory until then. */
  async flush(): Promise<void> {
    if (this.#hasGivenUp) await this.giveUp();
    if (this.#full.length === 0) return;
    const bytes = Buffer.concat(this.#full);
    this.#full = [];
    await this.#attempt(async () => {
      await makeFolders(dirname(this.#temporary));
      this.#file ??= await open(this.#temporary, 'wx', 0o444);
      await this.#file.writeFile(bytes);
    });
  }

  /** Stores them as those of the manifest all of whose lines were passed, where they are of use. */
  async keep(path: string, hash: ManifestHash): Promise<void> {
    const rest = this.#block.samples;
    const sampleCount = this.#blocks * BLOCK_SAMPLES + rest;
    if (this.#hasGivenUp || sampleCount < SAMPLES_MIN) return;
    if (rest > 0) this.#seal();
    this.#full.push(encodeFooter(hash, sampleCount));
    await this.flush();
    if (this.#hasGivenUp) return;
    await this.#attempt(async () => {
      await this.#file?.sync();
      await makeFolders(dirname(path));
      await rename(this.#temporary, path);
      await syncFolder(dirname(path));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.giveUp();
  }

  /** What cannot be written is done without. */
  async #attempt(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (systemCode(error) === '') throw error;
      this.unproved();
    }
  }

  #seal(): void {
    this.#full.push(this.#block.sealed(this.#blocks));
    this.#blocks += 1;
    this.#block = new Block();
  }
}

/** A block that is being filled. */
class Block {
  samples: number = 0;
  readonly #bytes: Buffer = Buffer.from(new ArrayBuffer(BLOCK_BYTES));
  readonly #offsets: Float64Array = new Float64Array(this.#bytes.buffer, 0, BLOCK_SAMPLES);
  readonly #lengths: Float64Array = new Float64Array(this.#bytes.buffer, LENGTHS_AT, BLOCK_SAMPLES);
  #runs: number = 0;
  /** Where the texts of the last run are, and end. */
  #locationAt: number = RUNS_AT + 4;
  #hintAt: number = this.#locationAt;
  #end: number = this.#locationAt;

  /** False where it cannot hold the line. */
  add(bytes: Uint8Array, line: ScannedLine, end: number): boolean {
    if (line.byteOffset < 0) return false;
    const index = this.samples;
    this.#offsets[index] = line.byteOffset;
    this.#lengths[index] = line.byteLength;
    this.samples = index + 1;
    if (index > 0 && this.#isLastRun(bytes, line, end)) return true;
    return this.#addRun(index, bytes, line, end);
  }

  sealed(number: number): Buffer {
    this.#bytes.writeUInt32LE(this.#runs, RUNS_AT);
    seal(this.#bytes, number);
    return this.#bytes;
  }

  #isLastRun(bytes: Uint8Array, line: ScannedLine, end: number): boolean {
    const { locationStart, locationEnd, hintStart } = line;
    if (!isSame(this.#bytes, this.#hintAt, this.#end, bytes, hintStart, end - 1)) return false;
    // The first line of a piece of the manifest has none before it in the same bytes.
    if (line.isSameLocation) return true;
    return isSame(this.#bytes, this.#locationAt, this.#hintAt, bytes, locationStart, locationEnd);
  }

  #addRun(index: number, bytes: Uint8Array, line: ScannedLine, end: number): boolean {
    const location = bytes.subarray(line.locationStart, line.locationEnd);
    const hint = bytes.subarray(line.hintStart, end - 1);
    const at = this.#end;
    this.#locationAt = at + RUN_HEAD_BYTES;
    this.#hintAt = this.#locationAt + location.length;
    this.#end = this.#hintAt + hint.length;
    if (this.#end > RUNS_END) return false;
    this.#bytes.writeUInt32LE(index, at);
    this.#bytes.writeUInt32LE(location.length, at + 4);
    this.#bytes.writeUInt32LE(hint.length, at + 8);
    this.#bytes.set(location, this.#locationAt);
    this.#bytes.set(hint, this.#hintAt);
    this.#runs += 1;
    return true;
  }
}

function isSame(
  one: Uint8Array,
  oneStart: number,
  oneEnd: number,
  other: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (oneEnd - oneStart !== end - start) return false;
  for (let at = start; at < end; at += 1) {
    if (one[oneStart + at - start] !== other[at]) return false;
  }
  return true;
}
