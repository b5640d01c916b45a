/** Object stores. */
import { flag, optionalFlag } from '../flag.ts';
import type { Flag } from '../flag.ts';
import { bytes, onOff, origins, path, text } from '../kinds.ts';
import { DISK_CACHE_BYTES_DEFAULT, DISK_CACHE_BYTES_MIN } from '../../storage/cache/limits.ts';

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

export const s3Region: Flag<string | null> = optionalFlag(
  text('REGION', 'a region such as eu-central-1'),
  {
    name: 's3-region',
    variable: 'MX8_S3_REGION',
    doc: 'The region that S3 buckets are in; one that is elsewhere says so and is found.',
  },
  'AWS_REGION, the profile’s, or us-east-1',
);

export const s3Anonymous: Flag<boolean> = flag(
  onOff(),
  {
    name: 's3-anonymous',
    variable: 'MX8_S3_ANONYMOUS',
    doc: 'Read public buckets without credentials.',
  },
  false,
);

export const s3RequesterPays: Flag<boolean> = flag(
  onOff(),
  {
    name: 's3-requester-pays',
    variable: 'MX8_S3_REQUESTER_PAYS',
    doc: 'Agree to pay for requests to buckets whose owners do not.',
  },
  false,
);

export const s3MachineCredentials: Flag<boolean> = flag(
  onOff(),
  {
    name: 's3-machine-credentials',
    variable: 'MX8_S3_MACHINE_CREDENTIALS',
    doc: 'Ask the container or the machine for S3 credentials where neither variables nor shared files have any.',
  },
  false,
);

export const gsEndpointUrl: Flag<string | null> = optionalFlag(
  text('URL', 'a URL such as http://127.0.0.1:4443'),
  {
    name: 'gs-endpoint-url',
    variable: 'MX8_GS_ENDPOINT_URL',
    doc: 'The storage service to use instead of Google’s.',
  },
  'STORAGE_EMULATOR_HOST, or Google’s endpoint',
);

export const gsAnonymous: Flag<boolean> = flag(
  onOff(),
  {
    name: 'gs-anonymous',
    variable: 'MX8_GS_ANONYMOUS',
    doc: 'Read public buckets of Google without credentials.',
  },
  false,
);

export const gsMachineCredentials: Flag<boolean> = flag(
  onOff(),
  {
    name: 'gs-machine-credentials',
    variable: 'MX8_GS_MACHINE_CREDENTIALS',
    doc: 'Ask the machine’s metadata service for a token of Google where no file has credentials.',
  },
  false,
);

export const azEndpointUrl: Flag<string | null> = optionalFlag(
  text('URL', 'a URL such as http://127.0.0.1:10000/devstoreaccount1'),
  {
    name: 'az-endpoint-url',
    variable: 'MX8_AZ_ENDPOINT_URL',
    doc: 'The blob service to use instead of Azure’s own of the account.',
  },
  'Azure’s endpoint of the account',
);

export const sourceResolverUrl: Flag<string | null> = optionalFlag(
  text('URL', 'a URL such as https://resolver.example/v1/resolve'),
  {
    name: 'source-resolver-url',
    variable: 'MX8_SOURCE_RESOLVER_URL',
    doc: 'Who resolves links of schemes that mx8 does not know: is POSTed the link, answers with a manifest.',
  },
  'such links are refused',
);

export const sourceResolverTokenFile: Flag<string | null> = optionalFlag(
  path('FILE', 'a file that holds the token'),
  {
    name: 'source-resolver-token-file',
    variable: 'MX8_SOURCE_RESOLVER_TOKEN_FILE',
    doc: 'The bearer token that the resolver of links wants.',
  },
  'no token',
);

export const allowedOrigins: Flag<readonly string[]> = flag<readonly string[]>(
  origins(),
  {
    name: 'allowed-origins',
    variable: 'MX8_ALLOWED_ORIGINS',
    doc: 'Other servers that web servers may redirect to, with commas between them.',
  },
  [],
  'none',
);

export const diskCache: Flag<string | null> = optionalFlag(
  path('DIR', 'a folder'),
  {
    name: 'disk-cache',
    variable: 'MX8_DISK_CACHE',
    doc: 'Keep copies of what is read from stores in this folder, which all processes of a machine may share; whatever is in it may be deleted.',
  },
  'none',
);

export const diskCacheBytes: Flag<number> = flag(
  bytes({ min: DISK_CACHE_BYTES_MIN }),
  {
    name: 'disk-cache-bytes',
    variable: 'MX8_DISK_CACHE_BYTES',
    doc: 'What the disk cache takes at most; what was used longest ago makes way.',
  },
  DISK_CACHE_BYTES_DEFAULT,
  '20GiB',
);
