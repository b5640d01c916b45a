/** What a writer says to those whom it does not answer. */
import { Mx8Error } from '../core/base/errors.ts';

export function fenced(epoch: number): Mx8Error {
  const message = `not leader for mutating operation: another coordinator leads in epoch ${epoch}`;
  return new Mx8Error('not_leader', message, { epoch });
}

/** Known before anything was written: whoever asked may ask the next leader. */
export function timeIsUp(): Mx8Error {
  return new Mx8Error(
    'not_leader',
    'not leader for mutating operation: its time as the leader is up',
  );
}

/** What was written stands; whether it was decided by the leader of this moment is not known. */
export function timeRanOutWriting(): Mx8Error {
  return new Mx8Error(
    'store_outcome_unknown',
    'the time of this coordinator as the leader ran out while it wrote',
  );
}

export function fatalError(cause: unknown): Mx8Error {
  if (cause instanceof Mx8Error) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Mx8Error('internal', `the coordinator cannot go on: ${why}`, {}, cause);
}

/** Nothing was written, and whether another leads by now is not known. */
export function unsure(cause: Mx8Error): Mx8Error {
  const message = `the coordinator cannot be sure that it leads, since ${cause.message}; ask again`;
  return new Mx8Error('coordinator_unavailable', message, {}, cause);
}
