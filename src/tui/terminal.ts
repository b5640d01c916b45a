/** What the screen needs of a terminal. The real one is made in `cli/`; tests have their own. */

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface Terminal {
  size(): TerminalSize;
  write(text: string): void;
  /** Raw input, decoded as UTF-8. */
  onInput(listener: (text: string) => void): void;
  onResize(listener: () => void): void;
  /** Nobody can type any more. */
  onEnd(listener: () => void): void;
}
