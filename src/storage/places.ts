/** The table of schemes: which place a location is in. A new kind of place is a new file and a row here. */
import { Mx8Error } from '../core/base/errors.ts';
import { schemeOf } from '../core/manifest/location.ts';
import type { ObjectPlace, Place, Places } from '../ports/place.ts';
import type { Variables } from '../ports/variables.ts';
import { CachedPlace } from './cache/cached-place.ts';
import { DiskCache } from './cache/disk-cache.ts';
import type { DiskCacheOptions } from './cache/limits.ts';
import { AZURE_DEFAULTS } from './azure/azure-settings.ts';
import type { AzureOptions } from './azure/azure-settings.ts';
import { AzurePlace } from './azure/azure-place.ts';
import { AzureSession } from './azure/azure-session.ts';
import { GcsPlace } from './gcs/gcs-place.ts';
import { GcsSession } from './gcs/gcs-session.ts';
import { GCS_DEFAULTS } from './gcs/gcs-settings.ts';
import type { GcsOptions } from './gcs/gcs-settings.ts';
import { HfPlace } from './hf/hf-place.ts';
import { HTTP_DEFAULTS, HttpPlace } from './http/http-place.ts';
import type { HttpOptions } from './http/http-place.ts';
import { RangeClient } from './http/range-client.ts';
import type { HttpSurroundings } from './http/range-client.ts';
import { LocalPlace } from './local-place.ts';
import { S3_DEFAULTS } from './s3/s3-options.ts';
import type { S3Options } from './s3/s3-options.ts';
import { S3Place } from './s3/s3-place.ts';
import { S3Session } from './s3/s3-session.ts';
import { RESOLVER_DEFAULTS, SourceResolver } from './source-resolver.ts';
import type { ResolverOptions } from './source-resolver.ts';

/** How stores are reached, without secrets: it is handed to worker processes. */
export interface StoreOptions {
  readonly s3: S3Options;
  readonly gcs: GcsOptions;
  readonly azure: AzureOptions;
  readonly http: HttpOptions;
  /** Where copies of what is read are kept; null: nowhere. */
  readonly cache: DiskCacheOptions | null;
  readonly resolver: ResolverOptions;
}

export const STORE_DEFAULTS: StoreOptions = {
  s3: S3_DEFAULTS,
  gcs: GCS_DEFAULTS,
  azure: AZURE_DEFAULTS,
  http: HTTP_DEFAULTS,
  cache: null,
  resolver: RESOLVER_DEFAULTS,
};

export interface PlaceSurroundings extends HttpSurroundings {
  /** What the makers of the stores have their own tools read: credentials above all. */
  readonly variables: Variables;
}

type MakePlace = (
  ranges: RangeClient,
  options: StoreOptions,
  variables: Variables,
) => Place | ObjectPlace;

const SCHEMES: Readonly<Record<string, MakePlace>> = {
  s3: (ranges, { s3 }) => new S3Place(ranges, new S3Session(s3, ranges.surroundings)),
  gs: (ranges, { gcs }, variables) =>
    new GcsPlace(ranges, new GcsSession(gcs, ranges.surroundings, variables)),
  az: (ranges, { azure }, variables) =>
    new AzurePlace(ranges, new AzureSession(azure, ranges.surroundings, variables)),
  hf: (ranges, { http }, variables) => new HfPlace(ranges, http, variables),
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
  readonly #surroundings: PlaceSurroundings;
  readonly #open: Map<string, Place> = new Map();
  /** The same without a cache before them. */
  readonly #bare: Map<string, Place | ObjectPlace> = new Map();
  #ranges: RangeClient | null = null;
  #cache: Promise<DiskCache> | null = null;
  #resolver: SourceResolver | null = null;

  constructor(options: StoreOptions, surroundings: PlaceSurroundings) {
    this.#options = options;
    this.#surroundings = surroundings;
  }

  of(location: string): Place {
    const scheme = schemeOf(location);
    if (scheme === null)
      return this.#place('file', () => new LocalPlace(this.#surroundings.random));
    const [name, make] = this.#makeOf(scheme);
    if (make === undefined) {
      throw new Mx8Error(
        'scheme_unsupported',
        `${location} cannot be read: this version of mx8 knows paths of this machine and ${REMOTE_SCHEMES.map((known) => `${known}://`).join(', ')}. A program that knows such links may be named: --source-resolver-url.`,
        { location, scheme },
      );
    }
    return this.#place(name, () => this.#cached(this.#bareOf(name, make)));
  }

  writable(location: string): ObjectPlace | null {
    const [name, make] = this.#makeOf(schemeOf(location) ?? '');
    const place = make === undefined ? null : this.#bareOf(name, make);
    return place !== null && 'abandonUploads' in place ? place : null;
  }

  manifestOf(link: string, signal?: AbortSignal): AsyncIterable<Uint8Array> | null {
    const { url, tokenFile } = this.#options.resolver;
    if (url === null || isRemote(link) || schemeOf(link) === null) return null;
    this.#resolver ??= new SourceResolver(url, tokenFile, this.#surroundings);
    return this.#resolver.manifestOf(link, signal);
  }

  async close(): Promise<void> {
    this.#resolver?.close();
    this.#resolver = null;
    for (const place of [...this.#open.values(), ...this.#bare.values()]) await place.close();
    this.#open.clear();
    this.#bare.clear();
    this.#ranges?.close();
    this.#ranges = null;
    const cache = this.#cache;
    this.#cache = null;
    // One that could not be opened has been heard of by who read.
    (await cache?.catch(() => null))?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #makeOf(scheme: string): readonly [string, MakePlace | undefined] {
    const name = SAME_AS[scheme] ?? scheme;
    return [name, SCHEMES[name]];
  }

  #bareOf(name: string, make: MakePlace): Place | ObjectPlace {
    const known = this.#bare.get(name);
    if (known !== undefined) return known;
    this.#ranges ??= new RangeClient(this.#surroundings);
    const place = make(this.#ranges, this.#options, this.#surroundings.variables);
    this.#bare.set(name, place);
    return place;
  }

  #cached(place: Place): Place {
    const { cache } = this.#options;
    if (cache === null) return place;
    return new CachedPlace(place, () => {
      this.#cache ??= DiskCache.open(cache, this.#surroundings);
      return this.#cache;
    });
  }

  #place(name: string, make: () => Place): Place {
    const open = this.#open.get(name);
    if (open !== undefined) return open;
    const place = make();
    this.#open.set(name, place);
    return place;
  }
}
