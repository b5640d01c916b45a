/** Objects of web servers: read only, by ranges. */
import { Mx8Error } from '../../core/base/errors.ts';
import { normalEtag } from '../../core/transfer/response-head.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type {
  ListedObject,
  ObjectRange,
  ObjectStat,
  ObjectUpload,
  Place,
} from '../../ports/place.ts';
import type { Authority, RangeRequest, Verdict } from './authority.ts';
import { judgeStatus, redirectTarget } from './http-errors.ts';
import { originOf } from './origin.ts';
import { sendPatiently } from './patient.ts';
import { PlainClient } from './plain-request.ts';
import type { PlainAnswer } from './plain-request.ts';
import type { RangeClient } from './range-client.ts';

export interface HttpOptions {
  /** Origins that a redirect may lead to, besides the link's own. */
  readonly allowedOrigins: readonly string[];
}

export const HTTP_DEFAULTS: HttpOptions = { allowedOrigins: [] };

const REDIRECTS_MAX = 5;
const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308]);
/** Where objects are remembered to have been moved to. */
const MOVED_MAX = 4096;

interface Moved {
  readonly to: URL;
  readonly hops: number;
}

export class HttpPlace implements Place, Authority {
  readonly #ranges: RangeClient;
  readonly #options: HttpOptions;
  readonly #plain: PlainClient = new PlainClient();
  readonly #moved: Map<string, Moved> = new Map();

  constructor(ranges: RangeClient, options: HttpOptions = HTTP_DEFAULTS) {
    this.#ranges = ranges;
    this.#options = options;
  }

  list(prefix: string): AsyncIterable<readonly ListedObject[]> {
    throw new Mx8Error(
      'scheme_unsupported',
      `${prefix} cannot be listed: a web server does not say what it has. Link to a .tsv manifest or to a packed data set there.`,
      { location: prefix },
    );
  }

  async stat(location: string, signal?: AbortSignal): Promise<ObjectStat> {
    const head = await this.#ask(location, 'HEAD', [], signal);
    const length = head.headers.get('content-length');
    if (head.status < 300 && length !== undefined) {
      return { bytes: Number(length), etag: normalEtag(head.headers.get('etag')) };
    }
    // Some servers know no HEAD, or do not tell the length there: one byte tells it as well.
    const part = await this.#ask(location, 'GET', [['Range', 'bytes=0-0']], signal);
    const total = /\/(\d{1,15})$/.exec(part.headers.get('content-range') ?? '')?.[1];
    const bytes = part.status === 206 ? total : part.headers.get('content-length');
    if (bytes !== undefined)
      return { bytes: Number(bytes), etag: normalEtag(part.headers.get('etag')) };
    throw new Mx8Error(
      'object_answer_invalid',
      `The server does not say how long ${location} is, neither to HEAD nor to a request for its first byte.`,
      { location },
    );
  }

  readRange(location: string, range: ObjectRange, signal?: AbortSignal): Promise<ObjectStat> {
    return this.#ranges.read(location, range, this, signal);
  }

  write(location: string): Promise<ObjectStat> {
    return Promise.reject(readOnly(location));
  }

  upload(location: string): Promise<ObjectUpload> {
    return Promise.reject(readOnly(location));
  }

  remove(location: string): Promise<void> {
    return Promise.reject(readOnly(location));
  }

  async close(): Promise<void> {
    this.#plain.close();
  }

  rangeRequest(location: string): RangeRequest {
    const url = this.#moved.get(location)?.to ?? parseHttpLocation(location);
    return { origin: originOf(url), target: `${url.pathname}${url.search}`, headers: [] };
  }

  judge(location: string, head: ResponseHead, body: string): Verdict {
    if (REDIRECT_STATUSES.has(head.status)) return this.#follow(location, head);
    // The place that a redirect led to may be for some minutes only.
    if (head.status === 403 && this.#moved.delete(location)) {
      return { type: 'again', why: 'where it was moved to it is not any more' };
    }
    return judgeStatus(location, head, /^[\x20-\x7e]{1,80}$/.exec(body.trim())?.[0] ?? '');
  }

  #follow(location: string, head: ResponseHead): Verdict {
    const target = head.headers.get('location');
    const moved = this.#moved.get(location);
    const from = moved?.to ?? parseHttpLocation(location);
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
    this.#moved.set(location, { to, hops });
    return { type: 'again', why: 'it was moved' };
  }

  /** The same server, the same host now encrypted, or one that was allowed; never from there into the clear. */
  #mayFollow(from: URL, to: URL): boolean {
    if (to.username !== '' || to.password !== '') return false;
    if (to.origin === from.origin) return true;
    const isUpgrade = from.protocol === 'http:' && to.protocol === 'https:';
    if (isUpgrade && to.hostname === from.hostname) return true;
    if (from.protocol === 'https:' && to.protocol !== 'https:') return false;
    return this.#options.allowedOrigins.includes(to.origin);
  }

  async #ask(
    location: string,
    method: 'HEAD' | 'GET',
    headers: readonly (readonly [string, string])[],
    signal: AbortSignal | undefined,
  ): Promise<ResponseHead> {
    const isDone = ({ head }: PlainAnswer): boolean =>
      head.status < 300 || (method === 'HEAD' && [400, 403, 405, 501].includes(head.status));
    const answer = await sendPatiently(this.#plain, this.#ranges.surroundings, {
      location,
      make: async () => {
        const { origin, target } = this.rangeRequest(location);
        return { method, origin, target, headers };
      },
      accepts: isDone,
      judge: ({ head, body }) => this.judge(location, head, body.toString('utf8', 0, 200)),
      signal,
    });
    return answer.head;
  }
}

export function parseHttpLocation(location: string): URL {
  const url = URL.canParse(location) ? new URL(location) : null;
  if (url !== null && url.username === '' && url.password === '') return url;
  const shown = location.replace(/\/\/[^/@]*@/, '//[redacted]@');
  throw new Mx8Error(
    'link_invalid',
    url === null
      ? `${location} is no URL.`
      : `${shown} has a user or a password in it, which would end up in every manifest and log. Leave it out.`,
    { location: shown },
  );
}

function readOnly(location: string): Mx8Error {
  return new Mx8Error(
    'scheme_unsupported',
    `${location} is on a web server, which is only read from.`,
    {
      location,
    },
  );
}
