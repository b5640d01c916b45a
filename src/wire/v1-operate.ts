/** What an operator wants of a live job, as `mx8.v1` carries it, both ways. */
import { Mx8Error } from '../core/base/errors.ts';
import type { NodeId } from '../core/base/units.ts';
import type { Change, Operation, Tuning } from '../core/job/operations.ts';
import type { Command, Reply } from '../core/job/protocol.ts';
import {
  child,
  children,
  flag,
  jobIdOf,
  nodeIdOf,
  requiredText,
  text,
  uint,
  uint64,
} from './fields.ts';
import type { WireMessage } from './schema.ts';
import { jobTokenFrom } from './v1-snapshot.ts';

type Operate = Extract<Command, { readonly type: 'operate' }>;

export function operateMessage({ jobId, operation, dryRun }: Operate): WireMessage {
  return { jobId, dryRun, ...operationMessage(operation) };
}

function operationMessage(operation: Operation): WireMessage {
  switch (operation.type) {
    case 'drain':
      return { drain: { nodeId: operation.nodeId ?? '' } };
    case 'release_lease':
      return { release: { leaseId: operation.leaseId } };
    case 'release_node':
      return { release: { nodeId: operation.nodeId } };
    case 'pause':
      return { pause: {} };
    case 'resume':
      return { resume: {} };
    case 'forget':
      return { forget: { jobToken: operation.jobToken ?? '' } };
    case 'tune':
      return {
        tune: { nodeId: operation.nodeId ?? '', tuning: tuningMessage(operation.tuning) },
      };
    default:
      return operation satisfies never;
  }
}

export function operateFrom(message: WireMessage): Operate {
  const [jobId, dryRun] = [jobIdOf(message), flag(message, 'dryRun')];
  return { type: 'operate', jobId, operation: operationFrom(message), dryRun };
}

function operationFrom(message: WireMessage): Operation {
  const type = text(message, 'operation');
  const body = child(message, type);
  if (body === null) throw new Mx8Error('field_missing', 'field operation is missing');
  switch (type) {
    case 'drain':
      return { type, nodeId: optionalNode(body) };
    case 'release': {
      const nodeId = optionalNode(body);
      if (nodeId !== null) return { type: 'release_node', nodeId };
      return { type: 'release_lease', leaseId: requiredText(body, 'leaseId') };
    }
    case 'pause':
    case 'resume':
      return { type };
    case 'forget':
      return { type, ...jobTokenFrom(body) };
    case 'tune':
      return { type, nodeId: optionalNode(body), tuning: tuningFrom(child(body, 'tuning') ?? {}) };
    default:
      throw new Mx8Error('field_invalid', `an operator cannot "${type}" a job`);
  }
}

function optionalNode(message: WireMessage): NodeId | null {
  return text(message, 'nodeId') === '' ? null : nodeIdOf(message);
}

export function tuningMessage(tuning: Tuning): WireMessage {
  const { want, maxInflightBytes, prefetchBatches, maxQueueBatches } = tuning;
  return {
    want: want ?? 0,
    maxInflightBytes: maxInflightBytes ?? 0,
    prefetchBatches: prefetchBatches ?? 0,
    maxQueueBatches: maxQueueBatches ?? 0,
  };
}

export function tuningFrom(message: WireMessage): Tuning {
  const set = (value: number): number | null => (value === 0 ? null : value);
  return {
    want: set(uint(message, 'want')),
    maxInflightBytes: set(uint64(message, 'maxInflightBytes')),
    prefetchBatches: set(uint(message, 'prefetchBatches')),
    maxQueueBatches: set(uint(message, 'maxQueueBatches')),
  };
}

export function operatedMessage(changes: readonly Change[]): WireMessage {
  return { changes: changes.map((change) => ({ ...change })) };
}

export function operatedFrom(message: WireMessage): Extract<Reply, { readonly type: 'operated' }> {
  const changes = children(message, 'changes').map((change) => ({
    what: text(change, 'what'),
    from: text(change, 'from'),
    to: text(change, 'to'),
  }));
  return { type: 'operated', changes };
}
