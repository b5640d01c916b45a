/** The requests of a command to stores, as part of the budget of the coordinator that its flags name. */
import { hostname } from 'node:os';

import { nodeId } from '../core/base/units.ts';
import type { NodeId } from '../core/base/units.ts';
import type { EventSink } from '../ports/event-sink.ts';
import { StoreTraffic } from '../storage/http/store-traffic.ts';
import { StoreGuest } from '../wire/store-guest.ts';
import { openClient } from './client.ts';
import type { CommandIo } from './command-io.ts';
import type { Flag } from './flag.ts';
import * as cluster from './flags/cluster.ts';
import * as tls from './flags/tls.ts';
import { randomId } from './random-id.ts';

/** A coordinator that is away is asked again; what the command does waits for none of that. */
const CALL_TIMEOUT_MS = 2000;

/** Of a command that goes by what it finds out itself where it is given none. */
export const GUEST_FLAGS: {
  readonly coordUrl: Flag<string | null>;
  readonly tlsCa: typeof tls.tlsCa;
  readonly tlsClientCert: typeof tls.tlsClientCert;
  readonly tlsClientKey: typeof tls.tlsClientKey;
} = {
  coordUrl: {
    ...cluster.coordUrl,
    defaultValue: null,
    defaultText: 'none: it finds out itself how much the store gives',
    doc: 'Where the coordinator listens whose jobs use the same store: the requests of this command are then part of the budget that it divides.',
  },
  tlsCa: tls.tlsCa,
  tlsClientCert: tls.tlsClientCert,
  tlsClientKey: tls.tlsClientKey,
};

export interface GuestOptions {
  readonly coordUrl: string | null;
  readonly tlsCa: string | null;
  readonly tlsClientCert: string | null;
  readonly tlsClientKey: string | null;
}

export interface GuestTraffic extends AsyncDisposable {
  /** For everything that the command opens. */
  readonly traffic: StoreTraffic;
}

/** `name` is the command's. Dispose of it when its places are closed; `traffic` goes on as it is then. */
export function openGuestTraffic(
  name: string,
  { coordUrl, ...files }: GuestOptions,
  { clock, random, events }: Pick<CommandIo, 'clock' | 'random'> & { readonly events: EventSink },
  traffic: StoreTraffic = new StoreTraffic(clock),
): GuestTraffic {
  if (coordUrl === null) return { traffic, [Symbol.asyncDispose]: () => Promise.resolve() };
  const { grpcMaxMessageBytes } = cluster;
  const options = { coordUrl, ...files, grpcMaxMessageBytes: grpcMaxMessageBytes.defaultValue };
  const client = openClient(options, { clock, random }, { callTimeoutMs: CALL_TIMEOUT_MS });
  const id = guestId(name, randomId(random));
  const guest = new StoreGuest({
    sharer: traffic,
    share: (stores, signal) => client.shareStores(id, stores, signal),
    clock,
    events,
  });
  return {
    traffic,
    [Symbol.asyncDispose]: async () => {
      await guest.close();
      await client.close();
    },
  };
}

function guestId(name: string, unique: string): NodeId {
  const host = hostname().replaceAll(/[^A-Za-z0-9._-]/g, '-');
  return nodeId(`${name}-${host.slice(0, 80)}-${unique}`);
}
