/** One server: its connections, and how many requests it gets at a time. */
import { HostLimit } from '../../core/transfer/host-limit.ts';
import type { HostLimitBounds } from '../../core/transfer/host-limit.ts';
import type { Origin } from './origin.ts';
import { RangeConnection } from './range-connection.ts';

/** A turn to send one request; given back when it has settled. */
export interface Turn {
  readonly connection: RangeConnection;
  /** The host answered, or refused: what its limit learns from. */
  answered(firstByteMs: number): void;
  refused(): void;
  done(): void;
}

interface Waiting {
  readonly resolve: (turn: Turn) => void;
}

export class HostGate {
  readonly #origin: Origin;
  readonly #limit: HostLimit;
  readonly #waiting: Waiting[] = [];
  readonly #connections: Set<RangeConnection> = new Set();
  /** Connections without a request, the one used last at the end. */
  readonly #idle: RangeConnection[] = [];
  #inFlight: number = 0;

  constructor(origin: Origin, bounds?: HostLimitBounds) {
    this.#origin = origin;
    this.#limit = new HostLimit(bounds);
  }

  get connections(): Iterable<RangeConnection> {
    return this.#connections;
  }

  get limit(): number {
    return this.#limit.limit;
  }

  /** See `HostLimit`. */
  get hedgeAfterMs(): number | null {
    return this.#limit.hedgeAfterMs;
  }

  /** A turn for asking a second time, where nobody else waits for one. */
  spareTurn(): Turn | null {
    if (this.#inFlight >= this.#limit.limit || this.#waiting.length > 0) return null;
    this.#limit.hedged();
    return this.#take();
  }

  /** In the order of asking. Whoever aborts leaves the queue. */
  turn(signal: AbortSignal | undefined): Promise<Turn> {
    signal?.throwIfAborted();
    if (this.#inFlight < this.#limit.limit) return Promise.resolve(this.#take());
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(reasonOf(signal));
      };
      const waiting: Waiting = {
        resolve: (turn) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(turn);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiting);
    });
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  #take(): Turn {
    this.#inFlight += 1;
    const connection = this.#connection();
    let isDone = false;
    return {
      connection,
      answered: (firstByteMs) => this.#limit.answered(firstByteMs, this.#inFlight),
      refused: () => this.#limit.refused(this.#inFlight),
      done: () => {
        if (isDone) return;
        isDone = true;
        this.#inFlight -= 1;
        if (connection.isUsable) this.#idle.push(connection);
        while (this.#inFlight < this.#limit.limit) {
          const next = this.#waiting.shift();
          if (next === undefined) break;
          next.resolve(this.#take());
        }
      },
    };
  }

  #connection(): RangeConnection {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.isUsable) return idle;
    }
    const connection: RangeConnection = new RangeConnection(this.#origin, () => {
      this.#connections.delete(connection);
      const at = this.#idle.indexOf(connection);
      if (at !== -1) this.#idle.splice(at, 1);
    });
    this.#connections.add(connection);
    return connection;
  }
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error(`aborted: ${String(reason)}`);
}
