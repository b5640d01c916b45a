/** What travels on a `mx8.v1` session, both ways. */
import { unreachable } from '../core/base/assert.ts';
import { isErrorCode, Mx8Error } from '../core/base/errors.ts';
import {
  ID_BYTES_MAX,
  isLeaseId,
  type JobId,
  type LeaseId,
  type NodeId,
} from '../core/base/units.ts';
import type { Command, NodeCaps, Reply } from '../core/job/protocol.ts';
import type { Push } from '../ports/coordinator-client.ts';
import {
  bytes,
  child,
  children,
  flag,
  jobIdOf,
  leaseIdOf,
  nodeIdOf,
  requiredChild,
  requiredText,
  text,
  texts,
  uint,
  uint64,
  uint64s,
} from './fields.ts';
import type { WireMessage } from './schema.ts';
import { leaderOf } from './status.ts';
import { asMessage, capsFrom, elasticFrom, elasticMessage, statsFrom } from './shared-messages.ts';
import { tuningFrom, tuningMessage } from './v1-operate.ts';
import {
  jobTokenFrom,
  leaseFrom,
  leaseMessage,
  optionalHash,
  phaseFrom,
  specFrom,
  specMessage,
} from './v1-snapshot.ts';
import { sharesFrom, sharesMessage, storesFrom, storesMessage } from './v1-stores.ts';

/** Who speaks on the session: known from its hello on. */
export interface Speaker {
  readonly jobId: JobId;
  readonly nodeId: NodeId;
  readonly instanceId: string;
}

/** Commands that travel on a session: those of a node, minus what the shell makes up itself. */
export type SessionCommand = Exclude<
  Extract<Command, { readonly nodeId: unknown }>,
  { readonly type: 'disconnect' }
>;

// ---- node → coordinator --------------------------------------------------------------------------

export function commandMessage(requestId: number, command: SessionCommand): WireMessage {
  switch (command.type) {
    case 'register': {
      const { jobId, nodeId, instanceId, resumeFrom, jobToken = '' } = command;
      const caps = asMessage(command.caps);
      return { requestId, hello: { jobId, nodeId, instanceId, caps, resumeFrom, jobToken } };
    }
    case 'heartbeat': {
      const { stats, sentAtUnixMs, stores } = command;
      const sentAtUnixTimeMs = Math.round(sentAtUnixMs);
      const heartbeat = { stats: asMessage(stats), sentAtUnixTimeMs, ...storesMessage(stores) };
      return { requestId, heartbeat };
    }
    case 'request_lease':
      return { requestId, leaseRequest: { want: command.want, heldLeaseIds: command.held ?? [] } };
    case 'progress':
      return { requestId, progress: command };
    case 'renew':
      return { requestId, renew: { leaseIds: command.leaseIds } };
    case 'commit':
      return { requestId, commit: command };
    case 'release':
      return { requestId, release: { leaseId: command.leaseId } };
    case 'leave':
      return { requestId, leave: {} };
    case 'fail_job': {
      const { code, message, jobToken = '' } = command;
      return { requestId, failJob: { code, message, jobToken } };
    }
    case 'request_finalize':
      return { requestId, finalize: {} };
    case 'complete_job': {
      const { finalizeToken, outputManifestHash } = command;
      const completeJob = { finalizeToken, outputManifestHash: outputManifestHash ?? '' };
      return { requestId, completeJob };
    }
    default:
      return unreachable(command);
  }
}

/** The hello of a message, or null when it is something else. */
export function helloFrom(message: WireMessage): {
  speaker: Speaker;
  caps: NodeCaps;
  resumeFrom: Uint8Array;
  jobToken?: string;
} | null {
  const hello = child(message, 'hello');
  if (hello === null) return null;
  return {
    speaker: {
      jobId: jobIdOf(hello),
      nodeId: nodeIdOf(hello),
      instanceId: instanceIdOf(hello),
    },
    caps: capsFrom(requiredChild(hello, 'caps')),
    resumeFrom: bytes(hello, 'resumeFrom'),
    ...jobTokenFrom(hello),
  };
}

/** Any text that is fresh per process; it is kept with the node, so it is short. */
function instanceIdOf(hello: WireMessage): string {
  const instanceId = requiredText(hello, 'instanceId');
  if (instanceId.length <= ID_BYTES_MAX) return instanceId;
  throw new Mx8Error(
    'field_invalid',
    `field instance_id takes at most ${ID_BYTES_MAX} characters, got ${instanceId.length}`,
  );
}

export function commandFrom(message: WireMessage, speaker: Speaker): SessionCommand {
  const body = text(message, 'body');
  const part = child(message, body);
  if (part === null) throw new Mx8Error('field_missing', 'field body is missing');
  switch (body) {
    case 'heartbeat': {
      const stats = statsFrom(child(part, 'stats') ?? {});
      return {
        type: 'heartbeat',
        ...speaker,
        stats,
        sentAtUnixMs: uint64(part, 'sentAtUnixTimeMs'),
        ...storesFrom(part),
      };
    }
    case 'leaseRequest': {
      const held = texts(part, 'heldLeaseIds').filter(isLeaseId);
      return { type: 'request_lease', ...speaker, want: uint(part, 'want'), held };
    }
    case 'progress':
      return {
        type: 'progress',
        ...speaker,
        leaseId: requiredText(part, 'leaseId'),
        cursor: uint64(part, 'cursor'),
        deliveredSamples: uint64(part, 'deliveredSamples'),
        deliveredBytes: uint64(part, 'deliveredBytes'),
      };
    case 'renew':
      return { type: 'renew', ...speaker, leaseIds: texts(part, 'leaseIds') };
    case 'commit':
      return {
        type: 'commit',
        ...speaker,
        leaseId: requiredText(part, 'leaseId'),
        start: uint64(part, 'start'),
        end: uint64(part, 'end'),
        rows: uint64(part, 'rows'),
        bytes: uint64(part, 'bytes'),
        inputBytes: uint64(part, 'inputBytes'),
        quarantined: uint64s(part, 'quarantined'),
      };
    case 'release':
      return { type: 'release', ...speaker, leaseId: requiredText(part, 'leaseId') };
    case 'leave':
      return { type: 'leave', ...speaker };
    case 'failJob': {
      const code = requiredText(part, 'code');
      const message = text(part, 'message');
      return { type: 'fail_job', ...speaker, code, message, ...jobTokenFrom(part) };
    }
    case 'finalize':
      return { type: 'request_finalize', ...speaker };
    case 'completeJob': {
      const finalizeToken = requiredText(part, 'finalizeToken');
      const outputManifestHash = optionalHash(part, 'outputManifestHash');
      return { type: 'complete_job', ...speaker, finalizeToken, outputManifestHash };
    }
    default:
      throw new Mx8Error('field_invalid', `a session carries no "${body}" from a node`);
  }
}

// ---- coordinator → node --------------------------------------------------------------------------

/**
 * A refusal of the coordinator; with `not_leader` it says where the leader is, if that is known. Request 0
 * is none: all that the node asks from here on would be refused so.
 */
export function refusedMessage(requestId: number, error: Mx8Error): WireMessage {
  const { code, message } = error;
  return { requestId, refused: { code, message, leader: leaderOf(error) ?? '' } };
}

/** The refusal in a message, with where the leader is if it says so; null when it is something else. */
export function refusalFrom(message: WireMessage): Mx8Error | null {
  const refused = child(message, 'refused');
  if (refused === null) return null;
  const [code, leader] = [text(refused, 'code'), text(refused, 'leader')];
  const known = isErrorCode(code) ? code : 'internal';
  return new Mx8Error(known, text(refused, 'message'), leader === '' ? {} : { leader });
}

export function replyMessage(requestId: number, reply: Reply): WireMessage {
  switch (reply.type) {
    case 'refused':
      return { requestId, refused: { code: reply.code, message: reply.message } };
    case 'ok':
      return { requestId, done: sharesMessage(reply.storeShares) };
    case 'registered': {
      const { spec, elastic, ...rest } = reply;
      const welcome = { ...rest, spec: specMessage(spec), elastic: elasticMessage(elastic) };
      return { requestId, welcome };
    }
    case 'leases': {
      const { leases, elastic, ...rest } = reply;
      const body = { ...rest, leases: leases.map(leaseMessage), elastic: elasticMessage(elastic) };
      return { requestId, leases: body };
    }
    case 'accepted':
      return {
        requestId,
        accepted: {
          cursor: reply.cursor,
          repeatedCall: reply.repeated,
          leaseEnd: reply.end ?? 0,
        },
      };
    case 'renewed':
      return { requestId, renewed: { leaseEnds: reply.ends.map((end) => end ?? 0) } };
    case 'finalize': {
      const { finalizeToken, outputManifestHash, waitMs, phase } = reply;
      const body = {
        finalizeToken: finalizeToken ?? '',
        waitMs,
        phase,
        outputManifestHash: outputManifestHash ?? '',
      };
      return { requestId, finalize: body };
    }
    case 'job_created':
    case 'snapshot':
    case 'operated':
    case 'checkpoint':
      throw new Mx8Error('internal', `a session carries no ${reply.type}`);
    default:
      return unreachable(reply);
  }
}

export function replyFrom(message: WireMessage): Reply {
  const body = text(message, 'body');
  const part = child(message, body) ?? {};
  switch (body) {
    case 'refused': {
      const code = text(part, 'code');
      const known = isErrorCode(code) ? code : 'internal';
      return { type: 'refused', code: known, message: text(part, 'message') };
    }
    case 'done':
      return { type: 'ok', ...sharesFrom(part) };
    case 'welcome':
      return {
        type: 'registered',
        spec: specFrom(requiredChild(part, 'spec')),
        ...jobTokenFrom(part),
        assignedRank: uint(part, 'assignedRank'),
        registeredNodes: uint(part, 'registeredNodes'),
        jobReady: flag(part, 'jobReady'),
        ...waitMaxFrom(part),
        phase: phaseFrom(part),
        elastic: elasticFrom(requiredChild(part, 'elastic')),
      };
    case 'leases':
      return {
        type: 'leases',
        leases: children(part, 'leases').map(leaseFrom),
        waitMs: uint(part, 'waitMs'),
        ...waitMaxFrom(part),
        jobDrained: flag(part, 'jobDrained'),
        phase: phaseFrom(part),
        elastic: elasticFrom(requiredChild(part, 'elastic')),
      };
    case 'accepted':
      return {
        type: 'accepted',
        cursor: uint64(part, 'cursor'),
        repeated: flag(part, 'repeatedCall'),
        // No lease ends at 0.
        end: uint64(part, 'leaseEnd') || null,
      };
    case 'renewed':
      // No lease ends at 0.
      return { type: 'renewed', ends: uint64s(part, 'leaseEnds').map((end) => end || null) };
    case 'finalize': {
      const token = text(part, 'finalizeToken');
      return {
        type: 'finalize',
        finalizeToken: token === '' ? null : token,
        waitMs: uint(part, 'waitMs'),
        phase: phaseFrom(part),
        outputManifestHash: optionalHash(part, 'outputManifestHash'),
      };
    }
    default:
      return {
        type: 'refused',
        code: 'internal',
        message: `the coordinator answered with "${body}"`,
      };
  }
}

function waitMaxFrom(part: WireMessage): { readonly waitMaxMs?: number } {
  const waitMaxMs = uint(part, 'waitMaxMs');
  return waitMaxMs === 0 ? {} : { waitMaxMs };
}

export function pushMessage(push: Push): WireMessage | null {
  switch (push.type) {
    case 'lease_revoked':
      return { requestId: 0, leaseRevoked: { leaseId: push.leaseId, reason: push.reason } };
    case 'drain':
      return { requestId: 0, drain: { reason: push.reason } };
    case 'tuned':
      return { requestId: 0, tuned: tuningMessage(push.tuning) };
    case 'work_waits':
      return { requestId: 0, workWaits: {} };
    case 'job_failed':
      return { requestId: 0, jobFailed: { code: push.code, message: push.message } };
    case 'connected':
    case 'disconnected':
      return null;
    default:
      return unreachable(push);
  }
}

/** The push in a message whose request id is 0; null for one that this version does not know. */
export function pushFrom(message: WireMessage): Push | null {
  const revoked = child(message, 'leaseRevoked');
  if (revoked !== null) {
    const leaseId: LeaseId = leaseIdOf(revoked);
    return { type: 'lease_revoked', leaseId, reason: text(revoked, 'reason') };
  }
  const drain = child(message, 'drain');
  if (drain !== null) return { type: 'drain', reason: text(drain, 'reason') };
  const tuned = child(message, 'tuned');
  if (tuned !== null) return { type: 'tuned', tuning: tuningFrom(tuned) };
  if (child(message, 'workWaits') !== null) return { type: 'work_waits' };
  const failed = child(message, 'jobFailed');
  if (failed === null) return null;
  return { type: 'job_failed', code: text(failed, 'code'), message: text(failed, 'message') };
}
