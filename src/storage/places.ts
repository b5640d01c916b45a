/** The table of schemes: which place a location is in. A new kind of place is a new file and a row here. */
import { Mx8Error } from '../core/base/errors.ts';
import { schemeOf } from '../core/manifest/location.ts';
import type { Place, Places } from '../ports/place.ts';
import { HTTP_DEFAULTS, HttpPlace } from './http/http-place.ts';
import type { HttpOptions } from './http/http-place.ts';
import { RangeClient } from './http/range-client.ts';
import type { HttpSurroundings } from './http/range-client.ts';
import { LocalPlace } from './local-place.ts';
import { S3_DEFAULTS } from './s3/s3-options.ts';
import type { S3Options } from './s3/s3-options.ts';
import { S3Place } from './s3/s3-place.ts';
import { S3Session } from './s3/s3-session.ts';

/** How stores are reached, without secrets: it is handed to worker processes. */
export interface StoreOptions {
  readonly s3: S3Options;
  readonly http: HttpOptions;
}

export const STORE_DEFAULTS: StoreOptions = { s3: S3_DEFAULTS, http: HTTP_DEFAULTS };

type MakePlace = (ranges: RangeClient, options: StoreOptions) => Place;

const SCHEMES: Readonly<Record<string, MakePlace>> = {
  s3: (ranges, { s3 }) => new S3Place(ranges, new S3Session(s3, ranges.surroundings)),
  https: (ranges, { http }) => new HttpPlace(ranges, http),
};
/** The same server, in the clear. */
const SAME_AS: Readonly<Record<string, string>> = { http: 'https' };

export const REMOTE_SCHEMES: readonly string[] = [...Object.keys(SCHEMES), ...Object.keys(SAME_AS)];

export function isRemote(location: string): boolean {
  const scheme = schemeOf(location);
  return scheme !== null && REMOTE_SCHEMES.includes(scheme);
}

/** Makes what it is asked for, when it is asked for. */
export class OpenPlaces implements Places {
  readonly #options: StoreOptions;
  readonly #surroundings: HttpSurroundings;
  readonly #open: Map<string, Place> = new Map();
  #ranges: RangeClient | null = null;

  constructor(options: StoreOptions, surroundings: HttpSurroundings) {
    this.#options = options;
    this.#surroundings = surroundings;
  }

  of(location: string): Place {
    const scheme = schemeOf(location);
    if (scheme === null)
      return this.#place('file', () => new LocalPlace(this.#surroundings.random));
    const name = SAME_AS[scheme] ?? scheme;
    const make = SCHEMES[name];
    if (make === undefined) {
      throw new Mx8Error(
        'scheme_unsupported',
        `${location} cannot be read: this version of mx8 knows paths of this machine and ${REMOTE_SCHEMES.map((known) => `${known}://`).join(', ')}.`,
        { location, scheme },
      );
    }
    this.#ranges ??= new RangeClient(this.#surroundings);
    const ranges = this.#ranges;
    return this.#place(name, () => make(ranges, this.#options));
  }

  async close(): Promise<void> {
    for (const place of this.#open.values()) await place.close();
    this.#open.clear();
    this.#ranges?.close();
    this.#ranges = null;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #place(name: string, make: () => Place): Place {
    const open = this.#open.get(name);
    if (open !== undefined) return open;
    const place = make();
    this.#open.set(name, place);
    return place;
  }
}
