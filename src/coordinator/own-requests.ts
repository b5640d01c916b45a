/** What a coordinator's own process asks of stores (it copies manifests from there), as a guest of the budget that it divides. */
import { Mx8Error } from '../core/base/errors.ts';
import { nodeId } from '../core/base/units.ts';
import type { CoordinatorClient, SharedStores } from '../ports/coordinator-client.ts';
import { GUEST_RETRY_MS } from '../wire/limits.ts';
import { StoreGuest } from '../wire/store-guest.ts';
import type { CoordinatorOptions } from './start-coordinator.ts';

type Options = Pick<CoordinatorOptions, 'stores' | 'clock' | 'random' | 'events'>;

/** Null where it asks nothing. While another one leads it goes by what it finds out itself. */
export function shareOwnRequests(
  { stores: sharer, clock, random, events }: Options,
  client: Pick<CoordinatorClient, 'shareStores'>,
): StoreGuest | null {
  if (sharer === undefined) return null;
  const id = nodeId(`coordinator-${Buffer.from(random.bytes(9)).toString('base64url')}`);
  return new StoreGuest({
    ...{ sharer, clock, events },
    share: (stores, signal) => client.shareStores(id, stores, signal).catch(unlessLed),
  });
}

/** Whoever leads divides a budget that this process is not part of. */
function unlessLed(error: unknown): SharedStores {
  if (!(error instanceof Mx8Error) || error.code !== 'not_leader') throw error;
  return { storeShares: [], beatMs: GUEST_RETRY_MS };
}
