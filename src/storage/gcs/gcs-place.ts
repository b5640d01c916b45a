/** Objects of Google Cloud Storage, or of what speaks like it. */
import { Mx8Error } from '../../core/base/errors.ts';
import type {
  ListedObject,
  ListOptions,
  ObjectPlace,
  ObjectSpan,
  ObjectStat,
  PartUpload,
  WriteCondition,
} from '../../ports/place.ts';
import { copyThrough } from '../copy-through.ts';
import { unusable } from '../http/http-errors.ts';
import type { PatientAnswer } from '../http/patient.ts';
import type { PlainAnswer, PlainRequest } from '../http/plain-request.ts';
import type { RangeClient } from '../http/range-client.ts';
import { StorePlace } from '../http/store-place.ts';
import type { PageQuestion, StorePage } from '../http/store-place.ts';
import { conditionError, keyFault } from '../http/write-condition.ts';
import { forEachBounded } from '../local-output.ts';
import {
  OBJECT_FIELDS,
  parseNote,
  parseObject,
  parseObjectPage,
  parsePrefixes,
  parseRewrite,
} from './gcs-answers.ts';
import { parseGcsLocation } from './gcs-location.ts';
import type { GcsQuestion, GcsSession } from './gcs-session.ts';
import { GcsUpload, isPart, uploadOfPart } from './gcs-upload.ts';
import { conditionQuery, isConflict, isSuccess, objectBody } from './gcs-writes.ts';

/** What Google gives at most. */
const PAGE_OBJECTS = 1000;
const MARK = 'mx8-mark';
const ANY = { type: 'any' } as const;
const CREATE = { type: 'create' } as const;

interface Sent extends Partial<GcsQuestion> {
  readonly method?: PlainRequest['method'];
  readonly body?: Uint8Array;
  /** What errors name. */
  readonly about?: string;
}

export class GcsPlace extends StorePlace implements ObjectPlace {
  /** Google has no limit but 5 TiB; each part is an object that is to be removed. */
  readonly uploadPartsMax: number = 100_000;
  readonly #session: GcsSession;

  constructor(ranges: RangeClient, session: GcsSession) {
    super(ranges, session);
    this.#session = session;
  }

  /** Parts of objects in the making are none. */
  override async *list(
    prefix: string,
    options: ListOptions = {},
  ): AsyncGenerator<readonly ListedObject[], void> {
    for await (const page of super.list(prefix, options)) {
      const objects = page.filter(({ location }) => !isPart(location));
      if (objects.length > 0) yield objects;
    }
  }

  async stat(location: string, signal?: AbortSignal): Promise<ObjectStat> {
    const question = { query: { fields: OBJECT_FIELDS } };
    const { body } = await this.#send(location, question, isSuccess, signal);
    return statOf(location, body);
  }

  async write(
    location: string,
    bytes: Uint8Array,
    condition: WriteCondition,
    mark: string = '',
  ): Promise<ObjectStat> {
    const answer = await this.#insert(location, bytes, condition, mark);
    if (!isSuccess(answer)) return this.foundOwn(location, bytes, condition, answer);
    return statOf(location, answer.body);
  }

  upload(location: string, mark: string = ''): Promise<PartUpload> {
    const upload = new GcsUpload(location, mark === '' ? {} : { [MARK]: mark }, {
      random: this.ranges.surroundings.random,
      put: async (part, bytes) => void (await this.#insert(part, bytes, ANY, '', location)),
      remove: (part) => this.#remove(part, location),
      compose: (to, request, condition) => this.#compose(to, request, condition),
      noteOf: (name) => this.#noteOf(location, name),
      stat: () => this.stat(location),
    });
    return Promise.resolve(upload);
  }

  /** Of a whole object Google makes the copy, by and by; of a part of one it cannot. */
  async copy(from: ObjectSpan, to: string, mark: string): Promise<ObjectStat> {
    const { bytes } = await this.stat(from.location);
    if (from.start !== 0 || from.end !== bytes) return copyThrough(this, from, to, mark);
    const body = Buffer.from(JSON.stringify({ metadata: { [MARK]: mark } }));
    for (let token = ''; ;) {
      const query = {
        ...conditionQuery(CREATE),
        fields: `done,rewriteToken,resource(${OBJECT_FIELDS})`,
        ...(token === '' ? {} : { rewriteToken: token }),
      };
      const answer = await this.#send(
        from.location,
        {
          method: 'POST',
          at: { copyTo: to },
          access: 'write',
          query,
          headers: { 'content-type': 'application/json' },
          body,
        },
        (got) => isSuccess(got) || isConflict(got, CREATE),
      );
      if (!isSuccess(answer)) {
        if (answer.mayHaveLanded && (await this.markOf(to)) === mark) return this.stat(to);
        throw conditionError(to, CREATE);
      }
      const rewritten = parseRewrite(answer.body.toString('utf8'));
      if (rewritten === null) throw unusable(to, 'it does not say how far the copy has come');
      if ('done' in rewritten) return rewritten.done;
      token = rewritten.token;
    }
  }

  remove(location: string): Promise<void> {
    return this.#remove(location, location);
  }

  markOf(location: string): Promise<string | null> {
    return this.#noteOf(location, MARK);
  }

  nameFault(location: string): string | null {
    return keyFault(parseGcsLocation(location).object);
  }

  async abandonUploads(prefix: string): Promise<number> {
    const uploads = new Set<string>();
    for await (const page of this.pages(prefix, {})) {
      const parts = page.filter(({ location }) => isPart(location));
      for (const { location } of parts) uploads.add(uploadOfPart(location));
      await forEachBounded(parts, ({ location }) => this.remove(location));
    }
    return uploads.size;
  }

  override async close(): Promise<void> {
    await super.close();
    this.#session.close();
  }

  protected split(location: string): { readonly root: string; readonly key: string } {
    const { bucket, object } = parseGcsLocation(location);
    return { root: `gs://${bucket}/`, key: object };
  }

  protected async page(
    prefix: string,
    { keyPrefix, after, next, stopsAtSlashes }: PageQuestion,
    signal: AbortSignal | undefined,
  ): Promise<StorePage | string> {
    const query = {
      prefix: keyPrefix,
      maxResults: String(PAGE_OBJECTS),
      fields: `${stopsAtSlashes ? 'prefixes,' : ''}items(${OBJECT_FIELDS}),nextPageToken`,
      ...(stopsAtSlashes ? { delimiter: '/' } : {}),
      // The one that it begins with is passed over.
      ...(after === null ? {} : { startOffset: after }),
      ...(next === null ? {} : { pageToken: next }),
    };
    const { body } = await this.#send(prefix, { at: 'bucket', query }, isSuccess, signal);
    const text = body.toString('utf8');
    const page = parseObjectPage(text);
    if (typeof page === 'string') return page;
    return { ...page, prefixes: stopsAtSlashes ? parsePrefixes(text) : [] };
  }

  async #remove(location: string, about: string): Promise<void> {
    await this.#send(
      location,
      { method: 'DELETE', access: 'write', about },
      (answer) => isSuccess(answer) || isMissingObject(answer),
    );
  }

  /** `about` is what errors name: of a part the object that it is for. */
  #insert(
    location: string,
    bytes: Uint8Array,
    condition: WriteCondition,
    mark: string,
    about: string = location,
  ): Promise<PatientAnswer> {
    const { random } = this.ranges.surroundings;
    const { object } = parseGcsLocation(location);
    const metadata = mark === '' ? {} : { [MARK]: mark };
    const { query, headers, body } = objectBody(object, metadata, bytes, random);
    return this.#send(
      location,
      {
        method: 'POST',
        at: 'upload',
        access: 'write',
        query: { ...query, ...conditionQuery(condition), fields: OBJECT_FIELDS },
        headers,
        body,
        about,
      },
      (got) => isSuccess(got) || isConflict(got, condition),
    );
  }

  #compose(to: string, request: object, condition: WriteCondition): Promise<PatientAnswer> {
    return this.#send(
      to,
      {
        method: 'POST',
        at: 'compose',
        access: 'write',
        query: { ...conditionQuery(condition), fields: OBJECT_FIELDS },
        headers: { 'content-type': 'application/json' },
        body: Buffer.from(JSON.stringify(request)),
      },
      (got) => isSuccess(got) || isConflict(got, condition) || isMissingObject(got),
    );
  }

  /** Null: there is no such object. */
  async #noteOf(location: string, name: string): Promise<string | null> {
    try {
      const { body } = await this.#send(location, { query: { fields: 'metadata' } }, isSuccess);
      return parseNote(body.toString('utf8'), name);
    } catch (error) {
      if (error instanceof Mx8Error && error.code === 'object_missing') return null;
      throw error;
    }
  }

  #send(
    location: string,
    { method = 'GET', body, about = location, ...question }: Sent,
    accepts: (answer: PlainAnswer) => boolean,
    signal?: AbortSignal,
  ): Promise<PatientAnswer> {
    const make = async (): Promise<PlainRequest> => ({
      method,
      ...(await this.#session.request(location, question)),
      ...(body === undefined ? {} : { body }),
    });
    return this.send({ location: about, make, accepts, signal });
  }
}

function statOf(location: string, body: Buffer): ObjectStat {
  const stat = parseObject(body.toString('utf8'));
  if (stat === null) throw unusable(location, 'it does not say how long the object is');
  return stat;
}

/** The bucket is there, but not the object. */
function isMissingObject({ head, body }: PlainAnswer): boolean {
  return head.status === 404 && !/\bbucket does not exist/i.test(body.toString('utf8', 0, 16_384));
}
