/** Objects of Google Cloud Storage, or of what speaks like it: read only. */
import type { ListedObject, ListOptions, ObjectRange, ObjectStat } from '../../ports/place.ts';
import { unusable } from '../http/http-errors.ts';
import { levelOf, listTogether } from '../http/list-together.ts';
import type { Level } from '../http/list-together.ts';
import { listPages } from '../http/listing.ts';
import { sendPatiently } from '../http/patient.ts';
import { PlainClient } from '../http/plain-request.ts';
import type { PlainAnswer } from '../http/plain-request.ts';
import type { RangeClient } from '../http/range-client.ts';
import { ReadOnlyPlace } from '../read-only-place.ts';
import { OBJECT_FIELDS, parseObject, parseObjectPage, parsePrefixes } from './gcs-answers.ts';
import { parseGcsLocation } from './gcs-location.ts';
import type { GcsSession } from './gcs-session.ts';

/** What Google gives at most. */
const PAGE_OBJECTS = 1000;

export class GcsPlace extends ReadOnlyPlace {
  readonly #ranges: RangeClient;
  readonly #session: GcsSession;
  readonly #plain: PlainClient = new PlainClient();

  /** The range client stays its owner's. */
  constructor(ranges: RangeClient, session: GcsSession) {
    super('Google Cloud Storage');
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
    const { body } = await this.#send(location, { fields: OBJECT_FIELDS }, false, signal);
    const stat = parseObject(body.toString('utf8'));
    if (stat === null) throw unusable(location, 'it does not say how long the object is');
    return stat;
  }

  readRange(location: string, range: ObjectRange, signal?: AbortSignal): Promise<ObjectStat> {
    return this.#ranges.read(location, range, this.#session, signal);
  }

  async close(): Promise<void> {
    this.#plain.close();
    this.#session.close();
  }

  #pages(
    prefix: string,
    { after, signal }: ListOptions,
  ): AsyncGenerator<readonly ListedObject[], void> {
    const { bucket, object } = parseGcsLocation(prefix);
    const last = after === undefined ? null : parseGcsLocation(after).object;
    const common = {
      prefix: object,
      maxResults: String(PAGE_OBJECTS),
      fields: `items(${OBJECT_FIELDS}),nextPageToken`,
      // The one that it begins with is passed over.
      ...(last === null ? {} : { startOffset: last }),
    };
    return listPages({
      prefix,
      keyPrefix: object,
      root: `gs://${bucket}/`,
      after: last,
      page: async (next) => {
        const query = { ...common, ...(next === null ? {} : { pageToken: next }) };
        const { body } = await this.#send(prefix, query, true, signal);
        return parseObjectPage(body.toString('utf8'));
      },
    });
  }

  async #level(prefix: string, signal: AbortSignal | undefined): Promise<Level | null> {
    const { bucket, object } = parseGcsLocation(prefix);
    const query = {
      prefix: object,
      delimiter: '/',
      maxResults: String(PAGE_OBJECTS),
      fields: `prefixes,items(${OBJECT_FIELDS}),nextPageToken`,
    };
    const { body } = await this.#send(prefix, query, true, signal);
    const text = body.toString('utf8');
    const page = parseObjectPage(text);
    if (typeof page === 'string') throw unusable(prefix, page);
    if (page.next !== null) return null;
    const level = levelOf(object, `gs://${bucket}/`, page.objects, parsePrefixes(text));
    if (typeof level === 'string') throw unusable(prefix, level);
    return level;
  }

  #send(
    location: string,
    query: Readonly<Record<string, string>>,
    isListing: boolean,
    signal: AbortSignal | undefined,
  ): Promise<PlainAnswer> {
    return sendPatiently(this.#plain, this.#ranges.surroundings, {
      location,
      make: async () => {
        const request = await this.#session.request(location, query, isListing);
        return { method: 'GET', ...request };
      },
      accepts: ({ head }) => head.status === 200,
      judge: ({ head, body }, ticket) =>
        this.#session.judge(location, head, body.toString('utf8', 0, 16_384), ticket),
      signal,
    });
  }
}
