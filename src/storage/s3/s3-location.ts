/** `s3://bucket/key`. The key is what it is: nothing in it is encoded. */
import { Mx8Error } from '../../core/base/errors.ts';

export interface S3Location {
  readonly bucket: string;
  readonly key: string;
}

const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/;

export function parseS3Location(location: string): S3Location {
  const rest = location.slice('s3://'.length);
  const slash = rest.indexOf('/');
  const bucket = slash === -1 ? rest : rest.slice(0, slash);
  if (!location.startsWith('s3://') || !BUCKET.test(bucket)) {
    throw new Mx8Error('link_invalid', `${location} names no bucket: write s3://BUCKET/KEY.`, {
      location,
    });
  }
  return { bucket, key: slash === -1 ? '' : rest.slice(slash + 1) };
}

/** As SigV4 wants it: everything but the unreserved characters and the slash. */
export function encodeKey(key: string): string {
  return encodeURIComponent(key)
    .replaceAll('%2F', '/')
    .replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}
