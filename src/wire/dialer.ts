/**
 * The connection to whichever coordinator of the list answers. What fails is closed, and the next
 * attempt goes to the next address; how long to wait before it grows and is spread by chance, so that a
 * fleet does not come back in one moment.
 *
 * A client that has a session also keeps connections to the others open: one of them leads next, and a
 * fleet that makes all its connections in that moment would be what everybody waits for. A coordinator
 * that answers that it does not lead is kept as such a spare.
 */
import { must } from '../core/base/assert.ts';
import { type ErrorCode, type ErrorDetails, Mx8Error } from '../core/base/errors.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { Random } from '../ports/random.ts';
import type { CallConnection, Connection } from './connection.ts';
import { type CoordAddress, parseCoordUrl } from './coord-url.ts';
import {
  BACKOFF_MS_MAX,
  BACKOFF_MS_MIN,
  CONNECT_TIMEOUT_MS_MAX,
  CONNECT_TIMEOUT_MS_MIN,
  SPARE_DELAY_MS_MAX,
  SPARES_MAX,
} from './limits.ts';
import { leaderOf } from './status.ts';

/** Why a connection is of no use. */
export interface DialFailure {
  readonly code: ErrorCode;
  readonly details?: ErrorDetails;
  readonly message?: string;
}

export interface DialerOptions<C extends Connection> {
  readonly coordUrl: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly dial: (address: CoordAddress) => C;
  /** Hears of each connection that nobody answered on. */
  readonly onUnanswered?: OnUnanswered;
}

export type OnUnanswered = (address: string, message: string) => void;

export class Dialer<C extends Connection = CallConnection> {
  readonly #addresses: readonly CoordAddress[];
  readonly #options: DialerOptions<C>;
  readonly #spares: Map<string, C> = new Map<string, C>();
  #next = 0;
  /** Where the leader was said to be; dialled before the list goes on. */
  #hint: CoordAddress | null = null;
  #current: C | null = null;
  #isCurrentHinted = false;
  #keepsSpares = false;
  #spareTimer: TimerHandle | null = null;

  constructor(options: DialerOptions<C>) {
    this.#options = options;
    this.#addresses = parseCoordUrl(options.coordUrl);
  }

  /** The list, as it was given. */
  get addresses(): readonly string[] {
    return this.#addresses.map(({ text }) => text);
  }

  connection(): C {
    this.#current ??= this.#take();
    return this.#current;
  }

  /** Connects to the other addresses soon, and keeps connections to those that do not lead from now on. */
  keepSpares(): void {
    const { clock, random } = this.#options;
    this.#keepsSpares = true;
    this.#spareTimer ??= clock.setTimer(
      random.fraction() * SPARE_DELAY_MS_MAX,
      () => this.#dialSpares(),
      { unref: true },
    );
  }

  /**
   * That connection is of no use: the next one goes elsewhere, to the leader if the failure says where it
   * is. Safe to say more than once.
   */
  failed(connection: C, failure: DialFailure): void {
    if (this.#current !== connection) return;
    this.#current = null;
    if (failure.code === 'coordinator_unavailable') {
      this.#options.onUnanswered?.(connection.address.text, failure.message ?? 'no answer');
    }
    const leader = leaderOf(failure);
    this.#hint = leader === null ? null : this.#trusted(leader, connection.address);
    if (this.#hint === null) this.#next = (this.#next + 1) % this.#addresses.length;
    if (failure.code === 'coordinator_unavailable' || !this.#isSpare(connection))
      connection.close();
    else this.#keep(connection);
  }

  /** True when the next call goes to where the leader was said to be. */
  get isHinted(): boolean {
    return this.#current === null ? this.#hint !== null : this.#isCurrentHinted;
  }

  /** The next connection goes to that address. */
  goTo(leader: string): void {
    const connection = this.#current;
    if (connection !== null) this.failed(connection, { code: 'not_leader', details: { leader } });
  }

  /**
   * The wait before attempt 1, 2, …: short within a round of the list, growing from round to round. Who
   * comes to a standby while nobody leads is back soon after somebody does.
   */
  backoffMs(attempt: number): number {
    const count = this.#addresses.length;
    const rounds = Math.min(30, Math.floor(attempt / count));
    const isWithinRound = attempt % count !== 0;
    const boundMs = isWithinRound ? BACKOFF_MS_MIN : BACKOFF_MS_MIN * 2 ** rounds;
    return this.#options.random.fraction() * Math.min(BACKOFF_MS_MAX, boundMs);
  }

  /**
   * How long a connection may take after so many that failed: longer from round to round, because a
   * leader that all nodes come back to at once may need longer than usual, and is not helped by nodes that
   * hang up and dial again.
   */
  connectTimeoutMs(failures: number): number {
    const rounds = Math.min(30, Math.floor(failures / this.#addresses.length));
    return Math.min(CONNECT_TIMEOUT_MS_MAX, CONNECT_TIMEOUT_MS_MIN * 2 ** rounds);
  }

  close(): void {
    this.#current?.close();
    this.#current = null;
    this.#keepsSpares = false;
    this.#spareTimer?.clear();
    for (const spare of this.#spares.values()) spare.close();
    this.#spares.clear();
  }

  /** The address in a hint; null for one that cannot be read or would give up TLS. */
  #trusted(leader: string, from: CoordAddress): CoordAddress | null {
    try {
      const [address] = parseCoordUrl(leader);
      if (address === undefined || (from.usesTls && !address.usesTls)) return null;
      return address.target === from.target ? null : address;
    } catch (error) {
      if (error instanceof Mx8Error) return null;
      throw error;
    }
  }

  get #nextAddress(): CoordAddress {
    return this.#hint ?? must(this.#addresses[this.#next], 'the list of addresses is not empty');
  }

  /** A spare that is not connected at this moment would make its first call wait for its next attempt. */
  #take(): C {
    const address = this.#nextAddress;
    this.#isCurrentHinted = this.#hint !== null;
    this.#hint = null;
    const spare = this.#spares.get(keyOf(address));
    this.#spares.delete(keyOf(address));
    if (spare?.isReady === true) return spare;
    spare?.close();
    return this.#options.dial(address);
  }

  #dialSpares(): void {
    this.#spareTimer = null;
    for (const address of this.#others()) {
      if (this.#spares.size >= SPARES_MAX) return;
      if (!this.#spares.has(keyOf(address))) this.#keep(this.#options.dial(address));
    }
  }

  /** Whether to keep a connection that is left for the next; the spare that is taken then makes room. */
  #isSpare({ address }: C): boolean {
    const key = keyOf(address);
    const isListed = this.#addresses.some((listed) => keyOf(listed) === key);
    const others = [...this.#spares.keys()].filter((one) => one !== keyOf(this.#nextAddress));
    const hasRoom = others.length < SPARES_MAX && !this.#spares.has(key);
    return this.#keepsSpares && isListed && hasRoom;
  }

  #keep(connection: C): void {
    this.#spares.set(keyOf(connection.address), connection);
    connection.keepOpen();
  }

  /** The addresses of the list but the present one, those that come next first. */
  #others(): readonly CoordAddress[] {
    const present = this.#current === null ? null : keyOf(this.#current.address);
    const inTurn = [...this.#addresses.slice(this.#next), ...this.#addresses.slice(0, this.#next)];
    return inTurn.filter((address) => keyOf(address) !== present);
  }
}

function keyOf({ target, usesTls }: CoordAddress): string {
  return `${usesTls ? 'https' : 'http'}://${target}`;
}
