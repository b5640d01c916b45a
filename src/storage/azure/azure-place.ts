/** Blobs of an account of Azure, or of what speaks like it. */
import { Mx8Error } from '../../core/base/errors.ts';
import { normalEtag } from '../../core/transfer/response-head.ts';
import type {
  ObjectPlace,
  ObjectSpan,
  ObjectStat,
  PartUpload,
  WriteCondition,
} from '../../ports/place.ts';
import { lengthOf } from '../http/http-errors.ts';
import type { PatientAnswer } from '../http/patient.ts';
import type { PlainAnswer, PlainRequest } from '../http/plain-request.ts';
import type { RangeClient } from '../http/range-client.ts';
import { StorePlace } from '../http/store-place.ts';
import type { PageQuestion, StorePage } from '../http/store-place.ts';
import { conditionHeaders, keyFault } from '../http/write-condition.ts';
import { parseBlobPage, parseBlobPrefixes } from './azure-answers.ts';
import { isConflict, isMissingBlob, isSuccess } from './azure-conditions.ts';
import { parseAzureLocation } from './azure-location.ts';
import type { AzureQuestion, AzureSession } from './azure-session.ts';
import { AzureUpload, MARK_HEADER, markHeaders } from './azure-upload.ts';

/** What Azure gives at most. */
const PAGE_BLOBS = 5000;
const LISTING = { restype: 'container', comp: 'list', maxresults: String(PAGE_BLOBS) };

interface Sent extends Partial<AzureQuestion> {
  readonly method: PlainRequest['method'];
  readonly body?: Uint8Array;
}

export class AzurePlace extends StorePlace implements ObjectPlace {
  /** What Azure takes of blocks. */
  readonly uploadPartsMax: number = 50_000;
  readonly #session: AzureSession;

  constructor(ranges: RangeClient, session: AzureSession) {
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
    const headers = {
      'x-ms-blob-type': 'BlockBlob',
      ...conditionHeaders(condition),
      ...markHeaders(mark),
    };
    const answer = await this.#send(
      location,
      { method: 'PUT', headers, body: bytes, access: 'write' },
      (got) => isSuccess(got) || isConflict(got, condition),
    );
    if (!isSuccess(answer)) {
      const isBlocked = condition.type === 'create' && (await this.#headOf(location)) === null;
      if (isBlocked) return this.#createFromBlock(location, bytes, mark);
      return this.foundOwn(location, bytes, condition, answer);
    }
    return { bytes: bytes.length, etag: normalEtag(answer.head.headers.get('etag')) };
  }

  upload(location: string, mark: string = ''): Promise<PartUpload> {
    return Promise.resolve(this.#begin(location, mark));
  }

  async copy(from: ObjectSpan, to: string, mark: string): Promise<ObjectStat> {
    const upload = this.#begin(to, mark);
    await upload.copy(from, () => this.#session.sourceUrl(from.location));
    return upload.complete({ type: 'create' });
  }

  async remove(location: string): Promise<void> {
    await this.#send(
      location,
      { method: 'DELETE', access: 'write' },
      (answer) => isSuccess(answer) || isMissingBlob(answer),
    );
  }

  async markOf(location: string): Promise<string | null> {
    const head = await this.#headOf(location);
    return head === null ? null : (head.headers.get(MARK_HEADER) ?? '');
  }

  /** A name that ends in a dot, or has a part that does, is another one for Azure's own tools. */
  nameFault(location: string): string | null {
    const { blob } = parseAzureLocation(location);
    if (blob.split('/').some((part) => part.endsWith('.'))) {
      return 'it has a component that ends in a dot, which Azure leaves out';
    }
    return keyFault(blob);
  }

  /** Azure does that by itself: blocks that belong to no blob are gone after a week, and there is no list of them. */
  abandonUploads(): Promise<number> {
    return Promise.resolve(0);
  }

  protected split(location: string): { readonly root: string; readonly key: string } {
    const { container, blob } = parseAzureLocation(location);
    return { root: `az://${container}/`, key: blob };
  }

  /** Azure has no way to begin a listing after a name: what comes before it is passed over. */
  protected async page(
    prefix: string,
    { keyPrefix, next, stopsAtSlashes }: PageQuestion,
    signal: AbortSignal | undefined,
  ): Promise<StorePage | string> {
    const query = {
      ...LISTING,
      prefix: keyPrefix,
      ...(stopsAtSlashes ? { delimiter: '/' } : {}),
      ...(next === null ? {} : { marker: next }),
    };
    const question = { method: 'GET', query, isOfContainer: true } as const;
    const { body } = await this.#send(prefix, question, isSuccess, signal);
    const text = body.toString('utf8');
    const page = parseBlobPage(text);
    if (typeof page === 'string') return page;
    return { ...page, prefixes: stopsAtSlashes ? parseBlobPrefixes(text) : [] };
  }

  /**
   * Where a killed upload left blocks, and where another blob is on its way, there is no blob yet, but creating one in
   * a single request is refused. By a list of blocks it is not.
   */
  async #createFromBlock(location: string, bytes: Uint8Array, mark: string): Promise<ObjectStat> {
    const upload = this.#begin(location, mark);
    if (bytes.length > 0) await upload.add(bytes);
    return upload.complete({ type: 'create' });
  }

  #begin(location: string, mark: string): AzureUpload {
    return new AzureUpload(location, mark, {
      random: this.ranges.surroundings.random,
      send: (question, accepts) =>
        this.#send(location, { method: 'PUT', access: 'write', ...question }, accepts),
      headOf: () => this.#headOf(location),
    });
  }

  /** Null: there is no such blob. */
  async #headOf(location: string): Promise<PlainAnswer['head'] | null> {
    try {
      return (await this.#send(location, { method: 'HEAD' }, isSuccess)).head;
    } catch (error) {
      if (error instanceof Mx8Error && error.code === 'object_missing') return null;
      throw error;
    }
  }

  #send(
    location: string,
    { method, body, ...question }: Sent,
    accepts: (answer: PlainAnswer) => boolean,
    signal?: AbortSignal,
  ): Promise<PatientAnswer> {
    const make = async (): Promise<PlainRequest> => ({
      method,
      ...this.#session.request(location, question),
      ...(method === 'PUT' ? { body: body ?? new Uint8Array(0) } : {}),
    });
    return this.send({ location, make, accepts, signal });
  }
}
