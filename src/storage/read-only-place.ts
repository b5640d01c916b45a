/** A place that objects are only read from. */
import { Mx8Error } from '../core/base/errors.ts';
import type {
  ListedObject,
  ListOptions,
  ObjectRange,
  ObjectStat,
  ObjectUpload,
  Place,
} from '../ports/place.ts';

export abstract class ReadOnlyPlace implements Place {
  /** What the place is, such as `a web server`. */
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  abstract list(prefix: string, options?: ListOptions): AsyncIterable<readonly ListedObject[]>;
  abstract stat(location: string, signal?: AbortSignal): Promise<ObjectStat>;
  abstract readRange(
    location: string,
    range: ObjectRange,
    signal?: AbortSignal,
  ): Promise<ObjectStat>;
  abstract close(): Promise<void>;

  write(location: string): Promise<ObjectStat> {
    return Promise.reject(this.#refusal(location));
  }

  upload(location: string): Promise<ObjectUpload> {
    return Promise.reject(this.#refusal(location));
  }

  remove(location: string): Promise<void> {
    return Promise.reject(this.#refusal(location));
  }

  #refusal(location: string): Mx8Error {
    return new Mx8Error(
      'scheme_unsupported',
      `${location} is on ${this.#what}, which is only read from.`,
      { location },
    );
  }
}
