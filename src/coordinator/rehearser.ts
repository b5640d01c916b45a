/** Lets a standby rehearse once, in the time in which another leads. */
import type { EventSink } from '../ports/event-sink.ts';
import { rehearse, type RehearsalPorts } from './rehearsal.ts';

export class Rehearser {
  readonly #ports: RehearsalPorts & { readonly events: EventSink };
  /** Ends what is rehearsed at this moment. */
  #rehearsal: AbortController | null = null;
  #hasRehearsed = false;

  constructor(ports: RehearsalPorts & { readonly events: EventSink }) {
    this.#ports = ports;
  }

  /** Until it was done once. */
  begin(): void {
    if (this.#rehearsal !== null || this.#hasRehearsed) return;
    const rehearsal = new AbortController();
    this.#rehearsal = rehearsal;
    const { clock, events } = this.#ports;
    const startMs = clock.nowMs();
    rehearse(this.#ports, rehearsal.signal)
      .then((requests) => {
        if (rehearsal.signal.aborted) return;
        this.#hasRehearsed = true;
        const rehearsal_ms = Math.round(clock.nowMs() - startMs);
        events.emit('debug', 'standby_rehearsed', { requests, rehearsal_ms });
      })
      .catch((cause: unknown) => {
        // It leads as well without, only slower at first.
        this.#hasRehearsed = true;
        const message = cause instanceof Error ? cause.message : String(cause);
        events.emit('warn', 'rehearsal_failed', { message });
      })
      .finally(() => {
        this.#rehearsal = null;
      });
  }

  /** What matters now is to lead. */
  abort(): void {
    this.#rehearsal?.abort();
  }
}
