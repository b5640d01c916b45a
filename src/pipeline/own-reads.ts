/**
 * Who reads the next batch. As a rule it is read ahead; but where reads are short and the consumer does
 * little but wait for them, batches are left to it: it reads each one itself, here and now, when it asks
 * for it. Then nothing has to be handed to another thread, and all of it happens in one memory. Where that is
 * faster, another thread reads some of them beside it; see `own-batches.ts`.
 *
 *   ahead ──▶ left   the consumer waits, its pace is quick, and a read would be short
 *   left ──▶ ahead   it takes its time with a batch, it is away while the event loop turns, or a read
 *                    cannot be made here
 */
import { must } from '../core/base/assert.ts';
import { elapsedMs, monoMs } from '../core/base/units.ts';
import type { MonoMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import { ConsumerPace } from './consumer-pace.ts';
import { TURN_MS } from './limits.ts';
import { ReadTrials } from './read-trials.ts';

/**
 * So many turns of the event loop the consumer looks for what others read beside it before it sleeps: together they
 * take about as long as to fall asleep and be woken, which is most of what it has to wait for as a rule.
 */
const LOOKS_MAX = 64;

export class OwnReads {
  readonly #clock: Clock | undefined;
  readonly #onTakenBack: () => void;
  readonly #pace: ConsumerPace = new ConsumerPace();
  readonly #trials: ReadTrials = new ReadTrials();
  #isLeft: boolean = false;
  /** While the consumer has a batch: when it got it. */
  #gotAtMs: MonoMs | null = null;
  /** When it got the one before, where it has done little but wait since. */
  #lastGotAtMs: MonoMs | null = null;
  #isWatched: boolean = false;
  /** Whether it got a batch since batches were last taken back. */
  #hasGot: boolean = false;
  /** How often it asked. */
  #asked: number = 0;
  /** How often it has looked since it got a batch. */
  #looks: number = 0;
  /** When the event loop was last known to turn while the consumer made reads itself. */
  #turnedAtMs: MonoMs = monoMs(0);

  /** `onTakenBack` is called when batches are to be read ahead again. Without a clock they always are. */
  constructor(clock: Clock | undefined, onTakenBack: () => void) {
    this.#clock = clock;
    this.#onTakenBack = onTakenBack;
  }

  /** Whether nothing is to be read ahead. */
  get isLeft(): boolean {
    return this.#isLeft;
  }

  /** Whether others are to read beside the consumer. */
  get isShared(): boolean {
    return this.#isLeft && !this.#trials.isAlone;
  }

  /** The consumer asks for a batch. */
  asks(): void {
    this.#asked += 1;
    if (this.#clock === undefined || this.#gotAtMs === null) return;
    this.#pace.cameBack(elapsedMs(this.#gotAtMs, this.#clock.nowMs()));
    this.#gotAtMs = null;
    if (this.#pace.isQuick) return;
    this.#interrupt();
    this.takeBack();
  }

  /** The consumer gets a batch. */
  gets(): void {
    if (this.#clock === undefined) return;
    const nowMs = this.#clock.nowMs();
    if (this.#lastGotAtMs !== null) this.#trials.observe(elapsedMs(this.#lastGotAtMs, nowMs));
    this.#gotAtMs = nowMs;
    this.#lastGotAtMs = nowMs;
    this.#hasGot = true;
    this.#looks = 0;
    if (this.#isLeft) this.#watch();
  }

  /** The consumer waits, and the next read would be short. */
  leave(): void {
    if (this.#hasGot && this.#pace.isQuick) this.#isLeft = true;
  }

  takeBack(): void {
    if (!this.#isLeft) return;
    this.#isLeft = false;
    this.#hasGot = false;
    this.#onTakenBack();
  }

  /** Whether the consumer is to look once more, instead of sleeping, for a batch that others read beside it. */
  get mayLook(): boolean {
    return this.isShared && this.#looks < LOOKS_MAX;
  }

  look(): Promise<void> {
    this.#looks += 1;
    return this.turn();
  }

  /** What else this thread has to do must not wait for the end of the data. */
  get mustTurn(): boolean {
    const clock = this.#clock;
    return clock === undefined || elapsedMs(this.#turnedAtMs, clock.nowMs()) >= TURN_MS;
  }

  /** Lets the event loop turn once. */
  turn(): Promise<void> {
    const clock = must(this.#clock, 'who reads has a clock');
    return new Promise((resolve) => {
      clock.defer(() => {
        // Not when it began: a turn in which others were busy for long would be followed by another.
        this.#turnedAtMs = clock.nowMs();
        resolve();
      });
    });
  }

  /** Takes the batches back when the event loop turns while the consumer is busy with one. */
  #watch(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    const asked = this.#asked;
    this.#clock?.defer(() => {
      this.#isWatched = false;
      if (this.#gotAtMs === null) return;
      if (this.#asked === asked) {
        this.#interrupt();
        this.takeBack();
      } else if (this.#isLeft) this.#watch();
    });
  }

  #interrupt(): void {
    this.#lastGotAtMs = null;
    this.#trials.interrupted();
  }
}
