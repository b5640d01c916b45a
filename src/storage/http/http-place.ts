/** Objects of web servers: read only, by ranges. */
import { Mx8Error } from '../../core/base/errors.ts';
import { normalEtag } from '../../core/transfer/response-head.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { ListedObject, ObjectRange, ObjectStat } from '../../ports/place.ts';
import { ReadOnlyPlace } from '../read-only-place.ts';
import type { Authority, RangeRequest, Ticket, Verdict } from './authority.ts';
import { judgeStatus } from './http-errors.ts';
import { originOf } from './origin.ts';
import { sendPatiently } from './patient.ts';
import type { PlainAnswer } from './plain-request.ts';
import type { RangeClient } from './range-client.ts';
import { Redirects, isRedirect } from './redirects.ts';
import { StoreClient } from './store-client.ts';

export interface HttpOptions {
  /** Origins that a redirect may lead to, besides the link's own. */
  readonly allowedOrigins: readonly string[];
}

export const HTTP_DEFAULTS: HttpOptions = { allowedOrigins: [] };

export class HttpPlace extends ReadOnlyPlace implements Authority {
  readonly #ranges: RangeClient;
  readonly #plain: StoreClient;
  readonly #redirects: Redirects;

  constructor(ranges: RangeClient, options: HttpOptions = HTTP_DEFAULTS) {
    super('a web server');
    this.#ranges = ranges;
    this.#plain = new StoreClient(ranges);
    this.#redirects = new Redirects((_, to) => options.allowedOrigins.includes(to.origin));
  }

  /** Asked for once there is neither a file of that name nor a manifest below it. */
  list(prefix: string): AsyncIterable<readonly ListedObject[]> {
    const link = prefix.replace(/\/+$/, '');
    throw new Mx8Error(
      'input_missing',
      `There is nothing to read at ${link}: no file of samples, no manifest and no ${link}/_mx8/manifest.tsv of a packed data set; what else is there a web server does not say. Link to one of these.`,
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

  async close(): Promise<void> {
    this.#plain.close();
  }

  rangeRequest(location: string): RangeRequest {
    const moved = this.#redirects.of(location);
    const url = moved?.to ?? parseHttpLocation(location);
    const request = { origin: originOf(url), target: `${url.pathname}${url.search}`, headers: [] };
    return moved === null ? request : { ...request, ticket: moved };
  }

  judge(location: string, head: ResponseHead, body: string, ticket?: Ticket): Verdict {
    if (isRedirect(head)) {
      const start = parseHttpLocation(location);
      return this.#redirects.follow(location, { start, ticket, head });
    }
    // The place that a redirect led to may be for some minutes only.
    if (head.status === 403 && this.#redirects.forget(location, ticket)) {
      return { type: 'again', why: 'where it was moved to it is not any more' };
    }
    return judgeStatus(location, head, /^[\x20-\x7e]{1,80}$/.exec(body.trim())?.[0] ?? '');
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
        const { origin, target, ticket } = this.rangeRequest(location);
        return { method, origin, target, headers, ...(ticket === undefined ? {} : { ticket }) };
      },
      accepts: isDone,
      judge: ({ head, body }, ticket) =>
        this.judge(location, head, body.toString('utf8', 0, 200), ticket),
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
