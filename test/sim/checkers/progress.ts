/**
 * Invariants 27 to 32, once everything is healed: there is a leader and it stays, every job drains and
 * completes, every node ends, every call is decided, standbys catch up.
 */
import { LEADER_TTL_MS, LEASE_TTL_MS } from '../scene.ts';
import type { Agent } from '../actors/agent.ts';
import type { Simulation } from '../simulation.ts';

const NAME = 'progress';
/** Restarts, and entries of former candidates that have to run out first. */
const RESTART_MS = 600;
/** Every call ends in an answer within this: three times the TTL of a leader. */
export const DECIDED_MS: number = 3 * LEADER_TTL_MS;
/** A leader's clock may be slow, and its tick late. */
const SILENT_MS = LEASE_TTL_MS * 1.1 + 800;
/** By then there is a leader that every node has found, and what was asked before has been given up. */
const CALM_MS = 2 * LEADER_TTL_MS + RESTART_MS + 2 * LEASE_TTL_MS;
/** Requests of all nodes at a time, and more. */
const QUEUE_ROOMY = 1000;
/** What is left of the work, after whatever the faults left behind has timed out. */
const WORK_MS = 25_000;

export class Progress {
  readonly #simulation: Simulation;
  #settledMs = 0;
  #epoch = 0;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** From now on nothing fails any more; what was paused goes on by `settledMs`. */
  begin(settledMs: number): void {
    const { world } = this.#simulation;
    this.#settledMs = settledMs;
    const leaderMs = settledMs + 2 * LEADER_TTL_MS + RESTART_MS;
    world.after(leaderMs - world.nowMs, null, () => this.#expectLeader());
    const endMs = settledMs + 2 * LEASE_TTL_MS + WORK_MS;
    world.after(endMs - world.nowMs, null, () => {
      world.fail(NAME, `${endMs - settledMs} ms after all faults: ${this.#simulation.describe()}`);
    });
  }

  #expectLeader(): void {
    const { coordinators, world, truth } = this.#simulation;
    if (world.isOver) return;
    const leaders = coordinators.filter((coordinator) => coordinator.leads);
    if (leaders.length !== 1) {
      world.fail(
        NAME,
        `${leaders.length} leaders ${world.nowMs - this.#settledMs} ms after all faults`,
      );
    }
    this.#epoch = truth.epoch;
  }

  /** A node that is gone for good and still has a rank; null when there is none. */
  get silentMember(): string | null {
    const { agents, truth, world } = this.#simulation;
    if (world.scene.wildClocks) return null;
    const gone = agents.find(
      ({ isLost, jobId, nodeId }) => isLost && truth.jobs.get(jobId)?.nodes.has(nodeId),
    );
    return gone?.nodeId ?? null;
  }

  /** A lease ran out under a node that lives: once there are no faults its renewals are answered in time. */
  onRunOut({ process }: Agent): void {
    const { world } = this.#simulation;
    const { isFaulty, scene } = world;
    // A coordinator with room for few requests refuses others for as long as there is much to do.
    if (isFaulty || scene.wildClocks || scene.queueMax < QUEUE_ROOMY) return;
    const calmMs = world.nowMs - this.#settledMs;
    if (calmMs < CALM_MS) return;
    world.fail(NAME, `${process.name} loses a lease by time, ${calmMs} ms after all faults`);
  }

  #expectNoSilentMember(): void {
    const { coordinators, world } = this.#simulation;
    const leader = coordinators.find(({ leads }) => leads);
    const sinceMs = Math.max(this.#settledMs, leader?.servingSinceMs ?? Infinity);
    const silent = world.nowMs - sinceMs < SILENT_MS ? null : this.silentMember;
    if (silent !== null) world.fail(NAME, `${silent} is gone, and keeps its rank`);
  }

  /** At the end of a world. */
  end(): void {
    this.#expectNoSilentMember();
    const { coordinators, world, truth, agents } = this.#simulation;
    if (this.#epoch !== 0 && truth.epoch !== this.#epoch) {
      world.fail(
        NAME,
        `the lead changed from epoch ${this.#epoch} to ${truth.epoch} without a fault`,
      );
    }
    for (const { candidacy, process } of coordinators) {
      if (!process.isAlive || candidacy.view.appliedSeq === truth.tailSeq) continue;
      world.fail(
        NAME,
        `${process.name} stands at ${candidacy.view.appliedSeq} of ${truth.tailSeq} entries`,
      );
    }
    const sinceMs = world.nowMs - DECIDED_MS;
    for (const { client, process } of agents) {
      // Whoever was killed after its job was done waits for nothing any more.
      const call = process.isAlive ? client.undecidedSince(sinceMs) : null;
      if (call !== null) world.fail(NAME, `${call} of ${process.name} was not decided in time`);
    }
    for (const coordinator of coordinators) {
      // A client gives up by itself: that a coordinator has forgotten it shows only here.
      const { process } = coordinator;
      const held = process.isAlive ? coordinator.undecidedSince(sinceMs) : null;
      if (held !== null) world.fail(NAME, `${process.name} holds a ${held} that it never decides`);
    }
  }
}
