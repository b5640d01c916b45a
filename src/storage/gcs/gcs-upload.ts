/**
 * An object of Google's in parts (decision 43). Each part is an object beside it, under a name that listings of this
 * place leave out; in the end Google makes one of them (`compose`), on condition, and they are removed. A part that is
 * sent again gets another name, so that a request that is late changes nothing.
 */
import { must } from '../../core/base/assert.ts';
import type { ObjectStat, PartUpload, WriteCondition } from '../../ports/place.ts';
import type { Random } from '../../ports/random.ts';
import { unusable } from '../http/http-errors.ts';
import type { PatientAnswer } from '../http/patient.ts';
import { conditionError } from '../http/write-condition.ts';
import { forEachBounded } from '../local-output.ts';
import { parseObject } from './gcs-answers.ts';
import { isSuccess } from './gcs-writes.ts';

/** What Google composes at a time. */
const SOURCES_MAX = 32;
const UPLOAD = 'mx8-upload';
/** The end is the same for all, so that a bucket's life cycle can know it. */
const PART = /~([0-9a-f]{32})-\d+\.mx8-part$/;

export function isPart(location: string): boolean {
  return PART.test(location);
}

/** Names the upload that it is a part of. */
export function uploadOfPart(location: string): string {
  return PART.exec(location)?.[1] ?? '';
}

export interface GcsUploadPorts {
  readonly random: Random;
  readonly put: (location: string, bytes: Uint8Array) => Promise<void>;
  readonly remove: (location: string) => Promise<void>;
  readonly compose: (
    to: string,
    request: object,
    condition: WriteCondition,
  ) => Promise<PatientAnswer>;
  /** Of the object that is made; null where it is not there. */
  readonly noteOf: (name: string) => Promise<string | null>;
  readonly stat: () => Promise<ObjectStat>;
}

export class GcsUpload implements PartUpload {
  readonly #location: string;
  readonly #metadata: Readonly<Record<string, string>>;
  readonly #ports: GcsUploadPorts;
  readonly #name: string;
  /** Locations of the parts by index; they may be sent in any order. */
  readonly #parts: (string | undefined)[] = [];
  /** Everything that is to be removed. */
  readonly #made: string[] = [];
  #count = 0;

  constructor(location: string, metadata: Readonly<Record<string, string>>, ports: GcsUploadPorts) {
    this.#location = location;
    this.#metadata = metadata;
    this.#ports = ports;
    this.#name = Buffer.from(ports.random.bytes(16)).toString('hex');
  }

  add(bytes: Uint8Array): Promise<void> {
    return this.put(this.#parts.length, bytes);
  }

  async put(index: number, bytes: Uint8Array): Promise<void> {
    const location = this.#newPart();
    await this.#ports.put(location, bytes);
    this.#parts[index] = location;
  }

  forget(from: number): void {
    this.#parts.length = Math.min(this.#parts.length, from);
  }

  async complete(condition: WriteCondition): Promise<ObjectStat> {
    const parts = Array.from(this.#parts, (part) => must(part, 'every part was sent'));
    let stat: ObjectStat;
    try {
      stat = await this.#compose(await this.#fewer(parts), condition);
    } catch (error) {
      // The first failure is the one to tell; parts that stay are given up with the upload.
      await this.abort().catch(() => undefined);
      throw error;
    }
    await this.abort();
    return stat;
  }

  async abort(): Promise<void> {
    await forEachBounded(this.#made.splice(0), (part) => this.#ports.remove(part));
  }

  /** As many as go into one request, of the same bytes. */
  async #fewer(parts: readonly string[]): Promise<readonly string[]> {
    if (parts.length <= SOURCES_MAX) return parts;
    const groups: { readonly to: string; readonly from: readonly string[] }[] = [];
    for (let at = 0; at < parts.length; at += SOURCES_MAX) {
      groups.push({ to: this.#newPart(), from: parts.slice(at, at + SOURCES_MAX) });
    }
    await forEachBounded(groups, async ({ to, from }) => {
      const answer = await this.#ports.compose(to, { sourceObjects: from.map(source) }, ANY);
      if (!isSuccess(answer)) throw this.#lostParts();
    });
    return this.#fewer(groups.map(({ to }) => to));
  }

  async #compose(parts: readonly string[], condition: WriteCondition): Promise<ObjectStat> {
    const destination = {
      contentType: 'application/octet-stream',
      metadata: { ...this.#metadata, [UPLOAD]: this.#name },
    };
    const request = { sourceObjects: parts.map(source), destination };
    const answer = await this.#ports.compose(this.#location, request, condition);
    if (isSuccess(answer)) {
      const stat = parseObject(answer.body.toString('utf8'));
      if (stat === null) throw unusable(this.#location, 'it does not say how long the object is');
      return stat;
    }
    // A request whose answer was lost may be what the condition found.
    if (answer.mayHaveLanded && (await this.#ports.noteOf(UPLOAD)) === this.#name) {
      return this.#ports.stat();
    }
    throw answer.head.status === 404
      ? this.#lostParts()
      : conditionError(this.#location, condition);
  }

  #newPart(): string {
    const part = `${this.#location}~${this.#name}-${this.#count}.mx8-part`;
    this.#count += 1;
    this.#made.push(part);
    return part;
  }

  #lostParts(): Error {
    return unusable(this.#location, 'the parts that it was to put together are not there');
  }
}

const ANY = { type: 'any' } as const;

/** `gs://bucket/object` as a source in the same bucket. */
function source(location: string): { readonly name: string } {
  return { name: location.slice(location.indexOf('/', 'gs://'.length) + 1) };
}
