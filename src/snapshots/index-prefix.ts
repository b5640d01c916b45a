/** The canonical manifest of a bare prefix of an object store: every object whole, in byte order of the keys. */
import { Mx8Error } from '../core/base/errors.ts';
import { encodeHeader, encodeRecords } from '../core/manifest/encode.ts';
import { isLocation } from '../core/manifest/location.ts';
import { etagTag } from '../core/transfer/etag-tag.ts';
import type { ListedObject, Places } from '../ports/place.ts';
import type { StampWriter } from '../ports/manifest-store.ts';
import { RESERVED_NAMES } from './index-folder.ts';
import { remoteMissing, suffixHint } from './locate-base.ts';
import type { WalkTally } from './walk-folder.ts';

export interface ObjectWalkOptions {
  /** Ends in a slash. */
  readonly prefix: string;
  readonly places: Places;
  readonly skippedNames: ReadonlySet<string>;
  readonly tally: WalkTally;
  readonly signal?: AbortSignal | undefined;
}

export interface PrefixIndexOptions extends Omit<ObjectWalkOptions, 'skippedNames'> {
  readonly stamps: StampWriter;
  readonly onSamples: (samples: number) => void;
  /** Hears of every object. */
  readonly onObjects?: (objects: readonly ListedObject[]) => void;
}

/** Manifest bytes page by page of the listing. `input_empty` without any object. */
export async function* indexPrefix(options: PrefixIndexOptions): AsyncGenerator<Uint8Array> {
  const { prefix, tally, stamps, onSamples } = options;
  yield encodeHeader();
  let next = 0;
  for await (const objects of walkObjects({ ...options, skippedNames: RESERVED_NAMES })) {
    const start = next;
    next += objects.length;
    yield encodeRecords(
      objects.map(({ location }, index) => ({
        sampleId: start + index,
        location,
        byteOffset: null,
        byteLength: null,
        decodeHint: '',
      })),
    );
    for (const { bytes, etag } of objects) stamps.add({ bytes, mtimeMs: etagTag(etag) });
    onSamples(next);
    options.onObjects?.(objects);
  }
  if (next > 0) return;
  const besides = tally.skippedEntries > 0 ? ' besides what is named _mx8 or shards' : '';
  const hint = suffixHint(prefix.replace(/\/$/, ''));
  throw new Mx8Error('input_empty', `There is no object below ${prefix}${besides}.${hint}`, {
    location: prefix,
  });
}

/** The objects below a prefix that are samples. */
export async function* walkObjects({
  prefix,
  places,
  skippedNames,
  tally,
  signal,
}: ObjectWalkOptions): AsyncGenerator<readonly ListedObject[]> {
  try {
    for await (const page of places.of(prefix).list(prefix, { signal })) {
      const objects = page.filter((object) => isSample(object, prefix, skippedNames, tally));
      for (const { location } of objects) checkKey(location);
      if (objects.length > 0) yield objects;
    }
  } catch (error) {
    throw remoteMissing(prefix, error);
  }
}

function isSample(
  { location, bytes }: ListedObject,
  prefix: string,
  skippedNames: ReadonlySet<string>,
  tally: WalkTally,
): boolean {
  // What the consoles of stores make where somebody asks for a folder.
  if (location.endsWith('/') && bytes === 0) {
    tally.specialFiles += 1;
    return false;
  }
  const names = location.slice(prefix.length).split('/');
  if (!names.some((name) => skippedNames.has(name))) return true;
  tally.skippedEntries += 1;
  return false;
}

function checkKey(location: string): void {
  if (isLocation(location)) return;
  throw new Mx8Error(
    'sample_unreadable',
    `The key ${JSON.stringify(location)} has a tab or a line break in it, which a manifest cannot hold. Rename the object.`,
    { location },
  );
}
