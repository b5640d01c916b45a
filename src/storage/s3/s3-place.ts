/** Objects of S3 and services that speak like it. */
import { Mx8Error } from '../../core/base/errors.ts';
import { normalEtag } from '../../core/transfer/response-head.ts';
import type {
  ListedObject,
  ListOptions,
  ObjectRange,
  ObjectStat,
  ObjectPlace,
  PartUpload,
  WriteCondition,
} from '../../ports/place.ts';
import { lengthOf, unusable } from '../http/http-errors.ts';
import { levelOf, listTogether } from '../http/list-together.ts';
import type { Level } from '../http/list-together.ts';
import { listPages } from '../http/listing.ts';
import { sendPatiently } from '../http/patient.ts';
import type { PatientAnswer } from '../http/patient.ts';
import { PlainClient } from '../http/plain-request.ts';
import type { PlainAnswer } from '../http/plain-request.ts';
import type { RangeClient } from '../http/range-client.ts';
import { element, parseCommonPrefixes, parseListPage, parseUploads } from './s3-answers.ts';
import { conditionError, conditionHeaders, isConflict, isSuccess } from './s3-conditions.ts';
import type { UnfinishedUpload } from './s3-answers.ts';
import { parseS3Location } from './s3-location.ts';
import type { S3Request, S3Session } from './s3-session.ts';
import { S3Upload } from './s3-upload.ts';

/** What S3 gives at most. */
const PAGE_KEYS = 1000;
const MARK_HEADER = 'x-amz-meta-mx8-mark';

export class S3Place implements ObjectPlace {
  readonly #ranges: RangeClient;
  readonly #session: S3Session;
  readonly #plain: PlainClient = new PlainClient();

  /** The range client stays its owner's. */
  constructor(ranges: RangeClient, session: S3Session) {
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

  #pages(
    prefix: string,
    { after, signal }: ListOptions,
  ): AsyncGenerator<readonly ListedObject[], void> {
    const { bucket, key } = parseS3Location(prefix);
    const last = after === undefined ? null : parseS3Location(after).key;
    const start: Record<string, string> = last === null ? {} : { 'start-after': last };
    return listPages({
      prefix,
      keyPrefix: key,
      root: `s3://${bucket}/`,
      after: last,
      page: async (next) => {
        const query = {
          ...{ 'list-type': '2', 'max-keys': String(PAGE_KEYS), prefix: key },
          ...(next === null ? start : { 'continuation-token': next }),
        };
        const request = { method: 'GET', bucket, key: '', query } as const;
        const { body } = await this.#sendTo(prefix, request, isSuccess, signal);
        return parseListPage(body.toString('utf8'));
      },
    });
  }

  async stat(location: string, signal?: AbortSignal): Promise<ObjectStat> {
    const { head } = await this.#send(location, { method: 'HEAD' }, isSuccess, signal);
    return { bytes: lengthOf(location, head), etag: normalEtag(head.headers.get('etag')) };
  }

  readRange(location: string, range: ObjectRange, signal?: AbortSignal): Promise<ObjectStat> {
    return this.#ranges.read(location, range, this.#session, signal);
  }

  async write(
    location: string,
    bytes: Uint8Array,
    condition: WriteCondition,
    mark: string = '',
  ): Promise<ObjectStat> {
    const headers = { ...conditionHeaders(condition), ...markHeaders(mark) };
    const answer = await this.#send(
      location,
      { method: 'PUT', headers, body: bytes },
      (got) => isSuccess(got) || isConflict(got, condition),
    );
    if (isConflict(answer, condition)) {
      // The first try may be what the second one found.
      if (!answer.mayHaveLanded || !(await this.#holds(location, bytes))) {
        throw conditionError(location, condition);
      }
      return this.stat(location);
    }
    return { bytes: bytes.length, etag: normalEtag(answer.head.headers.get('etag')) };
  }

  async upload(location: string, mark: string = ''): Promise<PartUpload> {
    const answer = await this.#send(
      location,
      { method: 'POST', query: { uploads: '' }, headers: markHeaders(mark) },
      isSuccess,
    );
    const uploadId = element(answer.body.toString('utf8'), 'UploadId');
    if (uploadId === null) throw unusable(location, 'it began an upload without naming it');
    const send = (
      request: Omit<S3Request, 'bucket' | 'key'>,
      accepts: (answer: PlainAnswer) => boolean,
    ): Promise<PatientAnswer> => this.#send(location, request, accepts);
    return new S3Upload(location, uploadId, { send, stat: () => this.stat(location) });
  }

  async remove(location: string): Promise<void> {
    await this.#send(
      location,
      { method: 'DELETE' },
      (answer) => isSuccess(answer) || (answer.head.status === 404 && !noBucket(answer)),
    );
  }

  async markOf(location: string): Promise<string | null> {
    try {
      const { head } = await this.#send(location, { method: 'HEAD' }, isSuccess);
      return head.headers.get(MARK_HEADER) ?? '';
    } catch (error) {
      if (error instanceof Mx8Error && error.code === 'object_missing') return null;
      throw error;
    }
  }

  async abandonUploads(prefix: string): Promise<number> {
    const { bucket, key } = parseS3Location(prefix);
    const seen = new Set<string>();
    for (;;) {
      const uploads = (await this.#uploads(prefix)).filter(
        (upload) => upload.key.startsWith(key) && !seen.has(upload.uploadId),
      );
      // What was aborted is not listed again; what still is, is another's to end.
      if (uploads.length === 0) return seen.size;
      for (const upload of uploads) {
        seen.add(upload.uploadId);
        await this.#sendTo(
          `s3://${bucket}/${upload.key}`,
          { method: 'DELETE', bucket, key: upload.key, query: { uploadId: upload.uploadId } },
          (got) => isSuccess(got) || got.head.status === 404,
        );
      }
    }
  }

  async #uploads(prefix: string): Promise<readonly UnfinishedUpload[]> {
    const { bucket, key } = parseS3Location(prefix);
    const query = { uploads: '', prefix: key, 'max-uploads': String(PAGE_KEYS) };
    const request = { method: 'GET', bucket, key: '', query } as const;
    try {
      const answer = await this.#sendTo(prefix, request, isSuccess);
      return parseUploads(answer.body.toString('utf8'));
    } catch (error) {
      // Who may not list them, and a store that cannot, leave them to the bucket's own rules.
      const { code = null } = error instanceof Mx8Error ? error : {};
      if (code === 'object_denied' || code === 'object_answer_invalid') return [];
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#plain.close();
  }

  async #level(prefix: string, signal: AbortSignal | undefined): Promise<Level | null> {
    const { bucket, key } = parseS3Location(prefix);
    const query = {
      'list-type': '2',
      delimiter: '/',
      'max-keys': String(PAGE_KEYS),
      prefix: key,
    };
    const request = { method: 'GET', bucket, key: '', query } as const;
    const answer = await this.#sendTo(prefix, request, isSuccess, signal);
    const text = answer.body.toString('utf8');
    const page = parseListPage(text);
    if (typeof page === 'string') throw unusable(prefix, page);
    if (page.next !== null) return null;
    const level = levelOf(key, `s3://${bucket}/`, page.objects, parseCommonPrefixes(text));
    if (typeof level === 'string') throw unusable(prefix, level);
    return level;
  }

  /** Whether the object is exactly these bytes. */
  async #holds(location: string, bytes: Uint8Array): Promise<boolean> {
    const stat = await this.stat(location);
    if (stat.bytes !== bytes.length) return false;
    if (bytes.length === 0) return true;
    const there = new Uint8Array(bytes.length);
    await this.readRange(location, {
      start: 0,
      end: bytes.length,
      targets: [{ bytes: bytes.length, into: there }],
      pinnedTag: 0,
      pinnedBytes: bytes.length,
    });
    return Buffer.compare(there, bytes) === 0;
  }

  #send(
    location: string,
    request: Omit<S3Request, 'bucket' | 'key'>,
    accepts: (answer: PlainAnswer) => boolean,
    signal?: AbortSignal,
  ): Promise<PatientAnswer> {
    return this.#sendTo(location, { ...request, ...parseS3Location(location) }, accepts, signal);
  }

  #sendTo(
    location: string,
    request: S3Request,
    accepts: (answer: PlainAnswer) => boolean,
    signal?: AbortSignal,
  ): Promise<PatientAnswer> {
    return sendPatiently(this.#plain, this.#ranges.surroundings, {
      location,
      make: () => this.#session.request(request),
      accepts,
      judge: ({ head, body }, ticket) =>
        this.#session.judge(location, head, body.toString('utf8', 0, 16_384), ticket),
      signal,
    });
  }
}

function markHeaders(mark: string): Record<string, string> {
  return mark === '' ? {} : { [MARK_HEADER]: mark };
}

function noBucket({ body }: PlainAnswer): boolean {
  return body.includes('NoSuchBucket');
}
