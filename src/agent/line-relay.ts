/** Passes on what a worker's user code prints: whole lines, with a prefix, of bounded length. */
import type { Readable } from 'node:stream';
import { LAST_WORDS_CHARS_MAX, OUTPUT_LINE_CHARS_MAX } from './limits.ts';

const HEAP_WORDS = 'JavaScript heap out of memory';

export class LineRelay {
  readonly #prefix: string;
  readonly #write: (line: string) => void;
  #partial = '';
  /** True while the rest of a line that was cut is being dropped. */
  #isCut = false;
  #lastWords = '';
  /** V8 said that it gave up for want of heap; a long native stack trace follows that. */
  ranOutOfHeap: boolean = false;

  constructor(prefix: string, write: (line: string) => void) {
    this.#prefix = prefix;
    this.#write = write;
  }

  attach(stream: Readable): void {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => this.#take(text));
    stream.on('end', () => this.#flush());
  }

  /** The end of what was printed, on one line; '' for nothing. */
  get lastWords(): string {
    const words = (this.#lastWords + this.#partial).slice(-LAST_WORDS_CHARS_MAX);
    return words.replaceAll(/\s+/g, ' ').trim();
  }

  #take(text: string): void {
    const lines = text.split('\n');
    for (const [index, part] of lines.entries()) {
      if (index > 0) this.#endLine();
      this.#extend(part);
    }
  }

  #extend(part: string): void {
    if (this.#isCut) return;
    this.#partial += part;
    if (this.#partial.length <= OUTPUT_LINE_CHARS_MAX) return;
    this.#partial = `${this.#partial.slice(0, OUTPUT_LINE_CHARS_MAX)}…`;
    this.#flush();
    this.#isCut = true;
  }

  #endLine(): void {
    if (this.#isCut) this.#isCut = false;
    else this.#emit();
  }

  #flush(): void {
    if (this.#partial !== '') this.#emit();
  }

  #emit(): void {
    this.#lastWords = `${this.#lastWords}${this.#partial}\n`.slice(-LAST_WORDS_CHARS_MAX);
    if (this.#partial.includes(HEAP_WORDS)) this.ranOutOfHeap = true;
    this.#write(`${this.#prefix}${this.#partial}\n`);
    this.#partial = '';
  }
}
