/** Whether who waits for batches keeps coming back to make reads itself. */
import type { Clock } from '../ports/clock.ts';

/** After so many jobs without help it is no such consumer. */
const HELPED_JOBS = 16;

export class HelpHabit {
  #isHelped: boolean = false;
  #helps: number = 0;
  /** Jobs since the last help, all of small files; Infinity after any other. */
  #jobsSinceHelp: number = Infinity;
  /** Whether what is left to a helper will be looked at when the event loop turns. */
  #isLeft: boolean = false;

  /** A job came. */
  asked(isOfSmallFiles: boolean): void {
    this.#jobsSinceHelp += isOfSmallFiles ? 1 : Infinity;
  }

  /** A read was made by who waits. */
  helped(): void {
    this.#helps += 1;
    this.#isHelped = true;
    this.#jobsSinceHelp = 0;
  }

  /** Whether it helps with jobs of small files, again and again. */
  get isKept(): boolean {
    return this.#jobsSinceHelp <= HELPED_JOBS;
  }

  /**
   * Whether a read is to be left to who helps, until the event loop has turned without help; `lookAgain` is called
   * then.
   */
  mayLeave(clock: Clock, lookAgain: () => void): boolean {
    if (!this.#isHelped) return false;
    if (this.#isLeft) return true;
    this.#isLeft = true;
    const helps = this.#helps;
    clock.defer(() => {
      this.#isLeft = false;
      // It did not come back while others had their turn.
      if (this.#helps === helps) this.#isHelped = false;
      lookAgain();
    });
    return true;
  }
}
