/** The table of places that outputs can be written to. */
import { resolve } from 'node:path';
import { Mx8Error } from '../core/base/errors.ts';
import { schemeOf } from '../core/manifest/location.ts';
import type { OutputStore } from '../ports/output-store.ts';
import type { Places } from '../ports/place.ts';
import { LocalOutputStore } from './local-output-store.ts';
import { ObjectOutputStore } from './object-output-store.ts';
import { parseS3Location } from './s3/s3-location.ts';

const WRITTEN_SCHEMES: readonly string[] = ['s3'];

/** As people write it, made absolute: a path, or a URL without slashes at the end. */
export function outputLocation(out: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(out)?.[1];
  if (scheme === undefined) return resolve(out);
  if (!WRITTEN_SCHEMES.includes(scheme)) {
    const message = `outputs are written to folders of this machine and below s3://BUCKET/PREFIX, not to ${out}`;
    throw new Mx8Error('scheme_unsupported', message, { path: out });
  }
  const location = out.replace(/\/+$/, '');
  parseS3Location(location);
  return location;
}

/** The places stay their owner's. `location` is as `outputLocation` makes it. */
export function openOutput(location: string, places: Places): OutputStore {
  if (schemeOf(location) === null) return new LocalOutputStore(location);
  const place = places.writable(outputLocation(location));
  if (place !== null) return new ObjectOutputStore(place, location);
  throw new Mx8Error('scheme_unsupported', `nothing can be written to ${location}`, {
    path: location,
  });
}
