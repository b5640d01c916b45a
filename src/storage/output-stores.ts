/** The table of places that outputs can be written to. */
import { resolve } from 'node:path';
import { Mx8Error } from '../core/base/errors.ts';
import { schemeOf } from '../core/manifest/location.ts';
import type { OutputStore } from '../ports/output-store.ts';
import type { Places } from '../ports/place.ts';
import { LocalOutputStore } from './local-output-store.ts';
import { ObjectOutputStore } from './object-output-store.ts';
import { parseAzureLocation } from './azure/azure-location.ts';
import { parseGcsLocation } from './gcs/gcs-location.ts';
import { parseS3Location } from './s3/s3-location.ts';

/** Schemes that are written to; each throws for what names no place there. */
const WRITTEN_SCHEMES: Readonly<Record<string, (location: string) => unknown>> = {
  s3: parseS3Location,
  gs: parseGcsLocation,
  az: parseAzureLocation,
};

/** As people write it, made absolute: a path, or a URL without slashes at the end. */
export function outputLocation(out: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(out)?.[1];
  if (scheme === undefined) return resolve(out);
  const parse = WRITTEN_SCHEMES[scheme];
  if (parse === undefined) {
    const message = `outputs are written to folders of this machine and below s3://, gs:// or az://BUCKET/PREFIX, not to ${out}`;
    throw new Mx8Error('scheme_unsupported', message, { path: out });
  }
  const location = out.replace(/\/+$/, '');
  parse(location);
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
