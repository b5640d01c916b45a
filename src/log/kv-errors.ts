/** A `KvError` as what callers of the log and of the election are told. */
import { type ErrorCode, Mx8Error } from '../core/base/errors.ts';
import { KvError } from '../ports/kv-store.ts';

/** Any other error is given back as it is. */
export function storeError(error: unknown): unknown {
  if (!(error instanceof KvError)) return error;
  return new Mx8Error(codeOf(error), error.message, {}, error);
}

function codeOf(error: KvError): ErrorCode {
  if (!error.isDecided) return 'store_outcome_unknown';
  return error.retryable ? 'store_unavailable' : 'store_refused';
}
