/**
 * Objects of stores as a byte source. Small reads that follow each other are read ahead of, large ones travel
 * in parts, and all of them are of one and the same object, by its ETag. The one that was read last is
 * remembered, also when it turned out not to be there: its samples are refused without asking again.
 */
import { setMaxListeners } from 'node:events';

import { Mx8Error } from '../core/base/errors.ts';
import { etagTag } from '../core/transfer/etag-tag.ts';
import { planRanges } from '../core/transfer/plan-ranges.ts';
import type { ByteSource } from '../ports/byte-source.ts';
import type { FileStamp } from '../ports/manifest-store.ts';
import type { ObjectStat, Place, Places } from '../ports/place.ts';
import { ForwardRun } from './forward-run.ts';

/** From here on a read is worth requests of its own. */
const LARGE_READ_BYTES_MIN: number = 1024 * 1024;
/** What a store says of an object for good. */
const LASTING = new Set(['object_missing', 'object_changed', 'object_denied']);

interface OpenObject {
  readonly location: string;
  readonly place: Place;
  readonly stat: Promise<ObjectStat>;
  run: ForwardRun | null;
  /** The run serves one read at a time. */
  isRunning: boolean;
}

export class PlaceBytes implements ByteSource {
  readonly #places: () => Places;
  readonly #stop: AbortController = new AbortController();
  readonly #underWay: Set<Promise<unknown>> = new Set();
  #object: OpenObject | null = null;
  #expected: { readonly location: string; readonly tag: number } = { location: '', tag: 0 };

  /** The places stay their owner's; they are asked for when the first object is read. */
  constructor(places: () => Places) {
    this.#places = places;
    setMaxListeners(0, this.#stop.signal);
  }

  expect(location: string, tag: number): void {
    if (this.#expected.location === location && this.#expected.tag === tag) return;
    if (this.#object?.location === location) this.#leave();
    this.#expected = { location, tag };
  }

  async sizeOf(location: string, signal?: AbortSignal): Promise<number> {
    return (await this.#statOf(this.#objectOf(location), signal)).bytes;
  }

  /** What is taken down of the samples of an object while it is looked through. */
  async stampOf(location: string, signal?: AbortSignal): Promise<FileStamp> {
    const { etag } = await this.#statOf(this.#objectOf(location), signal);
    return { bytes: -1, mtimeMs: etagTag(etag) };
  }

  async read(
    location: string,
    position: number,
    into: Uint8Array,
    signal?: AbortSignal,
  ): Promise<number> {
    const object = this.#objectOf(location);
    const stat = await this.#statOf(object, signal);
    const bytes = Math.max(0, Math.min(into.length, stat.bytes - position));
    const part = into.subarray(0, bytes);
    if (bytes === 0) return 0;
    if (bytes >= LARGE_READ_BYTES_MIN || object.isRunning) {
      await this.#track(this.#readParts(object, stat, position, part, signal));
    } else {
      await this.#track(this.#readOn(object, stat, position, part, signal));
    }
    return bytes;
  }

  async close(): Promise<void> {
    this.#stop.abort(new Mx8Error('interrupted', 'the reader was closed'));
    this.#leave();
    await Promise.allSettled(this.#underWay);
  }

  async #statOf(object: OpenObject, signal: AbortSignal | undefined): Promise<ObjectStat> {
    try {
      const stat = await unlessLeft(object.stat, signal);
      signal?.throwIfAborted();
      this.#stop.signal.throwIfAborted();
      return stat;
    } catch (error) {
      const isLasting = error instanceof Mx8Error && LASTING.has(error.code);
      if (!isLasting && signal?.aborted !== true && this.#object === object) this.#leave();
      throw error;
    }
  }

  #objectOf(location: string): OpenObject {
    if (this.#object?.location === location) return this.#object;
    this.#leave();
    const place = this.#places().of(location);
    const { tag } = this.#expected.location === location ? this.#expected : { tag: 0 };
    const stat = place.stat(location, this.#stop.signal).then((found) => {
      checkTag(location, found, tag);
      return found;
    });
    stat.catch(() => undefined);
    this.#object = { location, place, stat, run: null, isRunning: false };
    return this.#object;
  }

  #leave(): void {
    this.#object?.run?.leave(new Mx8Error('interrupted', 'the object was left'));
    this.#object = null;
  }

  /** Large reads, and those that come while another is under way. */
  async #readParts(
    { location, place }: OpenObject,
    stat: ObjectStat,
    position: number,
    into: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const wanted = { index: 0, object: 0, start: position, bytes: into.length, at: 0 };
    const stop = AbortSignal.any([this.#stop.signal, ...(signal === undefined ? [] : [signal])]);
    const ranges = planRanges([wanted]).map(({ start, end }) =>
      readOf(place, location, stat, start, into.subarray(start - position, end - position), stop),
    );
    const read = await Promise.allSettled(ranges);
    for (const outcome of read) if (outcome.status === 'rejected') throw outcome.reason;
  }

  async #readOn(
    object: OpenObject,
    stat: ObjectStat,
    position: number,
    into: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (object.run?.reaches(position) !== true) {
      object.run?.leave(new Mx8Error('interrupted', 'the object is read somewhere else'));
      object.run = this.#runOf(object, stat);
    }
    const { run } = object;
    const leave = (): void => run.leave(signal?.reason);
    signal?.addEventListener('abort', leave, { once: true });
    object.isRunning = true;
    try {
      await run.read(position, into);
    } catch (error) {
      run.leave(error);
      object.run = null;
      throw error;
    } finally {
      object.isRunning = false;
      signal?.removeEventListener('abort', leave);
    }
  }

  #runOf({ location, place }: OpenObject, stat: ObjectStat): ForwardRun {
    return new ForwardRun(stat.bytes, (start, end, signal) => {
      const into = new Uint8Array(end - start);
      const reading = readOf(place, location, stat, start, into, signal).then(() => into);
      return this.#track(reading);
    });
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    const settled = (): void => void this.#underWay.delete(work);
    work.then(settled, settled);
    return work;
  }
}

/** Whoever leaves does not wait for a store that is slow. */
function unlessLeft<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      const reason: unknown = signal.reason;
      reject(reason instanceof Error ? reason : new Error(String(reason)));
    };
    const settle = (): void => signal.removeEventListener('abort', leave);
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    work.then(resolve, reject).then(settle, settle);
  });
}

/** `object_changed` when it is not the object any more that it was. */
async function readOf(
  place: Place,
  location: string,
  { bytes, etag }: ObjectStat,
  start: number,
  into: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const targets = [{ bytes: into.length, into }];
  const pins = { pinnedTag: etagTag(etag), pinnedBytes: bytes };
  const range = { start, end: start + into.length, targets, ...pins };
  await place.readRange(location, range, signal);
}

function checkTag(location: string, { etag }: ObjectStat, tag: number): void {
  if (tag === 0 || etagTag(etag) === tag) return;
  throw new Mx8Error(
    'object_changed',
    `${location} is not what was pinned: its ETag is ${etag === '' ? 'gone' : `${etag} now`}, which is not that of the pinned object. Restore it, or resolve the link again with @refresh.`,
    { location },
  );
}
