/** The service `mx8.v0.Coordinator`, as the wire contract fixes it. */
import { Mx8Error } from '../core/base/errors.ts';
import type { Command } from '../core/job/protocol.ts';
import { MANIFEST_SCHEMA_VERSION } from '../core/manifest/encode.ts';
import type { ManifestReader } from '../ports/manifest-store.ts';
import { jobIdOf } from './fields.ts';
import type { CoordinatorBackend } from './backend.ts';
import { expectReply } from './command-client.ts';
import { type GrpcService, grpcService, type UnaryMethod } from './grpc-service.ts';
import { MANIFEST_CHUNK_BYTES, MESSAGE_OVERHEAD_BYTES } from './limits.ts';
import { meteredStream, meteredUnary } from './metered.ts';
import type { WireMessage } from './schema.ts';
import {
  checkpointCommand,
  encodedSnapshot,
  heartbeatCommand,
  leaseCommand,
  leasesMessage,
  manifestRequest,
  progressCommand,
  registerCommand,
  registeredMessage,
} from './v0.ts';

const EMPTY: WireMessage = {};
const schemaVersion = MANIFEST_SCHEMA_VERSION;

export function v0Service(backend: CoordinatorBackend, messageBytesMax: number): GrpcService {
  const ask = (command: Command): ReturnType<typeof backend.submit> => backend.submit(command);
  const unary: Record<string, UnaryMethod> = {
    RegisterNode: async (message) =>
      registeredMessage(expectReply(await ask(registerCommand(message)), 'registered')),
    Heartbeat: async (message) => {
      expectReply(await ask(heartbeatCommand(message)), 'ok');
      return EMPTY;
    },
    RequestLease: (message) => requestLease(backend, message),
    ReportProgress: async (message) => {
      expectReply(await ask(progressCommand(message)), 'accepted');
      return EMPTY;
    },
    GetManifest: async (message) => {
      const { jobId, hash } = manifestRequest(message);
      return wholeManifest(await backend.manifest(jobId, hash), messageBytesMax);
    },
    GetJobSnapshot: async (message) => {
      const nowUnixMs = backend.nowUnixMs();
      return backend.look(jobIdOf(message), (job, nowMs) =>
        encodedSnapshot(job, { nowMs, nowUnixMs }),
      );
    },
    GetResumeCheckpoint: async (message) => {
      const { bytes } = expectReply(await backend.read(checkpointCommand(message)), 'checkpoint');
      return { checkpoint: bytes };
    },
  };
  const stream = {
    GetManifestStream: (message: WireMessage) => manifestChunks(backend, message),
  };
  const name = 'mx8.v0.Coordinator';
  const methods = {
    unary: meteredUnary(backend.meter, name, unary),
    stream: meteredStream(backend.meter, name, stream),
    duplex: {},
  };
  return grpcService(name, methods, (error) => backend.onInternalError(error));
}

async function requestLease(
  backend: CoordinatorBackend,
  message: WireMessage,
): Promise<WireMessage> {
  const command = leaseCommand(message);
  const granted = expectReply(await backend.submit(command), 'leases');
  const spec = command.type === 'request_lease' ? backend.jobSpec(command.jobId) : null;
  if (spec === null)
    throw new Mx8Error('internal', 'leases were granted of a job that is not there');
  return leasesMessage(granted, spec, backend.nowUnixMs());
}

async function wholeManifest(
  reader: ManifestReader,
  messageBytesMax: number,
): Promise<WireMessage> {
  if (reader.manifestBytes + MESSAGE_OVERHEAD_BYTES > messageBytesMax) {
    throw new Mx8Error(
      'message_too_large',
      `manifest ${reader.hash} has ${reader.manifestBytes} bytes and does not fit one message of ${messageBytesMax}; read it with GetManifestStream`,
    );
  }
  const parts: Uint8Array[] = [];
  for await (const part of reader.bytes(MANIFEST_CHUNK_BYTES)) parts.push(part);
  return { manifestBytes: Buffer.concat(parts), schemaVersion };
}

async function* manifestChunks(
  backend: CoordinatorBackend,
  message: WireMessage,
): AsyncIterable<WireMessage> {
  const { jobId, hash } = manifestRequest(message);
  const reader = await backend.manifest(jobId, hash);
  for await (const data of reader.bytes(MANIFEST_CHUNK_BYTES)) yield { data, schemaVersion };
}
