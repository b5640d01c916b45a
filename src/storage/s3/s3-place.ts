/** Objects of S3 and services that speak like it. */
import { Mx8Error } from '../../core/base/errors.ts';
import { normalEtag } from '../../core/transfer/response-head.ts';
import type {
  ObjectPlace,
  ObjectSpan,
  ObjectStat,
  PartUpload,
  WriteCondition,
} from '../../ports/place.ts';
import { lengthOf, unusable } from '../http/http-errors.ts';
import type { PatientAnswer } from '../http/patient.ts';
import type { PlainAnswer } from '../http/plain-request.ts';
import type { RangeClient } from '../http/range-client.ts';
import { StorePlace } from '../http/store-place.ts';
import type { PageQuestion, StorePage } from '../http/store-place.ts';
import { conditionHeaders, keyFault } from '../http/write-condition.ts';
import { element, parseCommonPrefixes, parseListPage, parseUploads } from './s3-answers.ts';
import { isConflict, isSuccess } from './s3-conditions.ts';
import type { UnfinishedUpload } from './s3-answers.ts';
import { parseS3Location } from './s3-location.ts';
import type { S3Request, S3Session } from './s3-session.ts';
import { S3Upload } from './s3-upload.ts';

/** What S3 gives at most. */
const PAGE_KEYS = 1000;
const MARK_HEADER = 'x-amz-meta-mx8-mark';

export class S3Place extends StorePlace implements ObjectPlace {
  /** What S3 takes. */
  readonly uploadPartsMax: number = 10_000;
  readonly #session: S3Session;

  constructor(ranges: RangeClient, session: S3Session) {
    super(ranges, session);
    this.#session = session;
  }

  async stat(location: string, signal?: AbortSignal): Promise<ObjectStat> {
    const { head } = await this.#send(location, { method: 'HEAD' }, isSuccess, signal);
    return { bytes: lengthOf(location, head), etag: normalEtag(head.headers.get('etag')) };
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
    if (isConflict(answer, condition)) return this.foundOwn(location, bytes, condition, answer);
    return { bytes: bytes.length, etag: normalEtag(answer.head.headers.get('etag')) };
  }

  upload(location: string, mark: string = ''): Promise<PartUpload> {
    return this.#begin(location, mark);
  }

  async copy({ location, start, end }: ObjectSpan, to: string, mark: string): Promise<ObjectStat> {
    const upload = await this.#begin(to, mark);
    try {
      await upload.copy(location, start, end);
    } catch (error) {
      await upload.abort();
      throw error;
    }
    return upload.complete({ type: 'create' });
  }

  async #begin(location: string, mark: string): Promise<S3Upload> {
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

  nameFault(location: string): string | null {
    return keyFault(parseS3Location(location).key);
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

  protected split(location: string): { readonly root: string; readonly key: string } {
    const { bucket, key } = parseS3Location(location);
    return { root: `s3://${bucket}/`, key };
  }

  protected async page(
    prefix: string,
    { keyPrefix, after, next, stopsAtSlashes }: PageQuestion,
    signal: AbortSignal | undefined,
  ): Promise<StorePage | string> {
    const { bucket } = parseS3Location(prefix);
    const start: Record<string, string> = after === null ? {} : { 'start-after': after };
    const query = {
      ...{ 'list-type': '2', 'max-keys': String(PAGE_KEYS), prefix: keyPrefix },
      ...(stopsAtSlashes ? { delimiter: '/' } : {}),
      ...(next === null ? start : { 'continuation-token': next }),
    };
    const request = { method: 'GET', bucket, key: '', query } as const;
    const { body } = await this.#sendTo(prefix, request, isSuccess, signal);
    const text = body.toString('utf8');
    const page = parseListPage(text);
    if (typeof page === 'string') return page;
    return { ...page, prefixes: stopsAtSlashes ? parseCommonPrefixes(text) : [] };
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
    const make = (): ReturnType<S3Session['request']> => this.#session.request(request);
    return this.send({ location, make, accepts, signal });
  }
}

function markHeaders(mark: string): Record<string, string> {
  return mark === '' ? {} : { [MARK_HEADER]: mark };
}

function noBucket({ body }: PlainAnswer): boolean {
  return body.includes('NoSuchBucket');
}
