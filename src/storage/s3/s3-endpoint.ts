/** Which server a bucket is on, and whether it is named in the host or in the path. */
import { isIP } from 'node:net';

import { Mx8Error } from '../../core/base/errors.ts';
import { originOf } from '../http/origin.ts';
import type { Origin } from '../http/origin.ts';

export interface BucketAddress {
  readonly origin: Origin;
  /** Before the key: `/`, or `/bucket/`; with the path of the endpoint before it. */
  readonly pathPrefix: string;
}

export function bucketAddress(
  bucket: string,
  region: string,
  endpointUrl: string | null,
  forcePathStyle: boolean,
): BucketAddress {
  const base = endpointOf(endpointUrl ?? amazonEndpoint(region));
  // A certificate covers one label before the host, and an address has no names below it.
  const isNameless = isIP(base.hostname.replace(/^\[|\]$/g, '')) !== 0;
  const isLocal = base.hostname === 'localhost';
  const needsPath = isNameless || isLocal || !/^[a-z0-9-]+$/.test(bucket);
  const basePath = base.pathname.replace(/\/+$/, '');
  if (forcePathStyle || needsPath) {
    return { origin: originOf(base), pathPrefix: `${basePath}/${bucket}/` };
  }
  const url = new URL(base);
  url.hostname = `${bucket}.${base.hostname}`;
  return { origin: originOf(url), pathPrefix: `${basePath}/` };
}

function amazonEndpoint(region: string): string {
  const isChina = region.startsWith('cn-');
  return `https://s3.${region}.amazonaws.com${isChina ? '.cn' : ''}`;
}

function endpointOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '') {
    return url;
  }
  throw new Mx8Error(
    'flag_invalid',
    'The S3 endpoint is no URL of a server: write it like http://127.0.0.1:9000, without a user or a query.',
    { flag: '--s3-endpoint-url' },
  );
}
