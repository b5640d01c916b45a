/** What a kind of place knows about speaking to its servers; the rest is the same for all of them. */
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { Mx8Error } from '../../core/base/errors.ts';
import type { Origin } from './origin.ts';

export interface RangeRequest {
  readonly origin: Origin;
  /** Path and query, encoded. */
  readonly target: string;
  /** Everything but `Host` and `Range`. */
  readonly headers: readonly (readonly [string, string])[];
  /** Given back to whoever made the request, with the answer to it. */
  readonly ticket?: Ticket;
}

/** What a request was made with; another may have been made with something newer since. */
export type Ticket = object;

/** What an answer means that is not the one that was hoped for. */
export type Verdict =
  /** Nothing is wrong with the request: ask again after a while. */
  | { readonly type: 'wait'; readonly why: string }
  /** The authority has learned something (new credentials, another region): ask again now. */
  | { readonly type: 'again'; readonly why: string }
  | { readonly type: 'error'; readonly error: Mx8Error };

export interface Authority {
  /** How to ask for the bytes of the object. Asked anew for each try, as credentials expire. */
  rangeRequest(location: string): RangeRequest | Promise<RangeRequest>;
  judge(
    location: string,
    head: ResponseHead,
    body: string,
    ticket?: Ticket,
  ): Verdict | Promise<Verdict>;
  /** What names the bytes of the object that this is an answer about; the ETag where there is no such method. */
  etagOf?(location: string, head: ResponseHead): string;
}
