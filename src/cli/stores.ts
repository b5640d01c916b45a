/** Stores as the flags of a command describe them. */
import { resolve } from 'node:path';

import type { Places } from '../ports/place.ts';
import { claimCacheFolder } from '../storage/cache/cache-folder.ts';
import { OpenPlaces } from '../storage/places.ts';
import type { StoreOptions } from '../storage/places.ts';
import type { CommandIo } from './command-io.ts';
import type { OptionsOf } from './flag.ts';
import * as storage from './flags/storage.ts';
import { surroundingsOf } from './manifest-store.ts';
import type { StoreSurroundings } from './manifest-store.ts';

/** Of every command that reads data or hands the reading to other processes. */
export const STORE_FLAGS: {
  readonly s3EndpointUrl: typeof storage.s3EndpointUrl;
  readonly s3ForcePathStyle: typeof storage.s3ForcePathStyle;
  readonly s3Region: typeof storage.s3Region;
  readonly s3Anonymous: typeof storage.s3Anonymous;
  readonly s3RequesterPays: typeof storage.s3RequesterPays;
  readonly s3MachineCredentials: typeof storage.s3MachineCredentials;
  readonly gsEndpointUrl: typeof storage.gsEndpointUrl;
  readonly gsAnonymous: typeof storage.gsAnonymous;
  readonly gsMachineCredentials: typeof storage.gsMachineCredentials;
  readonly azEndpointUrl: typeof storage.azEndpointUrl;
  readonly sourceResolverUrl: typeof storage.sourceResolverUrl;
  readonly sourceResolverTokenFile: typeof storage.sourceResolverTokenFile;
  readonly allowedOrigins: typeof storage.allowedOrigins;
  readonly diskCache: typeof storage.diskCache;
  readonly diskCacheBytes: typeof storage.diskCacheBytes;
} = {
  s3EndpointUrl: storage.s3EndpointUrl,
  s3ForcePathStyle: storage.s3ForcePathStyle,
  s3Region: storage.s3Region,
  s3Anonymous: storage.s3Anonymous,
  s3RequesterPays: storage.s3RequesterPays,
  s3MachineCredentials: storage.s3MachineCredentials,
  gsEndpointUrl: storage.gsEndpointUrl,
  gsAnonymous: storage.gsAnonymous,
  gsMachineCredentials: storage.gsMachineCredentials,
  azEndpointUrl: storage.azEndpointUrl,
  sourceResolverUrl: storage.sourceResolverUrl,
  sourceResolverTokenFile: storage.sourceResolverTokenFile,
  allowedOrigins: storage.allowedOrigins,
  diskCache: storage.diskCache,
  diskCacheBytes: storage.diskCacheBytes,
};

export type StoreFlagOptions = OptionsOf<typeof STORE_FLAGS>;

export function storeOptions(options: StoreFlagOptions): StoreOptions {
  return {
    s3: {
      endpointUrl: options.s3EndpointUrl,
      forcePathStyle: options.s3ForcePathStyle,
      region: options.s3Region,
      anonymous: options.s3Anonymous,
      requesterPays: options.s3RequesterPays,
      machineCredentials: options.s3MachineCredentials,
    },
    gcs: {
      endpointUrl: options.gsEndpointUrl,
      anonymous: options.gsAnonymous,
      machineCredentials: options.gsMachineCredentials,
    },
    azure: { endpointUrl: options.azEndpointUrl },
    resolver: { url: options.sourceResolverUrl, tokenFile: options.sourceResolverTokenFile },
    http: { allowedOrigins: options.allowedOrigins },
    cache: cacheOptions(options),
  };
}

/** A folder that cannot be used is told of before anything is asked of a store. */
function cacheOptions({ diskCache, diskCacheBytes }: StoreFlagOptions): StoreOptions['cache'] {
  if (diskCache === null) return null;
  const folder = resolve(diskCache);
  claimCacheFolder(folder);
  return { folder, capBytes: diskCacheBytes };
}

/** To be closed by the caller. */
export function openStores(
  options: StoreFlagOptions,
  ports: StoreSurroundings & Pick<CommandIo, 'environment'>,
): Places {
  return new OpenPlaces(storeOptions(options), surroundingsOf(ports, ports.environment));
}

/** The same options as arguments of another command; what is as it is by itself is left out. */
export function storeArguments(options: StoreFlagOptions): readonly string[] {
  const flags = Object.keys(STORE_FLAGS) as (keyof StoreFlagOptions)[];
  return flags.flatMap((key) => {
    const { name, defaultValue } = STORE_FLAGS[key];
    const value = options[key];
    if (value === defaultValue || value === null) return [];
    if (Array.isArray(value)) return value.length === 0 ? [] : [`--${name}`, value.join(',')];
    return typeof value === 'boolean' ? [`--${name}`] : [`--${name}`, String(value)];
  });
}
