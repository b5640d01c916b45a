/**
 * The records of a link from the first that is listed on, while the rest is still being listed. The listing writes
 * them to the file that becomes the manifest, as fast as it can; this reads that file behind it, as fast as somebody
 * asks. So memory does not grow with what lies between the two, and what is read is what will be pinned. Where
 * there is a snapshot already, or a manifest, its records are read in the same way.
 */
import { assert, must } from '../core/base/assert.ts';
import type { ManifestHash } from '../core/base/units.ts';
import { decodeSlice, withPins } from '../core/manifest/decode-slice.ts';
import { decodeTable } from '../core/manifest/decode-table.ts';
import { MANIFEST_HEADER_BYTES } from '../core/manifest/encode.ts';
import { isUrl } from '../core/manifest/location.ts';
import { RecordTable } from '../core/manifest/record-table.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { Lines } from '../core/order/line-blocks.ts';
import type { Block } from '../core/order/shuffle-buffer.ts';
import type {
  FileStamps,
  ManifestReader,
  ManifestSpool,
  StampWriter,
} from '../ports/manifest-store.ts';
import {
  FOLLOW_CHUNK_BYTES,
  FOLLOW_CHUNK_LINES,
  FOLLOW_GAP_BYTES_MAX,
  FOLLOW_READ_BYTES_MAX,
} from './limits.ts';
import { resolveLink } from './resolve-link.ts';
import type { ResolvedLink, ResolveOptions } from './resolve-link.ts';
import type { SnapshotFollower } from './snapshot-follower.ts';

/** Lines that follow each other, and what the files in them were like; null where nobody took it down. */
export interface FollowedLines extends Lines {
  readonly bytes: Uint8Array;
  readonly stamps: FileStamps | null;
  /** Whether the first of them is no file of this machine. */
  readonly isInStore: boolean;
}

const NEWLINE = 0x0a;
const TAB = 0x09;
const SLASH = 0x2f;
/** As errors name what has no name yet. */
const SOURCE = 'the manifest of the listing';

export class LinkFollower implements SnapshotFollower {
  /** When all is listed and pinned. */
  readonly pinned: Promise<ResolvedLink>;
  #spool: ManifestSpool | null = null;
  #stamps: StampWriter | null = null;
  #reader: ManifestReader | null = null;
  #listed = 0;
  #hash: ManifestHash | null = null;
  #isClosed = false;
  #failure: { readonly error: unknown } | null = null;
  /** The next line: its sample, and where it starts. */
  #next = 0;
  #at: number = MANIFEST_HEADER_BYTES;
  #wake: () => void = () => undefined;

  /** Begins to list where no snapshot is known. Aborting `signal` ends that, and leaves nothing behind. */
  constructor(link: string, options: Omit<ResolveOptions, 'follower'>) {
    this.pinned = resolveLink(link, { ...options, follower: this });
    this.pinned.then(
      ({ hash }) => this.#change(() => (this.#hash = hash)),
      (error: unknown) => this.#change(() => (this.#failure = { error })),
    );
  }

  begun(spool: ManifestSpool, stamps: StampWriter): void {
    this.#spool = spool;
    this.#stamps = stamps;
  }

  listed(samples: number): void {
    // A manifest that is only copied is read when it is stored.
    if (this.#spool === null && this.#reader === null) return;
    this.#change(() => (this.#listed = samples));
  }

  stored(reader: ManifestReader): void {
    this.#reader = reader;
    this.#stamps = null;
    this.listed(reader.sampleCount);
  }

  /** Null until all is listed and pinned. */
  get manifestHash(): ManifestHash | null {
    return this.#hash;
  }

  /** Samples that are listed so far. */
  get listedSamples(): number {
    return this.#listed;
  }

  /** What comes next, not beyond sample `until`, once it is listed; null when all is, and pinned. */
  async next(until: number): Promise<FollowedLines | null> {
    for (;;) {
      assert(!this.#isClosed, 'a follower that was closed is not read');
      if (this.#failure !== null) throw this.#failure.error;
      const end = Math.min(until, this.#listed);
      if (this.#next < end) return this.#read(end);
      if (this.#hash !== null) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The records of blocks that `next` has passed, in this order. */
  async pick(blocks: readonly Block[]): Promise<RecordTable> {
    const [only, ...others] = blocks;
    if (only !== undefined && others.length === 0) return this.#tableOf(only);
    const records: (readonly SampleRecord[])[] = Array.from({ length: blocks.length }, () => []);
    for (const stretch of stretchesOf(blocks)) {
      const bytes = await this.#bytes(stretch.from, stretch.to);
      for (const place of stretch.places) {
        const block = must(blocks[place], 'a stretch is made of blocks');
        const lines = bytes.subarray(block.from - stretch.from, block.to - stretch.from);
        const found = decodeSlice(lines, block.first, SOURCE);
        // A block of one has its stamp with it: those of far more samples would have to be read for it.
        const { first, count } = block;
        const one = count === 1 ? { bytes: [block.bytes], mtimesMs: [block.mtimeMs] } : null;
        const stamps = one ?? (await this.#stampsOf(first, first + count));
        records[place] = stamps === null ? found : withPins(found, stamps.bytes, stamps.mtimesMs);
      }
    }
    return RecordTable.of(records.flat());
  }

  /** After the signal was aborted, or the end: waits until the listing has let go of everything, then does so too. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.pinned.catch(() => undefined);
    await this.#spool?.close();
    await this.#reader?.close();
    this.#spool = null;
    this.#reader = null;
  }

  async #tableOf({ first, count, from, to }: Block): Promise<RecordTable> {
    const table = decodeTable(await this.#bytes(from, to), first, first + count, SOURCE);
    const stamps = await this.#stampsOf(first, first + count);
    if (stamps === null) return table;
    return table.withPins(stamps.bytes, isUrl(table.location(0)) ? stamps.mtimesMs : null);
  }

  async #read(end: number): Promise<FollowedLines> {
    const [first, at] = [this.#next, this.#at];
    const bytes = await this.#bytes(at, at + FOLLOW_CHUNK_BYTES);
    const ends = new Uint32Array(Math.min(end - first, FOLLOW_CHUNK_LINES));
    let [count, last] = [0, 0];
    while (count < ends.length) {
      const newline = bytes.indexOf(NEWLINE, last);
      if (newline === -1) break;
      last = newline + 1;
      ends[count] = last;
      count += 1;
    }
    assert(count > 0, 'a line that was listed is there, and fits a chunk');
    const stamps = await this.#stampsOf(first, first + count);
    this.#next += count;
    this.#at += last;
    return {
      ...{ first, count, at, ends, stamps },
      bytes: bytes.subarray(0, last),
      isInStore: bytes[bytes.indexOf(TAB) + 1] !== SLASH,
    };
  }

  #bytes(start: number, end: number): Promise<Uint8Array> {
    if (this.#reader === null) {
      return must(this.#spool, 'what was listed is in the spool').read(start, end);
    }
    return this.#reader.range(start, Math.min(end, this.#reader.manifestBytes));
  }

  async #stampsOf(start: number, end: number): Promise<FileStamps | null> {
    if (this.#reader !== null) return this.#reader.stamps(start, end);
    return this.#stamps?.read(start, end) ?? null;
  }

  #change(change: () => void): void {
    change();
    this.#wake();
  }
}

/** Bytes that are read in one go, for the blocks at these places. */
interface Stretch {
  readonly from: number;
  to: number;
  readonly places: number[];
}

function stretchesOf(blocks: readonly Block[]): readonly Stretch[] {
  const places = Array.from(blocks.keys());
  places.sort((one, other) => (blocks[one]?.from ?? 0) - (blocks[other]?.from ?? 0));
  const stretches: Stretch[] = [];
  for (const place of places) {
    const { from, to } = must(blocks[place], 'a place is of a block');
    const last = stretches.at(-1);
    const isNear = last !== undefined && from - last.to <= FOLLOW_GAP_BYTES_MAX;
    if (isNear && to - last.from <= FOLLOW_READ_BYTES_MAX) {
      last.to = to;
      last.places.push(place);
    } else {
      stretches.push({ from, to, places: [place] });
    }
  }
  return stretches;
}
