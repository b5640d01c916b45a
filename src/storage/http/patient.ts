/** Sends a plain request until there is an answer to go by, within a time budget. */
import { Mx8Error } from '../../core/base/errors.ts';
import { httpDateMs } from '../../core/transfer/http-date.ts';
import { RETRY_LIMITS, RetryBudget, retryAfterMs } from '../../core/transfer/retry-budget.ts';
import type { Ticket, Verdict } from './authority.ts';
import type { Origin } from './origin.ts';
import type { PlainAnswer, PlainClient, PlainRequest } from './plain-request.ts';
import type { HttpSurroundings } from './range-client.ts';
import { isThrottling } from './store-traffic.ts';
import { tellOfRetry } from './tell-of-retry.ts';

export interface PatientClient extends Pick<PlainClient, 'send'> {
  /** Counts a request that waits since the host has too much to do, until the returned function is called. */
  readonly sitOut?: (origin: Origin) => () => void;
}

export interface PatientRequest {
  /** What it is about, as errors name it: a location, or a prefix. */
  readonly location: string;
  /** Made anew for each try: credentials expire. */
  readonly make: () => Promise<PlainRequest>;
  /** True: this is an answer to go by. */
  readonly accepts: (answer: PlainAnswer) => boolean;
  readonly judge: (answer: PlainAnswer, ticket?: Ticket) => Verdict | Promise<Verdict>;
  readonly signal?: AbortSignal | undefined;
}

export interface PatientAnswer extends PlainAnswer {
  /** An earlier try may have been carried out without our hearing of it. */
  readonly mayHaveLanded: boolean;
}

export async function sendPatiently(
  client: PatientClient,
  { clock, random, events, retry = RETRY_LIMITS }: HttpSurroundings,
  request: PatientRequest,
): Promise<PatientAnswer> {
  const { location, signal } = request;
  const budget = new RetryBudget(retry, clock.nowMs());
  let mayHaveLanded = false;
  for (;;) {
    signal?.throwIfAborted();
    const outcome = await attempt(client, request);
    if (outcome.type === 'answer') return { ...outcome.answer, mayHaveLanded };
    mayHaveLanded ||= outcome.mayHaveLanded;
    if (outcome.type === 'again' && budget.failures < 2) {
      budget.waitMs(clock.nowMs(), 0);
      continue;
    }
    const { why, header, busy } = outcome;
    const leastMs = retryAfterMs(header, httpDateMs(header ?? ''), clock.unixMs());
    const waitMs = budget.waitMs(clock.nowMs(), random.fraction(), leastMs);
    if (waitMs === null) {
      const seconds = Math.round(retry.budgetMs / 1000);
      throw new Mx8Error(
        'object_store_unavailable',
        `Got no usable answer about ${location} for ${seconds} s (${budget.failures} tries): ${why}.`,
        { location },
      );
    }
    tellOfRetry(budget, { clock, events, retry }, { location, why, waitMs });
    const leave = busy === undefined ? undefined : client.sitOut?.(busy);
    await clock.sleep(waitMs, signal).finally(leave);
  }
}

type Attempt =
  | { readonly type: 'answer'; readonly answer: PlainAnswer }
  | {
      readonly type: 'again' | 'wait';
      readonly why: string;
      readonly header?: string | undefined;
      readonly mayHaveLanded: boolean;
      /** It has too much to do. */
      readonly busy?: Origin | undefined;
    };

async function attempt(client: PatientClient, request: PatientRequest): Promise<Attempt> {
  const made = await request.make();
  let answer: PlainAnswer;
  try {
    answer = await client.send(made, request.signal);
  } catch (error) {
    if (error instanceof Mx8Error || request.signal?.aborted === true) throw error;
    const why = error instanceof Error && error.message !== '' ? error.message : String(error);
    return { type: 'wait', why, mayHaveLanded: true };
  }
  if (request.accepts(answer)) return { type: 'answer', answer };
  const verdict = await request.judge(answer, made.ticket);
  if (verdict.type === 'error') throw verdict.error;
  return {
    type: verdict.type,
    why: verdict.why,
    header: answer.head.headers.get('retry-after'),
    // A conflict is with another request, which may be the one that we took for lost.
    mayHaveLanded: answer.head.status >= 500 || answer.head.status === 409,
    busy: isThrottling(answer.head) ? made.origin : undefined,
  };
}
