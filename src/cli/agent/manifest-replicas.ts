/** The coordinators of the list one by one, to be asked for the manifest that the leader cannot give. */
import type { ManifestReplica } from '../../ports/manifest-replica.ts';
import { type ClientOptions, openClient } from '../client.ts';
import type { CommandIo } from '../command-io.ts';

/** One that is away is passed over soon: the next one, or the leader a little later, may answer. */
const CALL_TIMEOUT_MS = 3000;

export interface Replicas extends AsyncDisposable {
  readonly all: readonly ManifestReplica[];
}

/** Connects to none of them before it is asked. */
export function openReplicas(options: ClientOptions, io: CommandIo): Replicas {
  const addresses = options.coordUrl.split(',').map((address) => address.trim());
  const clients = addresses.map((coordUrl) =>
    openClient({ ...options, coordUrl }, io, { callTimeoutMs: CALL_TIMEOUT_MS }),
  );
  return {
    all: clients.map((client, index) => ({
      name: `coordinator ${addresses[index] ?? ''}`,
      slice: (jobId, hash, start, end, signal) =>
        client.manifestSlice(jobId, hash, start, end, signal),
    })),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}
