/**
 * Where objects were moved to. A redirect is followed when the place allows where it leads; an address is looked
 * at again each time it is connected to. What was learned is forgotten when it does not hold any more. What a
 * request was made with is its ticket: many requests about one object are under way at a time, and each is
 * redirected from where it was sent to, not from where another one has been redirected to since.
 */
import { Mx8Error } from '../../core/base/errors.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { Ticket, Verdict } from './authority.ts';
import { redirectTarget } from './http-errors.ts';
import { originOf } from './origin.ts';

const REDIRECTS_MAX = 5;
const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308]);
/** Where objects are remembered to have been moved to. */
const MOVED_MAX = 4096;

export interface Moved {
  readonly to: URL;
  readonly hops: number;
  /** Of the object, as the first server names it; '' where it does not. */
  readonly etag: string;
}

/** A redirect as it came. */
export interface Redirection {
  /** Where the object is asked for by itself. */
  readonly start: URL;
  /** Of the request; absent where it was sent to `start`. */
  readonly ticket: Ticket | undefined;
  readonly head: ResponseHead;
  /** What the answer says that the object is; '' where it does not. */
  readonly etag?: string;
}

export function isRedirect({ status }: ResponseHead): boolean {
  return REDIRECT_STATUSES.has(status);
}

export class Redirects {
  readonly #moved: Map<string, Moved> = new Map();
  /** Those that are under way as tickets, whatever else has been learned since. */
  readonly #tickets: WeakMap<Ticket, Moved> = new WeakMap();
  readonly #mayLeaveFor: (from: URL, to: URL) => boolean;

  /** `mayLeaveFor` is asked for other servers; never for one that is spoken to in the clear where it was not. */
  constructor(mayLeaveFor: (from: URL, to: URL) => boolean) {
    this.#mayLeaveFor = mayLeaveFor;
  }

  of(location: string): Moved | null {
    return this.#moved.get(location) ?? null;
  }

  /** Whether the request had been sent to where the object was moved to: it may be asked for at its start again. */
  forget(location: string, ticket: Ticket | undefined): boolean {
    if (ticket === undefined) return false;
    if (this.#moved.get(location) === ticket) this.#moved.delete(location);
    return true;
  }

  follow(location: string, { start, ticket, head, etag = '' }: Redirection): Verdict {
    const target = head.headers.get('location');
    const moved = ticket === undefined ? null : (this.#tickets.get(ticket) ?? null);
    const from = moved?.to ?? start;
    const hops = (moved?.hops ?? 0) + 1;
    const refuse = (why: string): Verdict => ({
      type: 'error',
      error: new Mx8Error(
        'address_refused',
        `${location} is redirected to ${redirectTarget(target)}: ${why}.`,
        { location },
      ),
    });
    if (target === undefined || !URL.canParse(target, from.href))
      return refuse('that is no address');
    if (hops > REDIRECTS_MAX)
      return refuse(`that is redirect ${hops}, and ${REDIRECTS_MAX} are followed`);
    const to = new URL(target, from);
    if (!this.#mayFollow(from, to)) {
      return refuse(
        `another server is not followed to unless it is allowed: --allowed-origins ${to.origin}`,
      );
    }
    originOf(to);
    const oldest = this.#moved.keys().next();
    if (this.#moved.size >= MOVED_MAX && oldest.done !== true) this.#moved.delete(oldest.value);
    const found = { to, hops, etag: etag === '' ? (moved?.etag ?? '') : etag };
    this.#moved.set(location, found);
    this.#tickets.set(found, found);
    return { type: 'again', why: 'it was moved' };
  }

  /** The same server, the same host now encrypted, or one that was allowed; never from there into the clear. */
  #mayFollow(from: URL, to: URL): boolean {
    if (to.username !== '' || to.password !== '') return false;
    if (to.origin === from.origin) return true;
    const isUpgrade = from.protocol === 'http:' && to.protocol === 'https:';
    if (isUpgrade && to.hostname === from.hostname) return true;
    if (from.protocol === 'https:' && to.protocol !== 'https:') return false;
    return this.#mayLeaveFor(from, to);
  }
}
