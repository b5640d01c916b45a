/**
 * The election as a process sees it: the real one in memory, over the way to the store. It is liveness
 * only, so the world may make it wrong: the lead can be taken from a leader that does not know.
 */
import { Mx8Error } from '../../../src/core/base/errors.ts';
import { MemoryElection, type MemoryElectionBoard } from '../../../src/log/memory-election.ts';
import type { Campaign, CandidateInfo, Election, LeaderInfo } from '../../../src/ports/election.ts';
import type { Process } from './process.ts';
import type { StoreWay } from './store-way.ts';
import type { World } from './world.ts';

export class SimElection implements Election {
  readonly ttlMs: number;
  readonly #world: World;
  readonly #way: StoreWay;
  readonly #process: Process;
  readonly #election: MemoryElection;

  constructor(
    world: World,
    way: StoreWay,
    board: MemoryElectionBoard,
    process: Process,
    ttlMs: number,
  ) {
    this.ttlMs = ttlMs;
    this.#world = world;
    this.#way = way;
    this.#process = process;
    this.#election = new MemoryElection(board, ttlMs);
  }

  campaign(me: CandidateInfo): Promise<Campaign> {
    return this.#call(() => this.#election.campaign(me));
  }

  renew(me: CandidateInfo): Promise<boolean> {
    return this.#call(() => this.#election.renew(me));
  }

  leader(): Promise<LeaderInfo | null> {
    return this.#call(() => this.#election.leader());
  }

  candidates(): Promise<readonly CandidateInfo[]> {
    return this.#call(() => this.#election.candidates());
  }

  watch(onChange: () => void): () => void {
    return this.#election.watch(() => {
      if (this.#world.isFaulty && this.#world.chance.happens(200)) return;
      this.#way.toProcess(this.#process, this.#way.delayMs(), onChange);
    });
  }

  resign(): Promise<void> {
    return this.#call(() => this.#election.resign());
  }

  async close(): Promise<void> {
    return;
  }

  #call<T>(apply: () => Promise<T>): Promise<T> {
    const { chance, scene, isFaulty } = this.#world;
    if (isFaulty && chance.happens(scene.rates.storeAnswerLost)) {
      return this.#way.call(this.#process, () => {
        void apply();
        throw new Mx8Error('coordinator_unavailable', 'the store did not answer', {});
      });
    }
    return this.#way.call(this.#process, apply);
  }
}
