/** Error codes on the wire: which gRPC status each has, and how a failed call becomes an `Mx8Error`. */
import { status, type ServiceError } from '@grpc/grpc-js';
import {
  type ErrorCode,
  type ErrorDetails,
  errorKind,
  isErrorCode,
  Mx8Error,
} from '../core/base/errors.ts';
import { connectionReason } from './connection-reason.ts';

/** The trailer that carries the code; the status and the text are for people and other clients. */
export const ERROR_CODE_METADATA = 'mx8-error-code';
/** The trailer that says where the leader is, beside `not_leader`. */
export const LEADER_METADATA = 'mx8-leader';

/** How a call ends: a status and a sentence, with trailers beside them. */
export interface CallStatus {
  readonly code: status;
  readonly message: string;
  readonly trailers: Readonly<Record<string, string>>;
}

/** How a call that was refused ends. */
export function statusOf(error: {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: ErrorDetails;
}): CallStatus {
  const leader = leaderOf(error);
  return {
    code: status[errorKind(error.code).status],
    message: error.message,
    trailers: {
      [ERROR_CODE_METADATA]: error.code,
      ...(leader === null ? {} : { [LEADER_METADATA]: leader }),
    },
  };
}

/** Where the leader is, when the failure is that this is not the leader and it is known. */
export function leaderOf(error: {
  readonly code: ErrorCode;
  readonly details?: ErrorDetails;
}): string | null {
  const leader = error.details?.['leader'];
  return error.code === 'not_leader' && typeof leader === 'string' ? leader : null;
}

/** True when the same request is to be sent again, on another connection: nothing was refused for good. */
export function isOfTheWay(code: ErrorCode): boolean {
  return (
    code === 'coordinator_unavailable' || code === 'not_leader' || code === 'store_outcome_unknown'
  );
}

/** Any failure as one with a code: what is none of ours is a bug, and says so to the client. */
export function asMx8Error(error: unknown): Mx8Error {
  if (error instanceof Mx8Error) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new Mx8Error('internal', message, {}, error);
}

/** What a failed call means to the caller. `address` is for the sentence. */
export function errorOfCall(error: ServiceError, address: string): Mx8Error {
  const [code] = error.metadata.get(ERROR_CODE_METADATA);
  if (typeof code === 'string' && isErrorCode(code)) {
    const [leader] = error.metadata.get(LEADER_METADATA);
    const details = typeof leader === 'string' && leader !== '' ? { leader } : {};
    return new Mx8Error(code, error.details, details);
  }
  switch (error.code) {
    case status.UNIMPLEMENTED:
      return new Mx8Error(
        'coordinator_unavailable',
        `${address} answers gRPC but is no coordinator of mx8.v1: ${error.details}`,
        { address },
      );
    case status.RESOURCE_EXHAUSTED:
      return new Mx8Error(
        'message_too_large',
        `a message between here and ${address} is over the cap: ${error.details}`,
        { address },
      );
    default:
      return unavailable(
        address,
        connectionReason(error.details === '' ? error.message : error.details, address),
      );
  }
}

export function unavailable(address: string, why: string): Mx8Error {
  return new Mx8Error(
    'coordinator_unavailable',
    `no answer from the coordinator at ${address}: ${why}`,
    { address, why },
  );
}
