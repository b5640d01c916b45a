/**
 * A client's way to the coordinators: it knows all of them, follows the hint of one that does not lead,
 * goes on to the next when nobody answers in time, and repeats nothing by itself but what a hint sends
 * elsewhere. A model of `src/wire`'s client; the machines above it are the real ones.
 */
import type { TimerHandle } from '../../../src/ports/clock.ts';
import type { Network } from '../world/network.ts';
import type { Process } from '../world/process.ts';
import type { World } from '../world/world.ts';
import type { Coordinator } from './coordinator.ts';
import type { Answer, AnswerBody, ClientEnd, Request } from './messages.ts';
import type { Push } from '../../../src/ports/coordinator-client.ts';

/** How long a client waits for an answer before it holds the coordinator for gone. */
const CALL_TIMEOUT_MS = 700;
const HINTS_MAX = 3;

interface Pending {
  readonly request: Request;
  readonly onAnswer: (body: AnswerBody) => void;
  hintsLeft: number;
  readonly askedMs: number;
  flight: Flight | null;
}

/** Requests that were sent together, and share a time to be answered in. */
interface Flight {
  left: number;
  timer: TimerHandle | null;
}

export interface ClientEvents {
  onPush(push: Push): void;
  /** All answers that came together have been handed out. Default: of no interest. */
  onAnswered?(): void;
}

export class Client implements ClientEnd {
  readonly #world: World;
  readonly #network: Network;
  readonly #coordinators: readonly Coordinator[];
  readonly process: Process;
  readonly #events: ClientEvents;
  readonly #pending: Map<number, Pending> = new Map<number, Pending>();
  #outbox: Request[] = [];
  #nextRequestId = 1;
  target: number;

  constructor(
    world: World,
    network: Network,
    coordinators: readonly Coordinator[],
    process: Process,
    events: ClientEvents,
  ) {
    this.#world = world;
    this.#network = network;
    this.#coordinators = coordinators;
    this.process = process;
    this.#events = events;
    this.target = world.chance.below(coordinators.length);
  }

  /** A request that was asked for before `sinceMs` and is not decided; null when there is none. */
  undecidedSince(sinceMs: number): string | null {
    for (const { request, askedMs } of this.#pending.values()) {
      if (askedMs < sinceMs) return `${request.ask.type} ${request.requestId}`;
    }
    return null;
  }

  /** Sent with the next `flush`. */
  ask(ask: Request['ask'], onAnswer: (body: AnswerBody) => void): void {
    const requestId = this.#nextRequestId;
    this.#nextRequestId += 1;
    const request = { requestId, ask };
    const askedMs = this.#world.nowMs;
    this.#pending.set(requestId, {
      request,
      onAnswer,
      hintsLeft: HINTS_MAX,
      askedMs,
      flight: null,
    });
    this.#outbox.push(request);
  }

  flush(): void {
    if (this.#outbox.length === 0) return;
    const requests = this.#outbox;
    this.#outbox = [];
    this.#send(requests);
  }

  onAnswers(answers: readonly Answer[], from: number): void {
    const again: Request[] = [];
    for (const { requestId, body, leader } of answers) {
      const pending = this.#pending.get(requestId);
      if (pending === undefined) continue;
      const isElsewhere = body.type === 'refused' && body.code === 'not_leader';
      if (isElsewhere && leader !== null && leader !== from && pending.hintsLeft > 0) {
        pending.hintsLeft -= 1;
        this.target = leader;
        again.push(pending.request);
        continue;
      }
      this.#pending.delete(requestId);
      this.#landed(pending);
      if (isElsewhere && from === this.target) this.#next();
      pending.onAnswer(body);
    }
    if (again.length > 0) this.#send(again);
    this.#answered();
  }

  #answered(): void {
    this.#events.onAnswered?.();
    this.flush();
  }

  onPush(push: Push): void {
    this.#events.onPush(push);
  }

  /** The connection to coordinator `place` broke, and both ends know. */
  onReset(place: number): void {
    if (this.target !== place) return;
    this.#next();
    this.#giveUp([...this.#pending.keys()]);
    this.#events.onPush({
      type: 'disconnected',
      code: 'coordinator_unavailable',
      message: 'reset',
    });
    this.process.later(this.#network.delayMs() * 2, () =>
      this.#events.onPush({ type: 'connected' }),
    );
  }

  #send(requests: readonly Request[]): void {
    const coordinator = this.#coordinators[this.target];
    if (coordinator === undefined) return;
    const from = this.process.place;
    this.#network.send(from, coordinator.process, coordinator.place, () => {
      coordinator.receive(this, requests);
    });
    const asked = this.target;
    const flight: Flight = { left: requests.length, timer: null };
    for (const { requestId } of requests) {
      const pending = this.#pending.get(requestId);
      if (pending === undefined) continue;
      this.#landed(pending);
      pending.flight = flight;
    }
    flight.timer = this.process.setTimer(CALL_TIMEOUT_MS, () => {
      if (this.target === asked) this.#next();
      const late = requests.map(({ requestId }) => requestId);
      this.#giveUp(late.filter((id) => this.#pending.get(id)?.flight === flight));
    });
  }

  /** One fewer of those that were sent together is waited for. */
  #landed({ flight }: Pending): void {
    if (flight === null) return;
    flight.left -= 1;
    if (flight.left === 0) flight.timer?.clear();
  }

  #giveUp(ids: readonly number[]): void {
    for (const id of ids) {
      const pending = this.#pending.get(id);
      if (pending === undefined) continue;
      this.#pending.delete(id);
      this.#landed(pending);
      const message = 'no coordinator answered in time';
      pending.onAnswer({ type: 'refused', code: 'coordinator_unavailable', message });
    }
    this.#answered();
  }

  #next(): void {
    this.target = (this.target + 1) % this.#coordinators.length;
  }
}
