/** Those of one client who wait for turns at one host with requests of one kind, first come, first served. */
import { Mx8Error } from '../../core/base/errors.ts';
import { HostLimit } from '../../core/transfer/host-limit.ts';
import type { HostLimitBounds } from '../../core/transfer/host-limit.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { RequestKind } from '../../core/transfer/turn-order.ts';
import type { HostFlow } from './store-traffic.ts';

/** Leave to send one request; given back when it has settled, before anything else is asked for. */
export interface Slot {
  /**
   * The host answered, or refused, so long after the request: what limits learn from. Of ranges the time, too; a
   * write takes as long as it has bytes, and a page of a listing as long as it likes.
   */
  answered(firstByteMs: number, head: ResponseHead): void;
  /** It refused, or the connection broke. */
  refused(): void;
  /** Once. */
  done(): void;
}

interface Waiting {
  readonly resolve: (slot: Slot) => void;
  readonly reject: (error: Error) => void;
  /** It waits no more, and does not hear of its signal. */
  readonly left: () => void;
}

export class Lane {
  readonly kind: RequestKind;
  readonly limit: HostLimit;
  /** What all who speak to that host in this process do there. */
  readonly #flow: HostFlow;
  readonly #leaveFlow: () => void;
  readonly #waiting: Waiting[] = [];
  #inFlight: number = 0;

  constructor(kind: RequestKind, flow: HostFlow, bounds?: HostLimitBounds) {
    this.kind = kind;
    this.limit = new HostLimit(bounds);
    this.#flow = flow;
    this.#leaveFlow = flow.join(this);
  }

  /** Somebody waits, and only for the host. */
  get canGo(): boolean {
    return this.#waiting.length > 0 && this.#inFlight < this.limit.limit;
  }

  /** The first in line has its turn. */
  go(): void {
    const first = this.#waiting.shift();
    if (first === undefined) return;
    first.left();
    first.resolve(this.#take());
  }

  /** A turn where nobody else waits for one. */
  spare(): Slot | null {
    return this.#waiting.length === 0 && this.#mayTake ? this.#take() : null;
  }

  /** In the order of asking. Whoever aborts leaves the queue. */
  turn(signal: AbortSignal | undefined): Promise<Slot> {
    signal?.throwIfAborted();
    const slot = this.spare();
    if (slot !== null) return Promise.resolve(slot);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(mine), 1);
        mine.left();
        reject(reasonOf(signal));
      };
      const mine: Waiting = {
        resolve,
        reject,
        left: () => {
          signal?.removeEventListener('abort', onAbort);
          this.#flow.waits(-1);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(mine);
      this.#flow.waits(1);
    });
  }

  /** Counts a request that waits outside before it asks for another turn, until the returned function is called. */
  sitOut(): () => void {
    this.#flow.waits(1);
    return () => this.#flow.waits(-1);
  }

  /** Nobody has a turn here any more: whoever waits is told so. */
  close(): void {
    for (const { left, reject } of this.#waiting.splice(0)) {
      left();
      reject(new Mx8Error('interrupted', 'the client of the store was closed'));
    }
    this.#leaveFlow();
  }

  get #mayTake(): boolean {
    return this.#inFlight < this.limit.limit && this.#flow.mayStart();
  }

  #take(): Slot {
    this.#inFlight += 1;
    this.#flow.started(this.kind);
    return {
      answered: (firstByteMs, head) => {
        const isTimed = this.kind === 'range';
        this.limit.answered(isTimed ? firstByteMs : 0, this.#inFlight);
        this.#flow.answered(firstByteMs, isTimed, head);
      },
      refused: () => this.limit.refused(this.#inFlight),
      done: () => {
        this.#inFlight -= 1;
        this.#flow.ended(this.kind);
      },
    };
  }
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error(`aborted: ${String(reason)}`);
}
