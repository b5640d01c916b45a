/** `gs://bucket/object`. The name of the object is what it is: nothing in it is encoded. */
import { Mx8Error } from '../../core/base/errors.ts';

export interface GcsLocation {
  readonly bucket: string;
  readonly object: string;
}

const SCHEME = 'gs://';
const BUCKET = /^[a-z0-9](?:[a-z0-9._-]{1,220}[a-z0-9])$/;

export function parseGcsLocation(location: string): GcsLocation {
  const rest = location.slice(SCHEME.length);
  const slash = rest.indexOf('/');
  const bucket = slash === -1 ? rest : rest.slice(0, slash);
  if (!location.startsWith(SCHEME) || !BUCKET.test(bucket)) {
    throw new Mx8Error('link_invalid', `${location} names no bucket: write gs://BUCKET/PATH.`, {
      location,
    });
  }
  return { bucket, object: slash === -1 ? '' : rest.slice(slash + 1) };
}
