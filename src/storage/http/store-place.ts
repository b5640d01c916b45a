/**
 * What the stores that people name by buckets have in common: listings in pages, several beside each other where
 * that is faster, ranges by the client that all places share, and requests that are tried until they are answered.
 */
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type {
  ListedObject,
  ListOptions,
  ObjectRange,
  ObjectStat,
  WriteCondition,
} from '../../ports/place.ts';
import type { Authority } from './authority.ts';
import { unusable } from './http-errors.ts';
import { levelOf, listTogether } from './list-together.ts';
import type { Level } from './list-together.ts';
import { listPages } from './listing.ts';
import type { KeyPage } from './listing.ts';
import { sendPatiently } from './patient.ts';
import type { PatientAnswer } from './patient.ts';
import type { PlainAnswer, PlainRequest } from './plain-request.ts';
import type { RangeClient } from './range-client.ts';
import { StoreClient } from './store-client.ts';
import { conditionError } from './write-condition.ts';

/** As much of a body as an error has. */
const ERROR_BYTES = 16_384;

export interface PageQuestion {
  readonly keyPrefix: string;
  /** Only keys that come after it, where a store can begin there. */
  readonly after: string | null;
  /** What the page before said; null for the first one. */
  readonly next: string | null;
  /** Whether what is deeper is only named by its prefix. */
  readonly stopsAtSlashes: boolean;
}

export interface StorePage extends KeyPage {
  /** Of a page that stops at slashes. */
  readonly prefixes: readonly string[];
}

export interface PlainQuestion {
  /** What it is about, as errors name it. */
  readonly location: string;
  /** Made anew for each try. */
  readonly make: () => Promise<PlainRequest>;
  readonly accepts: (answer: PlainAnswer) => boolean;
  readonly signal?: AbortSignal | undefined;
}

export abstract class StorePlace {
  protected readonly ranges: RangeClient;
  readonly #authority: Authority;
  readonly #plain: StoreClient;

  /** The range client stays its owner's. */
  constructor(ranges: RangeClient, authority: Authority) {
    this.ranges = ranges;
    this.#plain = new StoreClient(ranges);
    this.#authority = authority;
  }

  /** What a location is made of: `s3://bucket/`, and the key after it. */
  protected abstract split(location: string): { readonly root: string; readonly key: string };

  /** A sentence when the answer is none. */
  protected abstract page(
    prefix: string,
    question: PageQuestion,
    signal: AbortSignal | undefined,
  ): Promise<StorePage | string>;

  abstract stat(location: string, signal?: AbortSignal): Promise<ObjectStat>;

  list(prefix: string, options: ListOptions = {}): AsyncGenerator<readonly ListedObject[], void> {
    return listTogether({
      prefix,
      options,
      list: (at, chosen) => this.pages(at, chosen),
      level: (at, signal) => this.#level(at, signal),
    });
  }

  readRange(location: string, range: ObjectRange, signal?: AbortSignal): Promise<ObjectStat> {
    return this.ranges.read(location, range, this.#authority, signal);
  }

  async close(): Promise<void> {
    this.#plain.close();
  }

  /** One page after the other. */
  protected pages(
    prefix: string,
    { after, signal }: ListOptions,
  ): AsyncGenerator<readonly ListedObject[], void> {
    const { root, key } = this.split(prefix);
    const last = after === undefined ? null : this.split(after).key;
    const question = { keyPrefix: key, after: last, stopsAtSlashes: false };
    return listPages({
      prefix,
      keyPrefix: key,
      root,
      after: last,
      page: (next) => this.page(prefix, { ...question, next }, signal),
    });
  }

  protected send({ location, make, accepts, signal }: PlainQuestion): Promise<PatientAnswer> {
    return sendPatiently(this.#plain, this.ranges.surroundings, {
      location,
      make,
      accepts,
      judge: ({ head, body }: { readonly head: ResponseHead; readonly body: Buffer }, ticket) =>
        this.#authority.judge(location, head, body.toString('utf8', 0, ERROR_BYTES), ticket),
      signal,
    });
  }

  /** After a condition did not hold: an earlier try, whose answer was lost, may be what it found. */
  protected async foundOwn(
    location: string,
    bytes: Uint8Array,
    condition: WriteCondition,
    { mayHaveLanded }: PatientAnswer,
  ): Promise<ObjectStat> {
    if (!mayHaveLanded || !(await this.#holds(location, bytes))) {
      throw conditionError(location, condition);
    }
    return this.stat(location);
  }

  async #level(prefix: string, signal: AbortSignal | undefined): Promise<Level | null> {
    const { root, key } = this.split(prefix);
    const question = { keyPrefix: key, after: null, next: null, stopsAtSlashes: true };
    const page = await this.page(prefix, question, signal);
    if (typeof page === 'string') throw unusable(prefix, page);
    if (page.next !== null) return null;
    const level = levelOf(key, root, page.objects, page.prefixes);
    if (typeof level === 'string') throw unusable(prefix, level);
    return level;
  }

  /** Whether the object is exactly these bytes. */
  async #holds(location: string, bytes: Uint8Array): Promise<boolean> {
    const stat = await this.stat(location);
    if (stat.bytes !== bytes.length) return false;
    if (bytes.length === 0) return true;
    const there = new Uint8Array(bytes.length);
    await this.readRange(location, {
      start: 0,
      end: bytes.length,
      targets: [{ bytes: bytes.length, into: there }],
      pinnedTag: 0,
      pinnedBytes: bytes.length,
    });
    return Buffer.compare(there, bytes) === 0;
  }
}
