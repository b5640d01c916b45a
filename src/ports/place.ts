/**
 * A place where objects live: the local disks, an S3 service, a web server. One implementation per scheme; all
 * take whole locations (a path or a URL) and answer or reject with an `Mx8Error` that names the location.
 * `object_missing`, `object_changed` and `object_denied` are about one object; `object_store_unavailable` is
 * about the place, after all patience is used up. Retrying, back-off and concurrency are the
 * implementation's own.
 */
export interface ObjectStat {
  readonly bytes: number;
  /** Names the bytes: another one, other bytes. '' where the place has none. Without quotes. */
  readonly etag: string;
}

export interface ListedObject extends ObjectStat {
  readonly location: string;
}

export interface ListOptions {
  /** Only what comes after this location: what a listing that was broken off goes on with. */
  readonly after?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Where the bytes of a range go, in order: into memory, or nowhere (null). */
export interface RangeTarget {
  readonly bytes: number;
  readonly into: Uint8Array | null;
}

export interface ObjectRange {
  readonly start: number;
  readonly end: number;
  /** Bytes of [start, end) in order. The memory is the place's until the promise settles. */
  readonly targets: readonly RangeTarget[];
  /** `etagTag` of the object when it was pinned; 0 when nobody took it down. */
  readonly pinnedTag: number;
  /** Bytes of the whole object when it was pinned; -1 when nobody took it down. */
  readonly pinnedBytes: number;
}

export type WriteCondition =
  | { readonly type: 'any' }
  /** Refused with `object_exists` when there is one. */
  | { readonly type: 'create' }
  /** Refused with `object_changed` unless the object is the one of this etag. */
  | { readonly type: 'replace'; readonly etag: string };

/** An object in the making, of parts in order. Nobody sees it before `complete`. */
export interface ObjectUpload {
  /** Of at least `partBytesMin` but for the last one. */
  add(bytes: Uint8Array): Promise<void>;
  complete(condition: WriteCondition): Promise<ObjectStat>;
  /** Leaves nothing behind. */
  abort(): Promise<void>;
}

export interface Place {
  /** Objects whose location begins with `prefix`, in byte order of the location, page by page. */
  list(prefix: string, options?: ListOptions): AsyncIterable<readonly ListedObject[]>;
  /**
   * The same location for good, where a name in it may stand for something else later (a branch). Without this
   * method every location is for good.
   */
  pin?(location: string, signal?: AbortSignal): Promise<string>;
  /** Rejects with `object_missing` when there is none. */
  stat(location: string, signal?: AbortSignal): Promise<ObjectStat>;
  readRange(location: string, range: ObjectRange, signal?: AbortSignal): Promise<ObjectStat>;
  write(location: string, bytes: Uint8Array, condition: WriteCondition): Promise<ObjectStat>;
  upload(location: string): Promise<ObjectUpload>;
  /** What is not there is no error. */
  remove(location: string): Promise<void>;
  close(): Promise<void>;
}

/** An upload whose parts go in any order and several at a time. */
export interface PartUpload extends ObjectUpload {
  /** Counted from 0. Another part of that number before it is replaced. */
  put(index: number, bytes: Uint8Array): Promise<void>;
  /** Parts from this number on do not count. */
  forget(from: number): void;
}

/** Bytes [start, end) of an object. */
export interface ObjectSpan {
  readonly location: string;
  readonly start: number;
  readonly end: number;
}

/**
 * A place without folders and renames, where outputs are made by conditions alone. A mark is a short text that
 * stays with an object: it tells who made it.
 */
export interface ObjectPlace extends Place {
  /** Parts that an object is made of at most. */
  readonly uploadPartsMax: number;
  write(
    location: string,
    bytes: Uint8Array,
    condition: WriteCondition,
    mark?: string,
  ): Promise<ObjectStat>;
  upload(location: string, mark?: string): Promise<PartUpload>;
  /**
   * Creates an object of the bytes of another one of this place, which do not pass through here where the store can
   * help it. Refused with `object_exists` when there is one.
   */
  copy(from: ObjectSpan, to: string, mark: string): Promise<ObjectStat>;
  /** '' where it has none; null where there is no object. */
  markOf(location: string): Promise<string | null>;
  /** What the store has against the name of an object; null: nothing. */
  nameFault(location: string): string | null;
  /**
   * Gives up every upload below a prefix that was begun and not ended, as far as the store tells of them; how many.
   */
  abandonUploads(prefix: string): Promise<number>;
}

/** The place of each location. */
export interface Places extends AsyncDisposable {
  /** Rejects nothing: `scheme_unsupported` is thrown for a scheme that nobody serves. */
  of(location: string): Place;
  /**
   * The canonical manifest of a link of a scheme that nobody serves, from the program that was named for those;
   * null where none was, or where the scheme has a place.
   */
  manifestOf?(link: string, signal?: AbortSignal): AsyncIterable<Uint8Array> | null;
  /** For who writes: nothing is answered from a copy. Null: nothing is written there by conditions. */
  writable(location: string): ObjectPlace | null;
  close(): Promise<void>;
}
