/**
 * Outputs in the making as objects. Files that grow are objects of their own; files that are made whole go one
 * after the other into a common one, so that a thousand small ones are one request and not a thousand.
 */
import { must } from '../core/base/assert.ts';
import type {
  DraftFiles,
  DraftMark,
  GrowingFile,
  OutputDraft,
  StagedFile,
} from '../ports/output-store.ts';
import type { ObjectPlace } from '../ports/place.ts';
import { ObjectWriter } from './object-writer.ts';
import { outputTo } from './output-error.ts';

const WHOLES = 'files';

interface Span {
  readonly offset: number;
  readonly length: number;
}

export class ObjectDraft implements OutputDraft {
  readonly #place: ObjectPlace;
  /** Locations begin with it; a slash is at its end. */
  readonly #prefix: string;
  /** Below the lease's folder. */
  readonly #folder: string;
  readonly #grown: ObjectWriter[] = [];
  #wholes: ObjectWriter | null = null;
  readonly #spans: Span[] = [];
  /** Appends to the common object go one after the other. */
  #appended: Promise<void> = Promise.resolve();

  constructor(place: ObjectPlace, prefix: string, folder: string) {
    this.#place = place;
    this.#prefix = prefix;
    this.#folder = folder;
  }

  grow(): Promise<GrowingFile> {
    const writer = new ObjectWriter(this.#place, `${this.#prefix}${this.#grown.length + 1}`);
    this.#grown.push(writer);
    return Promise.resolve({
      get sizeBytes() {
        return writer.sizeBytes;
      },
      append: (bytes) => outputTo(writer.location, () => writer.append(bytes)),
    });
  }

  add(data: Uint8Array): Promise<void> {
    this.#wholes ??= new ObjectWriter(this.#place, `${this.#prefix}${WHOLES}`);
    const writer = this.#wholes;
    this.#spans.push({ offset: endOf(this.#spans.at(-1)), length: data.length });
    this.#appended = this.#appended.then(() =>
      outputTo(writer.location, () => writer.append(data)),
    );
    return this.#appended;
  }

  mark(): DraftMark {
    for (const writer of this.#writers()) writer.mark();
    const grownBytes = this.#grown.map((writer) => writer.sizeBytes);
    return { grownBytes, wholes: this.#spans.length };
  }

  async undo({ grownBytes, wholes }: DraftMark): Promise<void> {
    await this.#appended;
    this.#spans.length = wholes;
    const wholeBytes = endOf(this.#spans.at(-1));
    for (const [index, writer] of this.#grown.entries()) {
      await outputTo(writer.location, () => writer.cutBack(grownBytes[index] ?? 0));
    }
    const writer = this.#wholes;
    if (writer !== null) await outputTo(writer.location, () => writer.cutBack(wholeBytes));
  }

  async finish(): Promise<DraftFiles> {
    await this.#appended;
    const ended = this.#writers().map((writer) =>
      outputTo(writer.location, () => writer.finish({ type: 'any' })),
    );
    await Promise.all(ended);
    return {
      grown: this.#grown.map((writer, index): StagedFile | null => {
        if (writer.sizeBytes === 0) return null;
        const span = { offset: 0, length: writer.sizeBytes };
        return { staged: `${this.#folder}/${index + 1}`, span };
      }),
      wholes: this.#spans.map((span) => ({ staged: `${this.#folder}/${WHOLES}`, span })),
    };
  }

  async remove(): Promise<void> {
    await this.#appended.catch(() => undefined);
    for (const writer of this.#writers()) {
      await writer.abort();
      await this.#place.remove(writer.location);
    }
  }

  #writers(): readonly ObjectWriter[] {
    return this.#wholes === null
      ? this.#grown
      : [...this.#grown, must(this.#wholes, 'it is there')];
  }
}

function endOf(span: Span | undefined): number {
  return span === undefined ? 0 : span.offset + span.length;
}
