/**
 * An object that is written from front to end in bounded memory. Up to the size of a part it is one request; a
 * larger one goes out in parts while it grows, and nobody sees it before it is finished. What came after the last
 * mark can be taken back, also when it has gone out already: the part in which the mark lies is kept until
 * the next one, and a part that is sent again replaces the one before.
 */
import { assert, must } from '../core/base/assert.ts';
import type { ObjectPlace, ObjectStat, PartUpload, WriteCondition } from '../ports/place.ts';

/** Large enough for the rate of a connection, small enough for a few in each process. */
export const PART_BYTES: number = 8 * 1024 ** 2;
/** S3 takes 10,000 parts, Azure 50,000: they double in size every so often, which makes 1.2 TB. */
const PARTS_PER_SIZE = 2_500;
const PARTS_MAX = 10_000;
/** Parts on their way at a time. Each holds its memory until it has arrived. */
const PARTS_IN_FLIGHT = 2;
const FIRST_BUFFER_BYTES: number = 256 * 1024;

/** Bytes of a part by its number from 0. */
export function partBytes(index: number): number {
  return PART_BYTES * 2 ** Math.floor(index / PARTS_PER_SIZE);
}

interface Point {
  readonly index: number;
  readonly doneBytes: number;
  readonly filled: number;
  readonly buffer: Buffer;
}

export class ObjectWriter {
  readonly location: string;
  readonly #place: ObjectPlace;
  readonly #objectMark: string;
  #upload: Promise<PartUpload> | null = null;
  /** Number of the part that is being filled. */
  #index = 0;
  /** Bytes of the parts before it. */
  #doneBytes = 0;
  #buffer: Buffer = Buffer.alloc(0);
  #filled = 0;
  #mark: Point | null = null;
  readonly #sending: Map<Buffer, Promise<void>> = new Map();
  readonly #free: Buffer[] = [];
  #failure: { readonly error: unknown } | null = null;

  /** `objectMark` stays with the object: it tells who made it. */
  constructor(place: ObjectPlace, location: string, objectMark: string = '') {
    this.#place = place;
    this.location = location;
    this.#objectMark = objectMark;
  }

  get sizeBytes(): number {
    return this.#doneBytes + this.#filled;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      this.#throwFailure();
      this.#makeRoom(bytes.length - at);
      const room = Math.min(this.#buffer.length - this.#filled, bytes.length - at);
      this.#buffer.set(bytes.subarray(at, at + room), this.#filled);
      this.#filled += room;
      at += room;
      if (this.#filled === partBytes(this.#index)) await this.#send();
    }
  }

  /** What is there now stays. */
  mark(): void {
    const before = this.#mark?.buffer;
    this.#mark = {
      index: this.#index,
      doneBytes: this.#doneBytes,
      filled: this.#filled,
      buffer: this.#buffer,
    };
    if (before !== undefined && before !== this.#buffer && !this.#sending.has(before)) {
      this.#recycle(before);
    }
  }

  /** Back to the last mark, or to the beginning where there is none. */
  async cutBack(sizeBytes: number): Promise<void> {
    if (sizeBytes >= this.sizeBytes) return;
    if (sizeBytes >= this.#doneBytes) {
      this.#filled = sizeBytes - this.#doneBytes;
      return;
    }
    // A part may not arrive after the one that replaces it.
    await this.#arrived(0);
    const mark = this.#mark ?? { index: 0, doneBytes: 0, filled: 0, buffer: Buffer.alloc(0) };
    assert(mark.doneBytes + mark.filled === sizeBytes, 'what is cut back to was marked');
    this.#index = mark.index;
    this.#doneBytes = mark.doneBytes;
    this.#filled = mark.filled;
    this.#buffer = mark.buffer;
    (await this.#upload)?.forget(mark.index);
  }

  /** Null, and there is no object, where nothing was written. */
  async finish(condition: WriteCondition, emptyToo = false): Promise<ObjectStat | null> {
    this.#throwFailure();
    if (this.#upload === null) {
      if (this.#filled === 0 && !emptyToo) return null;
      const bytes = this.#buffer.subarray(0, this.#filled);
      return this.#place.write(this.location, bytes, condition, this.#objectMark);
    }
    if (this.#filled > 0) await this.#send();
    await this.#arrived(0);
    this.#throwFailure();
    return (await this.#upload).complete(condition);
  }

  async abort(): Promise<void> {
    await this.#arrived(0);
    // An upload that could not be begun left nothing.
    const upload = await this.#upload?.catch(() => null);
    await upload?.abort();
  }

  #makeRoom(bytes: number): void {
    if (this.#filled < this.#buffer.length) return;
    const whole = partBytes(this.#index);
    if (this.#index > 0) {
      const free = this.#free.findIndex((buffer) => buffer.length === whole);
      this.#buffer = this.#free.splice(free, free === -1 ? 0 : 1)[0] ?? newBuffer(whole);
      return;
    }
    const size = Math.max(FIRST_BUFFER_BYTES, this.#buffer.length * 2, this.#filled + bytes);
    const larger = newBuffer(Math.min(whole, size));
    larger.set(this.#buffer.subarray(0, this.#filled));
    if (this.#mark?.buffer === this.#buffer) this.#mark = { ...this.#mark, buffer: larger };
    this.#buffer = larger;
  }

  async #send(): Promise<void> {
    const [index, buffer, filled] = [this.#index, this.#buffer, this.#filled];
    assert(index < PARTS_MAX, `${this.location} is within ${PARTS_MAX} parts`);
    this.#doneBytes += filled;
    this.#index += 1;
    this.#filled = 0;
    this.#buffer = Buffer.alloc(0);
    this.#upload ??= this.#place.upload(this.location, this.#objectMark);
    const upload = this.#upload;
    const sent = upload
      .then((open) => open.put(index, buffer.subarray(0, filled)))
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#sending.delete(buffer);
        if (buffer !== this.#mark?.buffer) this.#recycle(buffer);
      });
    this.#sending.set(buffer, sent);
    await this.#arrived(PARTS_IN_FLIGHT - 1);
  }

  /** Until at most `left` parts are on their way. */
  async #arrived(left: number): Promise<void> {
    while (this.#sending.size > left) {
      await must(this.#sending.values().next().value, 'a part is on its way');
    }
  }

  #recycle(buffer: Buffer): void {
    if (buffer.length >= PART_BYTES && this.#free.length < PARTS_IN_FLIGHT) this.#free.push(buffer);
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}

function newBuffer(bytes: number): Buffer {
  return Buffer.allocUnsafeSlow(bytes);
}
