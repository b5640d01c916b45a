/**
 * Samples of a WebDataset tar: members that follow each other and share a key. A sample is the stretch of the
 * archive from its first header up to the next sample's, so its bytes are a small tar of its members, which
 * `sampleParts` takes apart where it lies.
 */
import { USTAR_BLOCK_BYTES } from '../base/ustar.ts';
import { FormatError } from './format-error.ts';
import { CLASS_BYTES_MAX, TAR_MEMBERS_MAX } from './limits.ts';
import { RunningChecksum } from './scanner.ts';
import type { Checksum, FoundSample, SampleScanner } from './scanner.ts';
import { TarWalk } from './tar-walk.ts';
import type { TarMember } from './tar-walk.ts';
import { webDatasetName } from './webdataset-key.ts';

export const WEBDATASET_HINT = 'mx8:webdataset';

const LABEL_ID_MAX = 2 ** 31 - 1;

interface Group {
  readonly key: string;
  readonly start: number;
  readonly extensions: Set<string>;
  labelId: number | null;
}

export class WebDatasetScanner implements SampleScanner {
  readonly #walk: TarWalk = new TarWalk();
  readonly #checksum: RunningChecksum;
  /** Headers of a member of which it is not known yet whose it is. */
  #pending: Uint8Array[] = [];
  #group: Group | null = null;
  /** Data of the `.cls` member that is open, and how much is to come. */
  #class: { text: string; left: number } | null = null;

  constructor(checksum: Checksum | null) {
    this.#checksum = new RunningChecksum(checksum);
  }

  get position(): number {
    return this.#walk.position;
  }

  get indifferentBytes(): number {
    if (this.#walk.isOver) return Infinity;
    return this.#class === null ? this.#walk.dataBytes : 0;
  }

  push(chunk: Uint8Array, found: FoundSample[]): void {
    for (let from = 0; from < chunk.length && !this.#walk.isOver;) {
      const isData = this.#walk.dataBytes > 0;
      const { end, member } = this.#walk.take(chunk, from);
      const bytes = chunk.subarray(from, end);
      if (isData) this.#data(bytes);
      else this.#pending.push(new Uint8Array(bytes));
      if (member !== null) this.#member(member, found);
      from = end;
    }
    if (this.#walk.isOver) this.#close(this.#walk.position - USTAR_BLOCK_BYTES, found);
  }

  finish(found: FoundSample[]): void {
    this.#walk.finish();
    this.#close(this.#walk.position, found);
  }

  skip(bytes: number): void {
    if (!this.#walk.isOver) this.#walk.skip(bytes);
  }

  #member(member: TarMember, found: FoundSample[]): void {
    const named = member.isFile ? webDatasetName(member.name) : null;
    if (named !== null && named.key !== this.#group?.key) {
      this.#close(member.start, found);
      this.#group = {
        key: named.key,
        start: member.start,
        extensions: new Set<string>(),
        labelId: null,
      };
    }
    for (const bytes of this.#pending) this.#checksum.add(bytes);
    this.#pending = [];
    const group = this.#group;
    if (group === null) {
      // What comes before the first sample is nobody's.
      this.#checksum.take();
      return;
    }
    if (named === null) return;
    const { extension } = named;
    if (group.extensions.has(extension)) {
      const what = `the key ${JSON.stringify(group.key)} has two members of the type ${JSON.stringify(extension)}`;
      throw new FormatError(what, member.start);
    }
    if (group.extensions.size >= TAR_MEMBERS_MAX) {
      const what = `the key ${JSON.stringify(group.key)} has more than ${TAR_MEMBERS_MAX} members`;
      throw new FormatError(what, member.start);
    }
    group.extensions.add(extension);
    if (extension !== 'cls' || member.size > CLASS_BYTES_MAX || member.size === 0) return;
    this.#class = { text: '', left: member.size };
  }

  #data(bytes: Uint8Array): void {
    if (this.#group === null) return;
    this.#checksum.add(bytes);
    const open = this.#class;
    if (open === null) return;
    const part = bytes.subarray(0, open.left);
    open.text += String.fromCharCode(...part);
    open.left -= part.length;
    if (open.left > 0) return;
    this.#group.labelId = labelIdIn(open.text);
    this.#class = null;
  }

  #close(end: number, found: FoundSample[]): void {
    const group = this.#group;
    this.#group = null;
    const checksum = this.#checksum.take();
    if (group === null) return;
    const { start, labelId } = group;
    const hint = labelId === null ? WEBDATASET_HINT : `${WEBDATASET_HINT};label_id=${labelId}`;
    found.push({ start, end, checksum, hint });
  }
}

/** Null for a class that is no number. */
function labelIdIn(text: string): number | null {
  const trimmed = text.trim();
  const labelId = /^\d{1,10}$/.test(trimmed) ? Number(trimmed) : Number.NaN;
  return labelId <= LABEL_ID_MAX ? labelId : null;
}
