/** Blobs of an account of Azure, or of what speaks like it: read only. */
import { normalEtag } from '../../core/transfer/response-head.ts';
import type { ListedObject, ListOptions, ObjectRange, ObjectStat } from '../../ports/place.ts';
import { lengthOf, unusable } from '../http/http-errors.ts';
import { levelOf, listTogether } from '../http/list-together.ts';
import type { Level } from '../http/list-together.ts';
import { listPages } from '../http/listing.ts';
import { sendPatiently } from '../http/patient.ts';
import { PlainClient } from '../http/plain-request.ts';
import type { PlainAnswer } from '../http/plain-request.ts';
import type { RangeClient } from '../http/range-client.ts';
import { ReadOnlyPlace } from '../read-only-place.ts';
import { parseBlobPage, parseBlobPrefixes } from './azure-answers.ts';
import { parseAzureLocation } from './azure-location.ts';
import type { AzureSession } from './azure-session.ts';

/** What Azure gives at most. */
const PAGE_BLOBS = 5000;
const LISTING = { restype: 'container', comp: 'list', maxresults: String(PAGE_BLOBS) };

export class AzurePlace extends ReadOnlyPlace {
  readonly #ranges: RangeClient;
  readonly #session: AzureSession;
  readonly #plain: PlainClient = new PlainClient();

  /** The range client stays its owner's. */
  constructor(ranges: RangeClient, session: AzureSession) {
    super('Azure');
    this.#ranges = ranges;
    this.#session = session;
  }

  list(prefix: string, options: ListOptions = {}): AsyncGenerator<readonly ListedObject[], void> {
    return listTogether({
      prefix,
      options,
      list: (at, chosen) => this.#pages(at, chosen),
      level: (at, signal) => this.#level(at, signal),
    });
  }

  async stat(location: string, signal?: AbortSignal): Promise<ObjectStat> {
    const { head } = await this.#send(location, 'HEAD', {}, signal);
    return { bytes: lengthOf(location, head), etag: normalEtag(head.headers.get('etag')) };
  }

  readRange(location: string, range: ObjectRange, signal?: AbortSignal): Promise<ObjectStat> {
    return this.#ranges.read(location, range, this.#session, signal);
  }

  async close(): Promise<void> {
    this.#plain.close();
  }

  #pages(
    prefix: string,
    { after, signal }: ListOptions,
  ): AsyncGenerator<readonly ListedObject[], void> {
    const { container, blob } = parseAzureLocation(prefix);
    return listPages({
      prefix,
      keyPrefix: blob,
      root: `az://${container}/`,
      // Azure has no way to begin a listing after a name: what comes before it is passed over.
      after: after === undefined ? null : parseAzureLocation(after).blob,
      page: async (next) => {
        const query = { ...LISTING, prefix: blob, ...(next === null ? {} : { marker: next }) };
        const { body } = await this.#send(prefix, 'GET', query, signal);
        return parseBlobPage(body.toString('utf8'));
      },
    });
  }

  async #level(prefix: string, signal: AbortSignal | undefined): Promise<Level | null> {
    const { container, blob } = parseAzureLocation(prefix);
    const query = { ...LISTING, delimiter: '/', prefix: blob };
    const { body } = await this.#send(prefix, 'GET', query, signal);
    const text = body.toString('utf8');
    const page = parseBlobPage(text);
    if (typeof page === 'string') throw unusable(prefix, page);
    if (page.next !== null) return null;
    const level = levelOf(blob, `az://${container}/`, page.objects, parseBlobPrefixes(text));
    if (typeof level === 'string') throw unusable(prefix, level);
    return level;
  }

  #send(
    location: string,
    method: 'GET' | 'HEAD',
    query: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<PlainAnswer> {
    return sendPatiently(this.#plain, this.#ranges.surroundings, {
      location,
      make: async () => ({ method, ...this.#session.request(location, query) }),
      accepts: ({ head }) => head.status >= 200 && head.status < 300,
      judge: ({ head, body }) =>
        this.#session.judge(location, head, body.toString('utf8', 0, 16_384)),
      signal,
    });
  }
}
