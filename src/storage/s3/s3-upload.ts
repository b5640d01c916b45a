/** An object of S3 in parts. */
import { must } from '../../core/base/assert.ts';
import { normalEtag } from '../../core/transfer/response-head.ts';
import type { ObjectStat, PartUpload, WriteCondition } from '../../ports/place.ts';
import { unusable } from '../http/http-errors.ts';
import type { PatientAnswer } from '../http/patient.ts';
import type { PlainAnswer } from '../http/plain-request.ts';
import { conditionHeaders, conditionError } from '../http/write-condition.ts';
import { forEachBounded } from '../local-output.ts';
import { element, escapedXml } from './s3-answers.ts';
import { isConflict, isSuccess } from './s3-conditions.ts';
import { encodeKey, parseS3Location } from './s3-location.ts';
import type { S3Request } from './s3-session.ts';

/** S3 takes no smaller parts but for the last one. */
export const UPLOAD_PART_BYTES_MIN: number = 5 * 1024 ** 2;

/** A part that the store copies by itself: it takes up to 5 GiB, and several are copied at a time. */
const COPY_BYTES: number = 256 * 1024 ** 2;

export interface UploadPorts {
  readonly send: (
    request: Omit<S3Request, 'bucket' | 'key'>,
    accepts: (answer: PlainAnswer) => boolean,
  ) => Promise<PatientAnswer>;
  readonly stat: () => Promise<ObjectStat>;
}

interface Part {
  readonly etag: string;
  readonly bytes: number;
}

export class S3Upload implements PartUpload {
  readonly #location: string;
  readonly #uploadId: string;
  readonly #ports: UploadPorts;
  /** By index; parts may be sent in any order. */
  readonly #parts: (Part | undefined)[] = [];

  constructor(location: string, uploadId: string, ports: UploadPorts) {
    this.#location = location;
    this.#uploadId = uploadId;
    this.#ports = ports;
  }

  add(bytes: Uint8Array): Promise<void> {
    return this.put(this.#parts.length, bytes);
  }

  async put(index: number, bytes: Uint8Array): Promise<void> {
    const query = this.#query(index);
    const answer = await this.#ports.send({ method: 'PUT', query, body: bytes }, isSuccess);
    this.#took(index, answer.head.headers.get('etag') ?? null, bytes.length);
  }

  /** All parts: bytes [start, end) of another object, which do not pass through here. */
  async copy(from: string, start: number, end: number): Promise<void> {
    const starts = Array.from(
      { length: Math.ceil((end - start) / COPY_BYTES) },
      (_, index) => start + index * COPY_BYTES,
    );
    await forEachBounded([...starts.entries()], ([index, at]) =>
      this.#copyPart(index, from, at, Math.min(end, at + COPY_BYTES)),
    );
  }

  async #copyPart(index: number, from: string, start: number, end: number): Promise<void> {
    const { bucket, key } = parseS3Location(from);
    const headers = {
      'x-amz-copy-source': `/${bucket}/${encodeKey(key)}`,
      'x-amz-copy-source-range': `bytes=${start}-${end - 1}`,
    };
    const query = this.#query(index);
    const answer = await this.#ports.send({ method: 'PUT', query, headers }, isSuccess);
    this.#took(index, element(answer.body.toString('utf8'), 'ETag'), end - start);
  }

  forget(from: number): void {
    this.#parts.length = Math.min(this.#parts.length, from);
  }

  async complete(condition: WriteCondition): Promise<ObjectStat> {
    const parts = this.#known().map(
      ({ etag }, index) =>
        `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escapedXml(etag)}</ETag></Part>`,
    );
    const body = Buffer.from(
      `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`,
    );
    const answer = await this.#ports.send(
      {
        method: 'POST',
        query: { uploadId: this.#uploadId },
        headers: conditionHeaders(condition),
        body,
      },
      (got) => isSuccess(got) || isConflict(got, condition) || isUnknownUpload(got),
    );
    if (isSuccess(answer)) {
      const etag = normalEtag(element(answer.body.toString('utf8'), 'ETag') ?? '');
      return { bytes: this.#bytes(), etag };
    }
    if (!answer.mayHaveLanded) {
      await this.abort();
      throw isConflict(answer, condition)
        ? conditionError(this.#location, condition)
        : unusable(this.#location, 'it knows nothing of the upload that it was to complete');
    }
    return this.#landed(condition);
  }

  async abort(): Promise<void> {
    const query = { uploadId: this.#uploadId };
    await this.#ports.send(
      { method: 'DELETE', query },
      (answer) => isSuccess(answer) || answer.head.status === 404,
    );
  }

  /** An earlier try was carried out if the object is made of our parts: its ETag counts them. */
  async #landed(condition: WriteCondition): Promise<ObjectStat> {
    const stat = await this.#ports.stat();
    const last = must(/-(\d+)$/.exec(stat.etag) ?? ['', '0'], 'a match or its stand-in')[1];
    if (stat.bytes === this.#bytes() && Number(last) === this.#parts.length) return stat;
    throw conditionError(this.#location, condition);
  }

  #query(index: number): Record<string, string> {
    return { partNumber: String(index + 1), uploadId: this.#uploadId };
  }

  #took(index: number, etag: string | null, bytes: number): void {
    if (etag === null || etag === '')
      throw unusable(this.#location, 'it took a part without an ETag');
    this.#parts[index] = { etag, bytes };
  }

  #known(): readonly Part[] {
    return Array.from(this.#parts, (part) => must(part, 'every part was sent before the end'));
  }

  #bytes(): number {
    return this.#known().reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

function isUnknownUpload({ head, body }: PlainAnswer): boolean {
  return head.status === 404 && body.includes('NoSuchUpload');
}
