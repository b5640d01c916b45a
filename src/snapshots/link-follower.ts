/**
 * The records of a link from the first that is listed on, while the rest is still being listed. The listing writes
 * them to the file that becomes the manifest, as fast as it can; this reads that file behind it, as fast as somebody
 * asks. So memory does not grow with what lies between the two, and what is read is what will be pinned. Where
 * there is a snapshot already, or a manifest, its records are read in the same way; and where another process of this
 * machine takes the listing, its file. If that process dies, whoever lists next is followed from there on, if its listing begins
 * with what was read so far.
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
import { Mx8Error } from '../core/base/errors.ts';
import type {
  AnnouncedListing,
  FileStamps,
  ListedFiles,
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
import { beginAlike, filesOfListing, filesOfSnapshot } from './followed-files.ts';
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

/** A listing, or a snapshot, as far as it is there. */
interface Followed {
  files: ListedFiles;
  listed: number;
  /** Names one listing of one process. */
  readonly id: string;
}

const OWN = 'own';
const STORED = 'stored';

export class LinkFollower implements SnapshotFollower {
  /** When all is listed and pinned. */
  readonly pinned: Promise<ResolvedLink>;
  readonly #link: string;
  /** What is read. */
  #source: Followed | null = null;
  /** What is read from then on when it has come as far, and is found to begin with what was read so far. */
  #pending: Followed | null = null;
  /** What is not read any more, or only by who has just begun. */
  readonly #retired: ListedFiles[] = [];
  #opening: Promise<void> | null = null;
  #hasRead = false;
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
    this.#link = link;
    this.pinned = resolveLink(link, { ...options, follower: this });
    this.pinned.then(
      ({ hash }) => this.#change(() => (this.#hash = hash)),
      (error: unknown) => this.#change(() => (this.#failure = { error })),
    );
  }

  heard(listing: AnnouncedListing): void {
    const known = [this.#source, this.#pending].find((one) => one?.id === listing.id);
    if (known !== undefined && known !== null) {
      this.#change(() => (known.listed = Math.max(known.listed, listing.samples)));
    } else if (listing.samples > 0) {
      this.#opening ??= this.#open(listing)
        // Without it the snapshot is read when it is there.
        .catch(() => undefined)
        .finally(() => (this.#opening = null));
    }
  }

  begun(spool: ManifestSpool, stamps: StampWriter): void {
    this.#follow({ files: filesOfListing(spool, stamps), listed: 0, id: OWN });
  }

  listed(samples: number): void {
    // A manifest that is only copied is read when it is stored.
    const own = [this.#source, this.#pending].find((one) => one?.id === OWN);
    if (own !== undefined && own !== null) this.#change(() => (own.listed = samples));
  }

  stored(reader: ManifestReader): void {
    const files = filesOfSnapshot(reader);
    const own = [this.#source, this.#pending].find((one) => one?.id === OWN) ?? null;
    // What was listed here is what is stored.
    if (own === null) this.#follow({ files, listed: reader.sampleCount, id: STORED });
    else {
      this.#retired.push(own.files);
      own.files = files;
      this.listed(reader.sampleCount);
    }
  }

  /** Null until all is listed and pinned. */
  get manifestHash(): ManifestHash | null {
    return this.#pending === null ? this.#hash : null;
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
      const pending = this.#pending;
      if (pending !== null && (pending.listed >= this.#next || this.#hash !== null)) {
        await this.#goOnWith(pending);
        continue;
      }
      const end = Math.min(until, this.#source?.listed ?? 0);
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
    await this.#opening;
    const files = [this.#source?.files, this.#pending?.files, ...this.#retired.splice(0)];
    this.#source = null;
    this.#pending = null;
    for (const one of files) await one?.close();
  }

  async #open(listing: AnnouncedListing): Promise<void> {
    const files = await listing.open();
    if (files === null) return;
    // Meanwhile this process may have begun to list by itself, or have found the snapshot.
    const isLate = [this.#source, this.#pending].some(
      (one) => one?.id === OWN || one?.id === STORED,
    );
    if (this.#isClosed || isLate) await files.close();
    else this.#follow({ files, listed: listing.samples, id: listing.id });
  }

  /** From now on, or when what was read so far is found in it. */
  #follow(followed: Followed): void {
    const before = this.#hasRead ? this.#pending : this.#source;
    if (before !== null) this.#retired.push(before.files);
    this.#change(() => {
      if (this.#hasRead) this.#pending = followed;
      else this.#source = followed;
    });
  }

  /** What was delivered is part of one listing only where the other one begins with it. */
  async #goOnWith(pending: Followed): Promise<void> {
    const source = must(this.#source, 'something was read');
    const isAlike =
      pending.listed >= this.#next &&
      (await beginAlike(
        () => source.files,
        () => pending.files,
        this.#next,
        this.#at,
      ));
    // Another one has begun meanwhile.
    if (this.#pending !== pending) return;
    if (!isAlike) throw listingChanged(this.#link, this.#next);
    this.#retired.push(source.files);
    this.#source = pending;
    this.#pending = null;
  }

  async #tableOf({ first, count, from, to }: Block): Promise<RecordTable> {
    const table = decodeTable(await this.#bytes(from, to), first, first + count, SOURCE);
    const stamps = await this.#stampsOf(first, first + count);
    if (stamps === null) return table;
    return table.withPins(stamps.bytes, isUrl(table.location(0)) ? stamps.mtimesMs : null);
  }

  async #read(end: number): Promise<FollowedLines> {
    this.#hasRead = true;
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
    return must(this.#source, 'what was listed is in a file').files.read(start, end);
  }

  async #stampsOf(start: number, end: number): Promise<FileStamps | null> {
    return (await this.#source?.files.stamps(start, end)) ?? null;
  }

  #change(change: () => void): void {
    change();
    this.#listed = Math.max(this.#listed, this.#source?.listed ?? 0, this.#pending?.listed ?? 0);
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

function listingChanged(link: string, samples: number): Mx8Error {
  return new Mx8Error(
    'listing_changed',
    `The process that listed ${link} ended, and who listed it anew found other objects among the first ${samples} samples, which were read already. Begin again.`,
    { link, samples },
  );
}
