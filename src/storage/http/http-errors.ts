/** What answers of web servers mean, for every kind of place alike. */
import { Mx8Error } from '../../core/base/errors.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { Verdict } from './authority.ts';

/** Nothing is wrong with the request: the server is overloaded, starting, or somebody before it is. */
const WAIT_STATUSES = new Set([408, 425, 429, 500, 502, 503, 504]);

export function judgeStatus(location: string, head: ResponseHead, says: string): Verdict {
  const { status } = head;
  const answer = says === '' ? `status ${status}` : `status ${status} (${says})`;
  if (WAIT_STATUSES.has(status)) return { type: 'wait', why: `the store answered ${answer}` };
  return { type: 'error', error: statusError(location, head, answer) };
}

function statusError(
  location: string,
  { status, headers }: ResponseHead,
  answer: string,
): Mx8Error {
  const details = { location, status };
  if (status === 404 || status === 410) {
    return new Mx8Error(
      'object_missing',
      `${location} is not there: the store answered ${answer}.`,
      details,
    );
  }
  if (status === 401 || status === 403 || status === 407) {
    return new Mx8Error(
      'object_denied',
      `${location} is not for these credentials: the store answered ${answer}.`,
      details,
    );
  }
  if (status === 409 || status === 412) {
    return new Mx8Error(
      'object_changed',
      `${location} is not as it was expected to be: the store answered ${answer}.`,
      details,
    );
  }
  if (status >= 300 && status < 400) {
    return new Mx8Error(
      'address_refused',
      `${location} is a redirect to ${redirectTarget(headers.get('location'))} (status ${status}), and redirects are not followed there. Link to the object itself.`,
      details,
    );
  }
  return new Mx8Error(
    'object_answer_invalid',
    `The store answered ${answer} to a request for ${location}.`,
    details,
  );
}

/** Without the query, which may hold a signature. */
export function redirectTarget(location: string | undefined): string {
  if (location === undefined) return 'nowhere';
  const query = location.search(/[?#]/);
  return JSON.stringify((query === -1 ? location : location.slice(0, query)).slice(0, 200));
}

/** What a store said with a status that promises more. */
export function unusable(location: string, what: string): Mx8Error {
  return new Mx8Error(
    'object_answer_invalid',
    `The answer of the store about ${location} cannot be used: ${what}.`,
    { location },
  );
}

/** Bytes of the object that the head of an answer to HEAD is about. */
export function lengthOf(location: string, { headers }: ResponseHead): number {
  const length = headers.get('content-length');
  if (length !== undefined && /^\d{1,15}$/.test(length)) return Number(length);
  throw unusable(location, 'it does not say how long the object is');
}
