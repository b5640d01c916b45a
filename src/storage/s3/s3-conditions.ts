/** Which answers of S3 are successes, and which say that a condition did not hold. */
import type { WriteCondition } from '../../ports/place.ts';
import type { PlainAnswer } from '../http/plain-request.ts';

/** Some requests are answered with 200 before their outcome is known, and the error follows in the body. */
export function isSuccess({ head, body }: PlainAnswer): boolean {
  if (head.status < 200 || head.status > 299) return false;
  return !body.subarray(0, 1024).includes('<Error>');
}

export function isConflict({ head }: PlainAnswer, condition: WriteCondition): boolean {
  if (condition.type === 'any') return false;
  return head.status === 412 || (head.status === 404 && condition.type === 'replace');
}
