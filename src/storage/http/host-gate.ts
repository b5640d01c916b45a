/** One server: its connections, and how many requests it gets at a time. */
import { HostLimit } from '../../core/transfer/host-limit.ts';
import type { HostLimitBounds } from '../../core/transfer/host-limit.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { Origin } from './origin.ts';
import { RangeConnection } from './range-connection.ts';
import type { HostFlow } from './store-traffic.ts';

/** A turn to send one request; given back when it has settled. */
export interface Turn {
  readonly connection: RangeConnection;
  /** The host answered, or refused: what its limit learns from. */
  answered(firstByteMs: number, head: ResponseHead): void;
  refused(): void;
  done(): void;
}

interface Waiting {
  readonly resolve: (turn: Turn) => void;
}

export class HostGate {
  readonly #origin: Origin;
  readonly #limit: HostLimit;
  /** What all who read from that host in this process do there. */
  readonly #flow: HostFlow;
  readonly #leaveFlow: () => void;
  readonly #waiting: Waiting[] = [];
  readonly #connections: Set<RangeConnection> = new Set();
  /** Connections without a request, the one used last at the end. */
  readonly #idle: RangeConnection[] = [];
  #inFlight: number = 0;

  constructor(origin: Origin, flow: HostFlow, bounds?: HostLimitBounds) {
    this.#origin = origin;
    this.#limit = new HostLimit(bounds);
    this.#flow = flow;
    this.#leaveFlow = flow.join(() => this.#serve());
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
    if (this.#waiting.length > 0 || !this.#mayTake) return null;
    this.#limit.hedged();
    return this.#take();
  }

  /** In the order of asking. Whoever aborts leaves the queue. */
  turn(signal: AbortSignal | undefined): Promise<Turn> {
    signal?.throwIfAborted();
    if (this.#mayTake) return Promise.resolve(this.#take());
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        this.#flow.waits(-1);
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
      this.#flow.waits(1);
    });
  }

  /** Counts a request that waits outside before it asks for another turn, until the returned function is called. */
  sitOut(): () => void {
    this.#flow.waits(1);
    return () => this.#flow.waits(-1);
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
    this.#leaveFlow();
  }

  get #mayTake(): boolean {
    return this.#inFlight < this.#limit.limit && this.#flow.mayStart();
  }

  #serve(): void {
    while (this.#waiting.length > 0 && this.#mayTake) {
      this.#flow.waits(-1);
      this.#waiting.shift()?.resolve(this.#take());
    }
  }

  #take(): Turn {
    this.#inFlight += 1;
    this.#flow.started();
    const connection = this.#connection();
    let isDone = false;
    return {
      connection,
      answered: (firstByteMs, head) => {
        this.#limit.answered(firstByteMs, this.#inFlight);
        this.#flow.answered(firstByteMs, head);
      },
      refused: () => this.#limit.refused(this.#inFlight),
      done: () => {
        if (isDone) return;
        isDone = true;
        this.#inFlight -= 1;
        if (connection.isUsable) this.#idle.push(connection);
        this.#flow.ended();
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
