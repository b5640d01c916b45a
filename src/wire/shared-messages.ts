/** Parts that both versions of the protocol carry. */
import type { ElasticState, JobCounters, NodeCaps, NodeStats } from '../core/job/protocol.ts';
import { flag, text, uint, uint64 } from './fields.ts';
import type { WireMessage } from './schema.ts';

export function capsFrom(message: WireMessage): NodeCaps {
  return {
    maxFetchConcurrency: uint(message, 'maxFetchConcurrency'),
    maxDecodeConcurrency: uint(message, 'maxDecodeConcurrency'),
    maxInflightBytes: uint64(message, 'maxInflightBytes'),
    maxRamBytes: uint64(message, 'maxRamBytes'),
  };
}

export function statsFrom(message: WireMessage): NodeStats {
  return {
    inflightBytes: uint64(message, 'inflightBytes'),
    ramHighWaterBytes: uint64(message, 'ramHighWaterBytes'),
    fetchQueueDepth: uint(message, 'fetchQueueDepth'),
    decodeQueueDepth: uint(message, 'decodeQueueDepth'),
    packQueueDepth: uint(message, 'packQueueDepth'),
    autotuneEnabled: flag(message, 'autotuneEnabled'),
    effectivePrefetchBatches: uint(message, 'effectivePrefetchBatches'),
    effectiveMaxQueueBatches: uint(message, 'effectiveMaxQueueBatches'),
    effectiveWant: uint(message, 'effectiveWant'),
    autotunePressureMilli: uint(message, 'autotunePressureMilli'),
    autotuneCooldownTicks: uint(message, 'autotuneCooldownTicks'),
    batchPayloadP95OverP50Milli: uint(message, 'batchPayloadP95OverP50Milli'),
    batchJitterSloBreachesTotal: uint64(message, 'batchJitterSloBreachesTotal'),
  };
}

export function countersFrom(message: WireMessage): JobCounters {
  return {
    registerTotal: uint64(message, 'registerTotal'),
    heartbeatTotal: uint64(message, 'heartbeatTotal'),
    requestLeaseTotal: uint64(message, 'requestLeaseTotal'),
    leasesGrantedTotal: uint64(message, 'leasesGrantedTotal'),
    leasesExpiredTotal: uint64(message, 'leasesExpiredTotal'),
    rangesRequeuedTotal: uint64(message, 'rangesRequeuedTotal'),
    progressTotal: uint64(message, 'progressTotal'),
    resumeCheckpointAppliedTotal: uint64(message, 'resumeCheckpointAppliedTotal'),
    resumeCheckpointRejectedTotal: uint64(message, 'resumeCheckpointRejectedTotal'),
    resumeRangesAppliedTotal: uint64(message, 'resumeRangesAppliedTotal'),
  };
}

/** Caps, stats and counters have the schema's names already; they are sent as they are. */
export function asMessage(value: NodeCaps | NodeStats | JobCounters): WireMessage {
  return { ...value };
}

export function elasticFrom(message: WireMessage): ElasticState {
  return {
    transitionPending: flag(message, 'transitionPending'),
    transitionsTotal: uint64(message, 'transitionsTotal'),
    lastTransitionReason: text(message, 'lastTransitionReason'),
    currentWorldSize: uint(message, 'currentWorldSize'),
    targetWorldSize: uint(message, 'targetWorldSize'),
    lastTransitionUnixMs: uint64(message, 'lastTransitionUnixTimeMs'),
  };
}

export function elasticMessage(elastic: ElasticState): WireMessage {
  const { lastTransitionUnixMs, ...rest } = elastic;
  return { ...rest, lastTransitionUnixTimeMs: lastTransitionUnixMs };
}
