/** What a coordinator's own process asks of stores (it copies manifests from there), as a guest of the budget that it divides. */
import { nodeId } from '../core/base/units.ts';
import type { CoordinatorClient } from '../ports/coordinator-client.ts';
import { StoreGuest } from '../wire/store-guest.ts';
import type { CoordinatorOptions } from './start-coordinator.ts';

type Options = Pick<CoordinatorOptions, 'stores' | 'clock' | 'random' | 'events'>;

/** Null where it asks nothing. While another one leads it goes by what it finds out itself. */
export function shareOwnRequests(
  { stores: sharer, clock, random, events }: Options,
  client: CoordinatorClient,
): StoreGuest | null {
  if (sharer === undefined) return null;
  const id = nodeId(`coordinator-${Buffer.from(random.bytes(9)).toString('base64url')}`);
  return new StoreGuest({
    ...{ sharer, clock, events },
    share: (stores, signal) => client.shareStores(id, stores, signal),
  });
}
