/** Gives up on connections that bring next to nothing: a body of a byte a second never ends. */
import type { Clock, TimerHandle } from '../../ports/clock.ts';
import type { HostGate } from './host-gate.ts';
import type { RangeConnection } from './range-connection.ts';

/** How long a request may go without a mentionable number of bytes. */
const STALL_MS_DEFAULT = 20_000;
const LOOKS = 4;
/** In the whole of that time; the slowest useful line brings a hundred times as much. */
const BYTES_MIN = 4096;

interface Seen {
  readonly exchanges: number;
  bytesRead: number;
  slowLooks: number;
}

export class StallWatch {
  readonly #clock: Clock;
  readonly #lookMs: number;
  readonly #gates: () => Iterable<HostGate>;
  readonly #seen: WeakMap<RangeConnection, Seen> = new WeakMap();
  #timer: TimerHandle | null = null;

  constructor(clock: Clock, stallMs: number = STALL_MS_DEFAULT, gates: () => Iterable<HostGate>) {
    this.#clock = clock;
    this.#lookMs = stallMs / LOOKS;
    this.#gates = gates;
  }

  start(): void {
    this.#timer ??= this.#clock.setTimer(this.#lookMs, () => this.#look(), { unref: true });
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = null;
  }

  #look(): void {
    this.#timer = null;
    for (const gate of this.#gates()) {
      for (const connection of gate.connections) if (connection.isBusy) this.#judge(connection);
    }
    this.start();
  }

  #judge(connection: RangeConnection): void {
    const { exchanges, bytesRead } = connection;
    const seen = this.#seen.get(connection);
    if (seen === undefined || seen.exchanges !== exchanges) {
      this.#seen.set(connection, { exchanges, bytesRead, slowLooks: 0 });
      return;
    }
    if (bytesRead - seen.bytesRead >= BYTES_MIN / LOOKS) {
      seen.bytesRead = bytesRead;
      seen.slowLooks = 0;
      return;
    }
    seen.slowLooks += 1;
    const seconds = Math.round((this.#lookMs * LOOKS) / 100) / 10;
    if (seen.slowLooks >= LOOKS) {
      connection.giveUp(`it brought only ${bytesRead - seen.bytesRead} bytes in ${seconds} s`);
    }
  }
}
