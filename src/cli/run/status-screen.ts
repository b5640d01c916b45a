/**
 * Where a long command says how it stands: one line drawn over on a terminal, a sentence now and then
 * elsewhere. What else is written goes above the line.
 */
import { elapsedMs, type MonoMs } from '../../core/base/units.ts';
import type { CommandIo } from '../command-io.ts';

/** How often a sentence is written where there is no terminal. */
const SENTENCE_INTERVAL_MS = 5000;
const ERASE_LINE = '\r\u001b[2K';

export class StatusScreen implements Disposable {
  readonly #io: CommandIo;
  #line = '';
  #saidMs: MonoMs | null = null;

  constructor(io: CommandIo) {
    this.#io = io;
  }

  /** Shows the line, or every few seconds the sentence. */
  show(line: string, sentence: string): void {
    const { stderr, isTerminal, clock } = this.#io;
    if (isTerminal) {
      this.#line = line;
      stderr(`${ERASE_LINE}${line}`);
      return;
    }
    const nowMs = clock.nowMs();
    this.#saidMs ??= nowMs;
    if (elapsedMs(this.#saidMs, nowMs) < SENTENCE_INTERVAL_MS) return;
    this.#saidMs = nowMs;
    stderr(`${sentence}\n`);
  }

  /** Writes a line that stays. */
  print(text: string): void {
    const { stderr, isTerminal } = this.#io;
    stderr(isTerminal && this.#line !== '' ? `${ERASE_LINE}${text}\n${this.#line}` : `${text}\n`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#io.isTerminal && this.#line !== '') this.#io.stderr(ERASE_LINE);
    this.#line = '';
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
