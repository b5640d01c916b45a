/**
 * The terminal of this process as a screen. However the process ends, except by SIGKILL, the terminal
 * is given back as it was found: the exit hook writes synchronously.
 */
import { writeSync } from 'node:fs';

import { ENTER_SCREEN, LEAVE_SCREEN } from '../../tui/paint.ts';
import type { Terminal, TerminalSize } from '../../tui/terminal.ts';

const FALLBACK: TerminalSize = { columns: 80, rows: 24 };
const STDOUT_FD = 1;

/** True where a screen can be drawn and keys can be read. */
export function hasTerminal(): boolean {
  return Boolean(process.stdin.isTTY) && Boolean(process.stdout.isTTY);
}

export class NodeTerminal implements Terminal, Disposable {
  readonly #onExit = (): void => this.#restore();
  #isOpen = true;

  constructor() {
    process.on('exit', this.#onExit);
    process.stdin.setRawMode(true);
    process.stdin.setEncoding('utf8');
    process.stdout.write(ENTER_SCREEN);
  }

  size(): TerminalSize {
    const { columns, rows } = process.stdout;
    return columns > 0 && rows > 0 ? { columns, rows } : FALLBACK;
  }

  write(text: string): void {
    if (this.#isOpen) process.stdout.write(text);
  }

  onInput(listener: (text: string) => void): void {
    process.stdin.on('data', (text: string) => listener(text));
  }

  onResize(listener: () => void): void {
    process.stdout.on('resize', listener);
  }

  onEnd(listener: () => void): void {
    process.stdin.on('end', listener);
    process.stdin.on('error', listener);
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#onExit);
    process.stdin.removeAllListeners('data');
    process.stdin.pause();
    this.#restore();
  }

  #restore(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      process.stdin.setRawMode(false);
      writeSync(STDOUT_FD, LEAVE_SCREEN);
    } catch (error) {
      // The terminal is gone, and with it what there was to restore.
      if (!(error instanceof Error && 'code' in error)) throw error;
    }
  }
}
