/** Object stores. */
import { flag, optionalFlag } from '../flag.ts';
import type { Flag } from '../flag.ts';
import { onOff, text } from '../kinds.ts';

export const s3EndpointUrl: Flag<string | null> = optionalFlag(
  text('URL', 'a URL such as http://127.0.0.1:9000'),
  {
    name: 's3-endpoint-url',
    variable: 'MX8_S3_ENDPOINT_URL',
    doc: 'The S3 service to use instead of Amazon’s.',
  },
  'Amazon’s endpoint of the region',
);

export const s3ForcePathStyle: Flag<boolean> = flag(
  onOff(),
  {
    name: 's3-force-path-style',
    variable: 'MX8_S3_FORCE_PATH_STYLE',
    doc: 'Put the bucket into the path instead of the host name.',
  },
  false,
);
