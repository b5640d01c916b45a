/** How a command reaches the coordinators that its flags name. */
import type { OnUnanswered } from '../wire/dialer.ts';
import { GrpcCoordinatorClient } from '../wire/grpc-coordinator-client.ts';
import type { CommandIo } from './command-io.ts';
import type { OptionsOf } from './flag.ts';
import * as cluster from './flags/cluster.ts';
import * as tls from './flags/tls.ts';
import { clientTls } from './tls.ts';

export const CLIENT_FLAGS: {
  readonly coordUrl: typeof cluster.coordUrl;
  readonly tlsCa: typeof tls.tlsCa;
  readonly tlsClientCert: typeof tls.tlsClientCert;
  readonly tlsClientKey: typeof tls.tlsClientKey;
  readonly grpcMaxMessageBytes: typeof cluster.grpcMaxMessageBytes;
} = {
  coordUrl: cluster.coordUrl,
  tlsCa: tls.tlsCa,
  tlsClientCert: tls.tlsClientCert,
  tlsClientKey: tls.tlsClientKey,
  grpcMaxMessageBytes: cluster.grpcMaxMessageBytes,
};

export type ClientOptions = OptionsOf<typeof CLIENT_FLAGS>;

/** `callTimeoutMs`: how long any answer may take; the client's own default where it is not said. */
export interface ClientHabits {
  readonly callTimeoutMs?: number;
  /** Hears of each attempt that nobody answered. */
  readonly onUnanswered?: OnUnanswered;
}

/** Close it. */
export function openClient(
  options: ClientOptions,
  { clock, random }: Pick<CommandIo, 'clock' | 'random'>,
  habits: ClientHabits = {},
): GrpcCoordinatorClient {
  const { coordUrl, grpcMaxMessageBytes } = options;
  return new GrpcCoordinatorClient({
    coordUrl,
    clock,
    random,
    grpcMaxMessageBytes,
    tls: clientTls(options),
    ...habits,
  });
}
