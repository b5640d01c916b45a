/** The stores that outputs are written to, as tests drive them: each a real service or its emulator on loopback. */
import { after, before, test } from 'node:test';

import { STORE_DEFAULTS } from '../../src/storage/places.ts';
import type { StoreOptions } from '../../src/storage/places.ts';
import { AZURE_ACCOUNT, AZURE_KEY, AZURITE, AzureService } from './azure-service.ts';
import { FAKE_GCS, GcsService } from './gcs-service.ts';
import { ObjectOutputs } from './object-outputs.ts';
import { S3_ENVIRONMENT, S3_KEY, S3_SECRET, S3Service, VERSITYGW } from './s3-service.ts';
import type { Asked, Refusal } from './troubled-store.ts';

export interface StoreKind {
  /** `s3://bucket`: what all locations of a test begin with. */
  readonly root: string;
  /** Why none of it can run here; false where it can. */
  readonly missing: string | false;
  readonly start: () => Promise<AsyncDisposable & { readonly url: string }>;
  /** How the service is reached at `url`, by who opens places and by who starts `mx8`. */
  readonly options: (url: string) => Partial<StoreOptions>;
  readonly environment: (url: string) => Readonly<Record<string, string>>;
  /** What no log may hold. */
  readonly secrets: readonly string[];
  readonly refusal: Refusal;
  /** A word of what it says to who may not. */
  readonly deniedWord: string;
  /** Whether a part of an object is sent. */
  readonly isPart: (asked: Asked) => boolean;
  /** Whether an upload that nobody ends stays until it is given up; elsewhere the store does that by itself. */
  readonly keepsUploads: boolean;
  /** Whether the emulator leaves conditions of copies to the server before it. */
  readonly needsGuard?: boolean;
}

export const S3: StoreKind = {
  root: 's3://bucket',
  missing: VERSITYGW.missing,
  start: () => S3Service.start(),
  options: (url) => ({ s3: { ...STORE_DEFAULTS.s3, endpointUrl: url } }),
  environment: (url) => ({ ...S3_ENVIRONMENT, MX8_S3_ENDPOINT_URL: url }),
  secrets: [S3_SECRET, S3_KEY],
  refusal: (status, trouble) => {
    const code = { refused: 'SlowDown', denied: 'AccessDenied', expired: 'ExpiredToken' }[trouble];
    const body = `<Error><Code>${code}</Code><Message>said so</Message></Error>`;
    return { status, headers: {}, body };
  },
  deniedWord: 'AccessDenied',
  isPart: ({ method, url }) => method === 'PUT' && url.includes('partNumber'),
  keepsUploads: true,
};

export const GS: StoreKind = {
  root: 'gs://bucket',
  missing: FAKE_GCS.missing,
  start: () => GcsService.start(),
  options: (url) => ({ gcs: { ...STORE_DEFAULTS.gcs, endpointUrl: url, anonymous: true } }),
  environment: (url) => ({ STORAGE_EMULATOR_HOST: url }),
  secrets: [],
  refusal: (status, trouble) => {
    const reason = { refused: 'backendError', denied: 'forbidden', expired: 'authError' }[trouble];
    const error = { code: status, message: 'said so', errors: [{ reason }] };
    return { status, headers: {}, body: JSON.stringify({ error }) };
  },
  deniedWord: 'forbidden',
  isPart: ({ method, url }) => method === 'POST' && /[?&]name=[^&]*\.mx8-part/.test(url),
  keepsUploads: true,
  needsGuard: true,
};

export const AZ: StoreKind = {
  root: 'az://container',
  missing: AZURITE.missing,
  start: () => AzureService.start(),
  options: (url) => ({ azure: { endpointUrl: `${url}/${AZURE_ACCOUNT}` } }),
  environment: (url) => ({
    AZURE_STORAGE_CONNECTION_STRING: `AccountName=${AZURE_ACCOUNT};AccountKey=${AZURE_KEY};BlobEndpoint=${url}/${AZURE_ACCOUNT}`,
  }),
  secrets: [AZURE_KEY, 'sig='],
  refusal: (status, trouble) => {
    const code = {
      refused: 'ServerBusy',
      denied: 'AuthorizationPermissionMismatch',
      expired: 'AuthenticationFailed',
    }[trouble];
    return { status, headers: { 'x-ms-error-code': code }, body: '' };
  },
  deniedWord: 'AuthorizationPermissionMismatch',
  isPart: ({ method, url }) => method === 'PUT' && /[?&]comp=block(?:&|$)/.test(url),
  keepsUploads: false,
};

export const STORE_KINDS: readonly StoreKind[] = [S3, GS, AZ];

export type StoreTest = (world: ObjectOutputs) => Promise<void>;

export interface EachStore {
  /** Registers a test on each of the stores. At its begin the store has no trouble. */
  readonly onEach: (name: string, body: StoreTest, kinds?: readonly StoreKind[]) => void;
  /** Within a test. */
  readonly worldOf: (kind: StoreKind) => ObjectOutputs;
}

/** For the tests of a file; the services run as long as the file does. */
export function eachStore(): EachStore {
  const worlds = new Map<StoreKind, ObjectOutputs>();
  const here = STORE_KINDS.filter(({ missing }) => missing === false);
  before(async () => {
    const started = await Promise.allSettled(
      here.map(async (kind) => worlds.set(kind, await ObjectOutputs.start(kind))),
    );
    // Only now, as `after` ends those that are known.
    for (const one of started) if (one.status === 'rejected') throw one.reason;
  });
  after(async () => {
    for (const world of worlds.values()) await world[Symbol.asyncDispose]();
  });
  const worldOf = (kind: StoreKind): ObjectOutputs => {
    const world = worlds.get(kind);
    if (world === undefined) throw new Error('the service runs');
    world.troubled.decide = () => 'none';
    world.troubled.troubles.length = 0;
    return world;
  };
  return {
    worldOf,
    onEach: (name, body, kinds = STORE_KINDS) => {
      for (const kind of kinds) {
        test(`${schemeOf(kind)}: ${name}`, { skip: kind.missing }, () => body(worldOf(kind)));
      }
    },
  };
}

export function schemeOf({ root }: StoreKind): string {
  return root.slice(0, root.indexOf(':'));
}

export function isWrite({ method }: Asked): boolean {
  return method !== 'GET' && method !== 'HEAD';
}
