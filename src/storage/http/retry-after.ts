import { httpDateMs } from '../../core/transfer/http-date.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import { retryAfterMs } from '../../core/transfer/retry-budget.ts';
import type { Clock } from '../../ports/clock.ts';

/** Milliseconds that an answer asks to wait for, as a number or as a date; 0 where it does not. */
export function retryAfterOf({ headers }: ResponseHead, clock: Clock): number {
  const header = headers.get('retry-after');
  if (header === undefined) return 0;
  return retryAfterMs(header, httpDateMs(header), clock.unixMs());
}
