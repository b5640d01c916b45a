/** Passes on what a worker's user code prints: whole lines, with a prefix, of bounded length. */
import type { Readable } from 'node:stream';
import { LAST_WORDS_MARK, shortened } from './last-words.ts';
import { LAST_WORDS_CHARS_MAX, OUTPUT_LINE_CHARS_MAX } from './limits.ts';

const HEAP_WORDS = 'JavaScript heap out of memory';

/** A line of a stack trace. */
const FRAME = /^\s+at /;
/** One that tells nobody where to look. */
const FRAME_OF_NODE = /^\s+at (.*\()?(node:|<anonymous>|native\b)/;

export class LineRelay {
  readonly #prefix: string;
  readonly #write: (line: string) => void;
  #partial = '';
  /** True while the rest of a line that was cut is being dropped. */
  #isCut = false;
  /** The end of what was printed, of a stack trace the first frame only; in whole lines, in few characters. */
  #last: string[] = [];
  /** A frame of the stack trace that is being printed is among them. */
  #hasFrame = false;
  /** What the worker said to be its last words. */
  #sentence: string | null = null;
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

  /** What the worker said last, on one line, and where that was; '' for nothing. */
  get lastWords(): string {
    if (this.#sentence !== null) return this.#sentence;
    const words = [...this.#last, this.#partial].join(' ').replaceAll(/\s+/g, ' ').trim();
    return words.length <= LAST_WORDS_CHARS_MAX ? words : shortened(words);
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
    const [line, sentence] = this.#partial.split(LAST_WORDS_MARK);
    if (sentence !== undefined) this.#sentence = sentence.trim();
    const text = `${line}${sentence ?? ''}`;
    this.#keep(text);
    if (text.includes(HEAP_WORDS)) this.ranOutOfHeap = true;
    this.#write(`${this.#prefix}${text}\n`);
    this.#partial = '';
  }

  /** The lines before are let go one by one, and no frame stays without the error that it is of. */
  #keep(text: string): void {
    const isFrame = FRAME.test(text);
    if (isFrame && (this.#hasFrame || FRAME_OF_NODE.test(text))) return;
    this.#hasFrame = isFrame;
    this.#last.push(text);
    let chars = this.#last.reduce((sum, { length }) => sum + length + 1, 0);
    while (
      this.#last.length > 1 &&
      (chars > LAST_WORDS_CHARS_MAX || FRAME.test(this.#last[0] ?? ''))
    ) {
      chars -= (this.#last.shift()?.length ?? 0) + 1;
    }
  }
}
