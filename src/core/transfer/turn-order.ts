/**
 * Who is next where ranges and everything else (heads, listings, writes) wait for turns at one host. The kind that has
 * fewer requests under way is: a part that is written takes many times as long as a range that is read, and would
 * have all turns in the end if they were given out one to one. Where both have as many, the one that did not
 * have the last turn; and nobody waits for more than a few of the other kind in a row, however long its own take,
 * so that a commit comes through while ranges never cease.
 */
export type RequestKind = 'range' | 'other';

export const TURNS_IN_A_ROW_MAX = 8;

export class TurnOrder {
  readonly #inFlight: Record<RequestKind, number> = { range: 0, other: 0 };
  #last: RequestKind = 'range';
  /** Turns of `#last` while the other kind waited. */
  #row: number = 0;

  /** Where both kinds wait; the turn is counted by `started`. */
  get next(): RequestKind {
    const after = this.#last === 'range' ? 'other' : 'range';
    if (this.#row >= TURNS_IN_A_ROW_MAX) return after;
    const { range, other } = this.#inFlight;
    if (range === other) return after;
    return range < other ? 'range' : 'other';
  }

  /** `isPreferred`: the other kind waited too. */
  started(kind: RequestKind, isPreferred: boolean): void {
    const goesOn = isPreferred && kind === this.#last;
    this.#row = goesOn ? this.#row + 1 : Number(isPreferred);
    this.#last = kind;
    this.#inFlight[kind] += 1;
  }

  ended(kind: RequestKind): void {
    this.#inFlight[kind] -= 1;
  }
}
