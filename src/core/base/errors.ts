/**
 * A refusal or failure for a reason that the caller can act on, thrown (`Mx8Error`) or answered
 * (`Refusal`). The table of codes is in `error-kinds.ts`.
 */
import { ERROR_KINDS } from './error-kinds.ts';
import type { ErrorCode, ErrorKind, StatusName } from './error-kinds.ts';

export { ERROR_KINDS };
export type { ErrorCode, ErrorKind, StatusName };

/** What the code stands for. */
export function errorKind(code: ErrorCode): ErrorKind {
  return ERROR_KINDS[code];
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_KINDS, text);
}

export type ErrorDetails = Readonly<Record<string, string | number | boolean>>;

/**
 * A refusal or failure with a code. `message` says what was expected, what came, where, and the way
 * out, in one or two sentences. `details` carries the same facts for programs (sample_id, location,
 * line, flag, …).
 */
export class Mx8Error extends Error {
  override readonly name: string = 'Mx8Error';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }

  get retryable(): boolean {
    return errorKind(this.code).retryable;
  }

  get status(): StatusName {
    return errorKind(this.code).status;
  }
}

/** A refusal as data, for the core, which never throws for one. */
export interface Refusal {
  readonly type: 'refused';
  readonly code: ErrorCode;
  readonly message: string;
}

export function refused(code: ErrorCode, message: string): Refusal {
  return { type: 'refused', code, message };
}
