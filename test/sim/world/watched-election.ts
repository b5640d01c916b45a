/** An election looked at over a coordinator's shoulder: until when may it say that it leads? */
import type { Campaign, CandidateInfo, Election, LeaderInfo } from '../../../src/ports/election.ts';
import type { Process } from './process.ts';

export class WatchedElection implements Election {
  readonly ttlMs: number;
  readonly #election: Election;
  readonly #process: Process;
  readonly #onChange: () => void;
  /** True from winning an election until a renewal is refused or it resigns. */
  isElected = false;
  /** On its own clock, when it sent the last call that was answered with "you lead". */
  lastLeadSentMs: number = -Infinity;

  constructor(election: Election, process: Process, onChange: () => void) {
    this.ttlMs = election.ttlMs;
    this.#election = election;
    this.#process = process;
    this.#onChange = onChange;
  }

  async campaign(me: CandidateInfo): Promise<Campaign> {
    const sentMs = this.#process.nowMs();
    const answer = await this.#election.campaign(me);
    this.#know(answer.type === 'elected', sentMs);
    return answer;
  }

  async renew(me: CandidateInfo): Promise<boolean> {
    const sentMs = this.#process.nowMs();
    const leads = await this.#election.renew(me);
    this.#know(leads, sentMs);
    return leads;
  }

  leader(): Promise<LeaderInfo | null> {
    return this.#election.leader();
  }

  candidates(): Promise<readonly CandidateInfo[]> {
    return this.#election.candidates();
  }

  watch(onChange: () => void): () => void {
    return this.#election.watch(onChange);
  }

  resign(): Promise<void> {
    this.#know(false, 0);
    return this.#election.resign();
  }

  close(): Promise<void> {
    return this.#election.close();
  }

  #know(leads: boolean, sentMs: number): void {
    const before = this.isElected;
    this.isElected = leads;
    this.lastLeadSentMs = leads ? Math.max(this.lastLeadSentMs, sentMs) : -Infinity;
    if (before !== leads) this.#onChange();
  }
}
