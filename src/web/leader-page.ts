/** Where a standby's page points to: the leader's page, asked for once per leader. */
import { elapsedMs, type MonoMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorView } from '../ports/coordinator-client.ts';
import { LEADER_PAGE_RETRY_MS } from './limits.ts';

export class LeaderPage {
  readonly #clock: Clock;
  readonly #webUrlOf: (leaderAddress: string) => Promise<string | null>;
  #who = '';
  #url: string | null = null;
  #askedAtMs: MonoMs | null = null;

  constructor(clock: Clock, webUrlOf: (leaderAddress: string) => Promise<string | null>) {
    this.#clock = clock;
    this.#webUrlOf = webUrlOf;
  }

  /** What is known now; asking for what is not goes on meanwhile. */
  urlFor({ role, leader }: CoordinatorView): string | null {
    if (role === 'leader' || leader === null) return null;
    if (leader.who !== this.#who) {
      this.#who = leader.who;
      this.#url = null;
      this.#askedAtMs = null;
    }
    this.#ask(leader.who, leader.address);
    return this.#url;
  }

  #ask(who: string, address: string): void {
    const nowMs = this.#clock.nowMs();
    const asked = this.#askedAtMs;
    const isDue = asked === null || elapsedMs(asked, nowMs) >= LEADER_PAGE_RETRY_MS;
    if (this.#url !== null || !isDue) return;
    this.#askedAtMs = nowMs;
    this.#webUrlOf(address).then(
      (url) => {
        if (who === this.#who && url !== null && /^https?:\/\//.test(url)) this.#url = url;
      },
      // It does not answer now; it is asked again.
      () => undefined,
    );
  }
}
