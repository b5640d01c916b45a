/**
 * What a failed call to etcd says about what it asked for. A write that may have reached etcd's own log
 * is undecided unless etcd is known to refuse it before that, or to apply it as nothing; in doubt it is
 * undecided. The texts are those of etcd 3.4 to 3.6.
 */
import { status } from '@grpc/grpc-js';
import { KvError } from '../../ports/kv-store.ts';

/** How a call ended, without what grpc-js wraps around it. */
export interface CallFailure {
  /** gRPC status. */
  readonly code: number;
  readonly details: string;
  /** The member had a connection at some moment of the call, so the request may have left. */
  readonly mayBeSent: boolean;
  /** It was given up because its time was over. */
  readonly hasTimedOut: boolean;
}

export type FailureKind =
  /** Refused for good: asking again, here or elsewhere, is answered the same. */
  | 'refused'
  /** Done nothing; this member, or etcd as a whole, cannot now. */
  | 'not_now'
  /** Done nothing; the token is missing, old or unknown to this member. */
  | 'token'
  /** It may have been done, may be done later, or never. */
  | 'unknown'
  /** As `unknown`, and asking again does not help until a person acts. */
  | 'unknown_refused';

interface Rule {
  readonly pattern: RegExp;
  readonly kind: FailureKind;
}

/** The first that fits counts. */
const RULES: readonly Rule[] = [
  // Checked before a request goes anywhere.
  { pattern: /invalid auth token|user name is empty|auth store is old/, kind: 'token' },
  { pattern: /revision in header is old/, kind: 'token' },
  { pattern: /authentication failed|permission denied/, kind: 'refused' },
  { pattern: /request is too large|too many operations in txn/, kind: 'refused' },
  { pattern: /^grpc: received message larger than max|duplicate key given/, kind: 'refused' },
  { pattern: /key is not provided/, kind: 'refused' },
  { pattern: /requested lease not found|lease TTL|revision has been compacted/, kind: 'refused' },
  { pattern: /is a future revision/, kind: 'refused' },
  // A member turns these away before it proposes them.
  { pattern: /too many requests|not capable|not supported for learner/, kind: 'not_now' },
  { pattern: /^etcdserver: no leader$|raft proposal dropped/, kind: 'not_now' },
  // etcd applies the write that goes over the quota and then says this of it.
  { pattern: /database space exceeded|corrupt cluster/, kind: 'unknown_refused' },
];

export function kindOfFailure(failure: CallFailure): FailureKind {
  if (!failure.mayBeSent) return 'not_now';
  if (failure.hasTimedOut) return 'unknown';
  const rule = RULES.find(({ pattern }) => pattern.test(failure.details));
  if (rule !== undefined) return rule.kind;
  switch (failure.code) {
    case status.UNAUTHENTICATED:
      return 'token';
    case status.UNIMPLEMENTED:
    case status.INVALID_ARGUMENT:
    case status.PERMISSION_DENIED:
      return 'refused';
    default:
      return 'unknown';
  }
}

/** A member's failure as an error; `where` is its address. */
export function kvErrorOf(kind: FailureKind, where: string, why: string): KvError {
  const isDecided = kind !== 'unknown' && kind !== 'unknown_refused';
  const retryable = kind === 'not_now' || kind === 'unknown';
  return new KvError(sentenceOf(kind, where, why), { isDecided, retryable });
}

function sentenceOf(kind: FailureKind, where: string, why: string): string {
  switch (kind) {
    case 'refused':
    case 'token':
      return `etcd at ${where} refuses: ${why}`;
    case 'unknown_refused':
      return `etcd at ${where} takes no more writes: ${why}; make room or mend it, then clear the alarm with etcdctl alarm disarm`;
    default:
      return `no answer from etcd at ${where}: ${why}`;
  }
}

/** What grpc-js says, without what it wraps around the cause. */
export function reasonOf(details: string): string {
  return details
    .replace(/^No connection established\. Last error: /, '')
    .replace(/^(Error: )+/, '')
    .replace(/^.*error:[0-9A-F]+:SSL routines:[^:]*:(ssl\/tls )?([^:]+):.*$/s, 'TLS: $2')
    .replace(/\.? ?Resolution note: ?.*$/s, '');
}
