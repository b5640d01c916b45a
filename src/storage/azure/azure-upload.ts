/**
 * A blob of Azure in blocks. Blocks that wait for their list are of the name, whoever sent them: each upload has names of
 * its own for its blocks, of one length, and a note at the blob that says which upload made it. Nothing has to be
 * aborted: blocks that no list has named are gone after a week.
 */
import { must } from '../../core/base/assert.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import { normalEtag } from '../../core/transfer/response-head.ts';
import type { ObjectSpan, ObjectStat, PartUpload, WriteCondition } from '../../ports/place.ts';
import type { Random } from '../../ports/random.ts';
import { lengthOf, unusable } from '../http/http-errors.ts';
import type { PatientAnswer } from '../http/patient.ts';
import type { PlainAnswer } from '../http/plain-request.ts';
import { conditionHeaders, conditionError } from '../http/write-condition.ts';
import { forEachBounded } from '../local-output.ts';
import { isConflict, isMissingBlock, isSuccess } from './azure-conditions.ts';
import type { AzureQuestion } from './azure-session.ts';

export const MARK_HEADER = 'x-ms-meta-mx8_mark';
const UPLOAD_HEADER = 'x-ms-meta-mx8_upload';
/** A block that the store copies by itself: it takes up to 4000 MiB, and several are copied at a time. */
const COPY_BYTES: number = 256 * 1024 ** 2;

export function markHeaders(mark: string): Record<string, string> {
  return mark === '' ? {} : { [MARK_HEADER]: mark };
}

export interface AzureUploadPorts {
  readonly random: Random;
  readonly send: (
    question: Partial<AzureQuestion> & { readonly body?: Uint8Array },
    accepts: (answer: PlainAnswer) => boolean,
  ) => Promise<PatientAnswer>;
  /** Null: there is no such blob. */
  readonly headOf: () => Promise<ResponseHead | null>;
}

interface Block {
  readonly id: string;
  readonly bytes: number;
}

export class AzureUpload implements PartUpload {
  readonly #location: string;
  readonly #mark: string;
  readonly #ports: AzureUploadPorts;
  readonly #name: string;
  /** By index; they may be sent in any order. */
  readonly #blocks: (Block | undefined)[] = [];
  #sent = 0;

  constructor(location: string, mark: string, ports: AzureUploadPorts) {
    this.#location = location;
    this.#mark = mark;
    this.#ports = ports;
    this.#name = Buffer.from(ports.random.bytes(16)).toString('hex');
  }

  add(bytes: Uint8Array): Promise<void> {
    return this.put(this.#blocks.length, bytes);
  }

  async put(index: number, bytes: Uint8Array): Promise<void> {
    const id = this.#newId();
    await this.#ports.send({ query: { comp: 'block', blockid: id }, body: bytes }, isSuccess);
    this.#blocks[index] = { id, bytes: bytes.length };
  }

  /** All blocks: of another blob, by the store itself. `sourceUrl` is asked anew, as signatures end. */
  async copy({ start, end }: ObjectSpan, sourceUrl: () => string): Promise<void> {
    const starts = Array.from(
      { length: Math.ceil((end - start) / COPY_BYTES) },
      (_, index) => start + index * COPY_BYTES,
    );
    await forEachBounded([...starts.entries()], async ([index, at]) => {
      const id = this.#newId();
      const last = Math.min(end, at + COPY_BYTES) - 1;
      const headers = {
        'x-ms-copy-source': sourceUrl(),
        'x-ms-source-range': `bytes=${at}-${last}`,
      };
      await this.#ports.send({ query: { comp: 'block', blockid: id }, headers }, isSuccess);
      this.#blocks[index] = { id, bytes: last + 1 - at };
    });
  }

  forget(from: number): void {
    this.#blocks.length = Math.min(this.#blocks.length, from);
  }

  async complete(condition: WriteCondition): Promise<ObjectStat> {
    const blocks = Array.from(this.#blocks, (block) => must(block, 'every part was sent'));
    // The latest, as a list whose answer was lost has made them blocks of the blob.
    const list = blocks.map(({ id }) => `<Latest>${id}</Latest>`).join('');
    const answer = await this.#ports.send(
      {
        query: { comp: 'blocklist' },
        headers: {
          'content-type': 'application/xml',
          'x-ms-blob-content-type': 'application/octet-stream',
          [UPLOAD_HEADER]: this.#name,
          ...markHeaders(this.#mark),
          ...conditionHeaders(condition),
        },
        body: Buffer.from(`<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>`),
      },
      (got) => isSuccess(got) || isConflict(got, condition) || isMissingBlock(got),
    );
    if (isSuccess(answer)) {
      const bytes = blocks.reduce((sum, block) => sum + block.bytes, 0);
      return { bytes, etag: normalEtag(answer.head.headers.get('etag')) };
    }
    return this.#found(condition);
  }

  abort(): Promise<void> {
    return Promise.resolve();
  }

  /** A list whose answer was lost may be what the condition found; a list of others ends all other blocks. */
  async #found(condition: WriteCondition): Promise<ObjectStat> {
    const head = await this.#ports.headOf();
    if (head?.headers.get(UPLOAD_HEADER) === this.#name) {
      return { bytes: lengthOf(this.#location, head), etag: normalEtag(head.headers.get('etag')) };
    }
    const isRefused =
      condition.type === 'replace' || (condition.type === 'create' && head !== null);
    if (isRefused) throw conditionError(this.#location, condition);
    throw unusable(this.#location, 'it knows nothing of the blocks that it was to put together');
  }

  /** In Base64, of one length. A block that is sent again gets another: what is late then changes nothing. */
  #newId(): string {
    this.#sent += 1;
    return Buffer.from(`${this.#name}${String(this.#sent).padStart(6, '0')}`).toString('base64');
  }
}
