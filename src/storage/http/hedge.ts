/**
 * Sends a request a second time when its answer is unusually late, and goes on with whichever begins first:
 * in a large store some machine is always slow. The other one is given up before it brings a byte, so only
 * one of them ever writes to the memory of the range.
 */
import type { Clock, TimerHandle } from '../../ports/clock.ts';
import type { HostGate, Turn } from './host-gate.ts';
import type { Exchange } from './range-connection.ts';

export interface HedgedExchange {
  readonly turn: Turn;
  readonly exchange: Exchange;
}

/** `send` calls back when the head of an answer is there. Every turn that was used is done afterwards. */
export function hedged(
  clock: Clock,
  gate: HostGate,
  first: Turn,
  send: (turn: Turn, onHead: () => void) => Promise<Exchange>,
): Promise<HedgedExchange> {
  return new Promise((resolve, reject) => {
    const running: Set<Turn> = new Set();
    let winner: Turn | null = null;
    let timer: TimerHandle | null = null;
    const begin = (turn: Turn): void => {
      running.add(turn);
      const onHead = (): void => {
        winner ??= turn;
        for (const other of running) if (other !== winner) other.connection.giveUp('it was late');
      };
      send(turn, onHead)
        .finally(() => {
          turn.done();
          running.delete(turn);
        })
        .then((exchange) => {
          // A loser has nothing to say; where nobody won, the last one has.
          if (winner !== turn && (winner !== null || running.size > 0)) return;
          timer?.clear();
          resolve({ turn, exchange });
        }, reject);
    };
    begin(first);
    const delayMs = gate.hedgeAfterMs;
    if (delayMs === null) return;
    timer = clock.setTimer(
      delayMs,
      () => {
        const spare = winner === null && running.size > 0 ? gate.spareTurn() : null;
        if (spare !== null) begin(spare);
      },
      { unref: true },
    );
  });
}
