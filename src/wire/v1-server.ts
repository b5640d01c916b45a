/** The service `mx8.v1.Coordinator`: jobs, manifests, pieces; sessions are in `session-server.ts`. */
import { Mx8Error } from '../core/base/errors.ts';
import type { JobId } from '../core/base/units.ts';
import type { JobSnapshot, LeaseChoice } from '../core/job/protocol.ts';
import type { FileStamps } from '../ports/manifest-store.ts';
import type { CoordinatorBackend } from './backend.ts';
import { expectReply } from './command-client.ts';
import { jobIdOf, requiredChild, uint64 } from './fields.ts';
import { type GrpcService, grpcService, type UnaryMethod } from './grpc-service.ts';
import { SAMPLES_PER_CHUNK, SLICE_SAMPLES_MAX } from './limits.ts';
import { listJobs } from './list-jobs.ts';
import { meteredStream, meteredUnary } from './metered.ts';
import type { WireMessage } from './schema.ts';
import type { Sessions } from './session-server.ts';
import { coordinatorMessage } from './v1-coordinator.ts';
import { leaseChoiceFrom } from './v1-lease-choice.ts';
import { operatedMessage, operateFrom } from './v1-operate.ts';
import {
  jobSnapshotMessage,
  pieceMessage,
  requiredHash,
  specFrom,
  specMessage,
} from './v1-snapshot.ts';
import { sharedMessage, shareStoresFrom } from './v1-stores.ts';

const EMPTY: WireMessage = {};

export function v1Service(backend: CoordinatorBackend, sessions: Sessions): GrpcService {
  const unary: Record<string, UnaryMethod> = {
    SubmitJob: async (message) => {
      const spec = specFrom(requiredChild(message, 'spec'));
      const created = expectReply(
        await backend.submit({ type: 'create_job', spec }),
        'job_created',
      );
      return { spec: specMessage(created.spec), existed: created.existed };
    },
    ResumeJob: async (message) => {
      expectReply(await backend.submit({ type: 'resume_job', jobId: jobIdOf(message) }), 'ok');
      return EMPTY;
    },
    DrainJob: async (message) => {
      expectReply(await backend.submit({ type: 'drain_job', jobId: jobIdOf(message) }), 'ok');
      return EMPTY;
    },
    ListJobs: async () => ({ jobs: (await listJobs(backend)).map(jobSnapshotMessage) }),
    GetJob: async (message) => {
      const snapshot = await snapshotOf(backend, jobIdOf(message), leaseChoiceFrom(message));
      return { job: jobSnapshotMessage(snapshot) };
    },
    Operate: async (message) => {
      const { changes } = expectReply(await backend.submit(operateFrom(message)), 'operated');
      return operatedMessage(changes);
    },
    GetCoordinator: async () => coordinatorMessage(await backend.coordinator()),
    GetCheckpoint: async (message) => {
      const command = { type: 'get_checkpoint', jobId: jobIdOf(message) } as const;
      const { bytes } = expectReply(await backend.submit(command), 'checkpoint');
      return { checkpoint: bytes };
    },
    ShareStores: async (message) =>
      sharedMessage(expectReply(await backend.submit(shareStoresFrom(message)), 'ok')),
  };
  const stream = {
    GetManifestRange: (message: WireMessage) => manifestRange(backend, message),
    ListCommittedPieces: (message: WireMessage) => pieces(backend, message),
  };
  const name = 'mx8.v1.Coordinator';
  const methods = {
    unary: meteredUnary(backend.meter, name, unary),
    stream: meteredStream(backend.meter, name, stream),
    duplex: { Session: sessions.accept },
  };
  return grpcService(name, methods, (error) => backend.onInternalError(error));
}

async function snapshotOf(
  backend: CoordinatorBackend,
  jobId: JobId,
  leases: LeaseChoice | null,
): Promise<JobSnapshot> {
  const choice = leases === null ? {} : { leases };
  return expectReply(await backend.submit({ type: 'get_snapshot', jobId, ...choice }), 'snapshot');
}

async function* manifestRange(
  backend: CoordinatorBackend,
  message: WireMessage,
): AsyncIterable<WireMessage> {
  const start = uint64(message, 'start');
  const end = uint64(message, 'end');
  const reader = await backend.manifest(jobIdOf(message), requiredHash(message, 'manifestHash'));
  if (!(start <= end && end <= reader.sampleCount && end - start <= SLICE_SAMPLES_MAX)) {
    throw new Mx8Error(
      'field_invalid',
      `fields start and end take a range within [0, ${reader.sampleCount}) of at most ${SLICE_SAMPLES_MAX} samples, got [${start}, ${end})`,
    );
  }
  for (let at = start; at < end; at += SAMPLES_PER_CHUNK) {
    const to = Math.min(end, at + SAMPLES_PER_CHUNK);
    const lines = await reader.sliceBytes(at, to);
    const stamps = await reader.stamps(at, to);
    if (stamps === null) yield { lines };
    else yield { lines, ...pinsOf(lines, stamps) };
  }
}

/** Sizes, and tags where anything of it is in a store: a manifest of files has only times there. */
function pinsOf(lines: Uint8Array, { bytes, mtimesMs }: FileStamps): WireMessage {
  const pinnedBytes = Array.from(bytes, (size) => Math.max(0, size));
  if (!Buffer.from(lines.buffer, lines.byteOffset, lines.length).includes('://')) {
    return { pinnedBytes };
  }
  const pinnedTags = Array.from(mtimesMs, (tag) =>
    Number.isSafeInteger(tag) && tag > 0 ? tag : 0,
  );
  return { pinnedBytes, pinnedTags };
}

async function* pieces(
  backend: CoordinatorBackend,
  message: WireMessage,
): AsyncIterable<WireMessage> {
  for await (const chunk of backend.committedPieces(jobIdOf(message))) {
    yield { pieces: chunk.map(pieceMessage) };
  }
}
