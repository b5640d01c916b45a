/** One server: its connections for ranges, and how many of them are asked for at a time. */
import type { HostLimitBounds } from '../../core/transfer/host-limit.ts';
import { Lane } from './lane.ts';
import type { Slot } from './lane.ts';
import type { Origin } from './origin.ts';
import { RangeConnection } from './range-connection.ts';
import type { HostFlow } from './store-traffic.ts';

/** A turn to send one request over a connection. */
export interface Turn extends Slot {
  readonly connection: RangeConnection;
}

export class HostGate {
  readonly #origin: Origin;
  readonly #lane: Lane;
  readonly #connections: Set<RangeConnection> = new Set();
  /** Connections without a request, the one used last at the end. */
  readonly #idle: RangeConnection[] = [];

  constructor(origin: Origin, flow: HostFlow, bounds?: HostLimitBounds) {
    this.#origin = origin;
    this.#lane = new Lane('range', flow, bounds);
  }

  get connections(): Iterable<RangeConnection> {
    return this.#connections;
  }

  get limit(): number {
    return this.#lane.limit.limit;
  }

  /** See `HostLimit`. */
  get hedgeAfterMs(): number | null {
    return this.#lane.limit.hedgeAfterMs;
  }

  /** A turn for asking a second time, where nobody else waits for one. */
  spareTurn(): Turn | null {
    const slot = this.#lane.spare();
    if (slot === null) return null;
    this.#lane.limit.hedged();
    return this.#connect(slot);
  }

  /** In the order of asking. Whoever aborts leaves the queue. */
  async turn(signal: AbortSignal | undefined): Promise<Turn> {
    return this.#connect(await this.#lane.turn(signal));
  }

  /** See `Lane`. */
  sitOut(): () => void {
    return this.#lane.sitOut();
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
    this.#lane.close();
  }

  #connect(slot: Slot): Turn {
    const connection = this.#connection();
    let isDone = false;
    return {
      ...slot,
      connection,
      done: () => {
        if (isDone) return;
        isDone = true;
        // Before the next turn is given, which may be for it.
        if (connection.isUsable) this.#idle.push(connection);
        slot.done();
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
