/** An object of S3 in parts. */
import { must } from '../../core/base/assert.ts';
import { normalEtag } from '../../core/transfer/response-head.ts';
import type { ObjectStat, ObjectUpload, WriteCondition } from '../../ports/place.ts';
import type { PatientAnswer } from '../http/patient.ts';
import type { PlainAnswer } from '../http/plain-request.ts';
import { element, escapedXml } from './s3-answers.ts';
import { conditionError, conditionHeaders, isConflict, isSuccess, lies } from './s3-conditions.ts';
import type { S3Request } from './s3-session.ts';

/** S3 takes no smaller parts but for the last one. */
export const UPLOAD_PART_BYTES_MIN: number = 5 * 1024 ** 2;

export interface UploadPorts {
  readonly send: (
    request: Omit<S3Request, 'bucket' | 'key'>,
    accepts: (answer: PlainAnswer) => boolean,
  ) => Promise<PatientAnswer>;
  readonly stat: () => Promise<ObjectStat>;
}

export class S3Upload implements ObjectUpload {
  readonly #location: string;
  readonly #uploadId: string;
  readonly #ports: UploadPorts;
  readonly #etags: string[] = [];
  #bytes: number = 0;

  constructor(location: string, uploadId: string, ports: UploadPorts) {
    this.#location = location;
    this.#uploadId = uploadId;
    this.#ports = ports;
  }

  async add(bytes: Uint8Array): Promise<void> {
    const partNumber = String(this.#etags.length + 1);
    const query = { partNumber, uploadId: this.#uploadId };
    const answer = await this.#ports.send({ method: 'PUT', query, body: bytes }, isSuccess);
    const etag = answer.head.headers.get('etag');
    if (etag === undefined) throw lies(this.#location, 'it took a part without an ETag');
    this.#etags.push(etag);
    this.#bytes += bytes.length;
  }

  async complete(condition: WriteCondition): Promise<ObjectStat> {
    const parts = this.#etags.map(
      (etag, index) =>
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
      return { bytes: this.#bytes, etag };
    }
    if (!answer.mayHaveLanded) {
      await this.abort();
      throw isConflict(answer, condition)
        ? conditionError(this.#location, condition)
        : lies(this.#location, 'it knows nothing of the upload that it was to complete');
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
    if (stat.bytes === this.#bytes && Number(last) === this.#etags.length) return stat;
    throw conditionError(this.#location, condition);
  }
}

function isUnknownUpload({ head, body }: PlainAnswer): boolean {
  return head.status === 404 && body.includes('NoSuchUpload');
}
