/**
 * Data sets of the Hugging Face Hub: read only. A branch is pinned to the commit that it names when a data set is
 * resolved, so that the files of a manifest never become others. Small files come from the Hub, large ones
 * from where it redirects to, which never sees the token; what names the bytes is what the Hub says
 * (`X-Linked-Etag`), not what the server behind it does.
 */
import { Mx8Error } from '../../core/base/errors.ts';
import { normalEtag } from '../../core/transfer/response-head.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { ListedObject, ListOptions, ObjectRange, ObjectStat } from '../../ports/place.ts';
import type { Variables } from '../../ports/variables.ts';
import type { Authority, RangeRequest, Ticket, Verdict } from '../http/authority.ts';
import type { HttpOptions } from '../http/http-place.ts';
import { unusable } from '../http/http-errors.ts';
import { originOf } from '../http/origin.ts';
import { sendPatiently } from '../http/patient.ts';
import type { PlainAnswer } from '../http/plain-request.ts';
import type { RangeClient } from '../http/range-client.ts';
import { Redirects, isRedirect } from '../http/redirects.ts';
import { StoreClient } from '../http/store-client.ts';
import { ReadOnlyPlace } from '../read-only-place.ts';
import { encodeKey } from '../s3/s3-location.ts';
import { judgeHub } from './hf-errors.ts';
import { hfLocation, isCommit, parseHfLocation } from './hf-location.ts';
import type { HfLocation } from './hf-location.ts';
import { hfSettings, isHubStorage } from './hf-settings.ts';
import type { HfSettings } from './hf-settings.ts';
import { nextLink, parseCommit, parseTreePage } from './hf-tree.ts';
import type { TreeEntry } from './hf-tree.ts';
import { walkHub } from './hf-walk.ts';
import type { WalkLimits } from './hf-walk.ts';

/** What the Hub gives at most. */
const PAGE_FILES = 1000;
/**
 * The Hub advises to have fewer than 100,000 files in a repository and 10,000 in a folder. So many take some 30 MB
 * while they are sorted; a folder may have ten times as many.
 */
const WALK_LIMITS: WalkLimits = { subtreeFilesMax: 100_000, folderEntriesMax: 1_000_000 };

export class HfPlace extends ReadOnlyPlace implements Authority {
  readonly #ranges: RangeClient;
  readonly #variables: Variables;
  readonly #limits: WalkLimits;
  readonly #plain: StoreClient;
  readonly #redirects: Redirects;
  #settings: Promise<HfSettings> | null = null;
  #endpoint: URL | null = null;

  constructor(
    ranges: RangeClient,
    options: HttpOptions,
    variables: Variables,
    limits: WalkLimits = WALK_LIMITS,
  ) {
    super('the Hugging Face Hub');
    this.#limits = limits;
    this.#ranges = ranges;
    this.#plain = new StoreClient(ranges);
    this.#variables = variables;
    this.#redirects = new Redirects((_, to) => {
      const isStorage = this.#endpoint !== null && isHubStorage(this.#endpoint, to);
      return isStorage || options.allowedOrigins.includes(to.origin);
    });
  }

  /** The same with the commit that its revision names now. */
  async pin(location: string, signal?: AbortSignal): Promise<string> {
    const at = parseHfLocation(location);
    if (isCommit(at.revision)) return location;
    const url = `api/datasets/${at.repository}/revision/${encodeURIComponent(at.revision ?? 'main')}`;
    const { body } = await this.#ask(location, 'GET', await this.#url(url), signal);
    const commit = parseCommit(body.toString('utf8'));
    if (commit === null) throw unusable(location, 'it names no commit');
    return hfLocation({ ...at, revision: commit });
  }

  async *list(
    prefix: string,
    { after, signal }: ListOptions = {},
  ): AsyncGenerator<readonly ListedObject[]> {
    const at = parseHfLocation(prefix);
    // The pages are of one commit, whatever is added meanwhile.
    const pinned = parseHfLocation(await this.pin(prefix, signal));
    const root = at.path === '' ? prefix.replace(/\/?$/, '/') : prefix.slice(0, -at.path.length);
    const walk = walkHub({
      pages: (folder, isDeep) => this.#tree(prefix, { ...pinned, path: folder }, isDeep, signal),
      prefix: at.path,
      after: after === undefined ? null : parseHfLocation(after).path,
      limits: this.#limits,
      tooMany: (folder) => tooMany(prefix, folder, this.#limits.folderEntriesMax),
    });
    for await (const files of walk) {
      for (let start = 0; start < files.length; start += PAGE_FILES) {
        yield files.slice(start, start + PAGE_FILES).map(({ path, bytes, etag }) => ({
          location: `${root}${path}`,
          bytes,
          etag,
        }));
      }
    }
  }

  async stat(location: string, signal?: AbortSignal): Promise<ObjectStat> {
    const start = await this.#fileUrl(location);
    const { head } = await this.#ask(location, 'HEAD', start, signal);
    const linked = head.headers.get('x-linked-size');
    const bytes = linked ?? head.headers.get('content-length');
    if (bytes === undefined || !/^\d{1,15}$/.test(bytes)) {
      throw unusable(location, 'it does not say how long the file is');
    }
    const etag = head.headers.get('x-linked-etag') ?? head.headers.get('etag');
    return { bytes: Number(bytes), etag: normalEtag(etag) };
  }

  readRange(location: string, range: ObjectRange, signal?: AbortSignal): Promise<ObjectStat> {
    return this.#ranges.read(location, range, this, signal);
  }

  async close(): Promise<void> {
    this.#plain.close();
  }

  async rangeRequest(location: string): Promise<RangeRequest> {
    const start = await this.#fileUrl(location);
    const moved = this.#redirects.of(location);
    const request = await this.#request(moved?.to ?? start);
    return moved === null ? request : { ...request, ticket: moved };
  }

  etagOf(location: string, { headers }: ResponseHead): string {
    const moved = this.#redirects.of(location);
    if (moved === null || moved.to.origin === this.#endpoint?.origin) {
      return normalEtag(headers.get('etag'));
    }
    return moved.etag;
  }

  async judge(
    location: string,
    head: ResponseHead,
    body: string,
    ticket?: Ticket,
  ): Promise<Verdict> {
    const { token } = await this.#known();
    if (isRedirect(head)) {
      const start = await this.#fileUrl(location);
      const etag = normalEtag(head.headers.get('x-linked-etag'));
      return this.#redirects.follow(location, { start, ticket, head, etag });
    }
    // The signature of the address that the Hub gave has expired.
    if (head.status === 403 && this.#redirects.forget(location, ticket)) {
      return { type: 'again', why: 'where it was moved to it is not any more' };
    }
    return judgeHub(location, head, body, token !== null);
  }

  /** What is in the folder, or with `isDeep` below it. */
  async *#tree(
    prefix: string,
    { repository, revision, path: folder }: HfLocation,
    isDeep: boolean,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<readonly TreeEntry[]> {
    const below = folder === '' ? '' : `/${encodeKey(folder)}`;
    const api = `api/datasets/${repository}/tree/${revision ?? ''}${below}`;
    let url = await this.#url(`${api}?recursive=${isDeep}&expand=false&limit=${PAGE_FILES}`);
    for (;;) {
      const { head, body } = await this.#ask(prefix, 'GET', url, signal, isNoFolder);
      if (head.status === 404) return;
      const page = parseTreePage(body.toString('utf8'));
      if (typeof page === 'string') throw unusable(prefix, page);
      yield page;
      const next = nextLink(head.headers.get('link'));
      if (next === null) return;
      if (!URL.canParse(next, url.href)) throw unusable(prefix, 'its next page has no address');
      const to = new URL(next, url.href);
      const isSame = to.href === url.href;
      if (isSame) throw unusable(prefix, 'it names the same next page again and again');
      if (to.origin !== url.origin) throw unusable(prefix, `its next page is at ${to.origin}`);
      url = to;
    }
  }

  #ask(
    location: string,
    method: 'GET' | 'HEAD',
    url: URL,
    signal: AbortSignal | undefined,
    accepts: (answer: PlainAnswer) => boolean = () => false,
  ): Promise<PlainAnswer> {
    // By location and method, as a file is not where its folder is.
    const key = `${method} ${url.href}`;
    return sendPatiently(this.#plain, this.#ranges.surroundings, {
      location,
      make: async () => {
        const moved = this.#redirects.of(key);
        const request = await this.#request(moved?.to ?? url);
        return { method, ...request, ...(moved === null ? {} : { ticket: moved }) };
      },
      accepts: (answer) =>
        answer.head.status < 300 || answer.head.headers.has('x-linked-size') || accepts(answer),
      judge: async ({ head, body }, ticket) => {
        if (isRedirect(head)) return this.#redirects.follow(key, { start: url, ticket, head });
        const { token } = await this.#known();
        return judgeHub(location, head, body.toString('utf8', 0, 500), token !== null);
      },
      signal,
    });
  }

  async #request(url: URL): Promise<Omit<RangeRequest, 'ticket'>> {
    const { endpoint, token } = await this.#known();
    const isHub = url.origin === endpoint.origin;
    const headers: [string, string][] = [['user-agent', 'mx8']];
    if (isHub && token !== null) headers.push(['authorization', `Bearer ${token}`]);
    return { origin: originOf(url), target: `${url.pathname}${url.search}`, headers };
  }

  #fileUrl(location: string): Promise<URL> {
    const { repository, revision, path } = parseHfLocation(location);
    const at = encodeURIComponent(revision ?? 'main');
    return this.#url(`datasets/${repository}/resolve/${at}/${encodeKey(path)}`);
  }

  async #url(target: string): Promise<URL> {
    const { endpoint } = await this.#known();
    return new URL(`${endpoint.origin}${endpoint.pathname.replace(/\/$/, '')}/${target}`);
  }

  async #known(): Promise<HfSettings> {
    this.#settings ??= hfSettings(this.#variables);
    const settings = await this.#settings;
    this.#endpoint = settings.endpoint;
    return settings;
  }
}

function isNoFolder({ head }: PlainAnswer): boolean {
  return head.status === 404 && head.headers.get('x-error-code') === 'EntryNotFound';
}

function tooMany(prefix: string, folder: string, entriesMax: number): Mx8Error {
  return new Mx8Error(
    'scheme_unsupported',
    `The folder ${folder === '' ? 'at the root' : JSON.stringify(folder)} of ${prefix} has more than ${entriesMax} files and folders, more than are sorted at once. Put the files into folders, or pack them into shards.`,
    { location: prefix },
  );
}
