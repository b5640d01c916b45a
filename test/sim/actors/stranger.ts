/**
 * A client that has everything wrong: it reports on leases of others, on leases that ended, from the
 * wrong place and beyond the end, and gives back what is finished. It must change nothing. It speaks in
 * the name of nodes that live, as a confused or delayed process of theirs would.
 */
import type { JobId, NodeId } from '../../../src/core/base/units.ts';
import { IDLE_STATS } from '../../../src/core/job/job-state.ts';
import type { Command } from '../../../src/core/job/protocol.ts';
import type { Simulation } from '../simulation.ts';
import type { Chance } from '../world/chance.ts';
import type { JobTwin, TwinLease } from '../truth/job-twin.ts';
import { Process } from '../world/process.ts';
import { NODE_CAPS } from './agent.ts';
import { Client } from './client.ts';

const EVERY_MS = 120;
const NOTHING_DELIVERED = { deliveredSamples: 0, deliveredBytes: 0 };
const NO_ROWS = { rows: 0, bytes: 0, quarantined: [] };

interface From {
  readonly jobId: JobId;
  readonly nodeId: NodeId;
  readonly instanceId: string;
}

function someOf(chance: Chance, leases: ReadonlyMap<string, TwinLease>): TwinLease | undefined {
  let left = chance.below(leases.size);
  for (const lease of leases.values()) {
    if (left === 0) return lease;
    left -= 1;
  }
  return undefined;
}

export class Stranger {
  readonly #simulation: Simulation;
  readonly #process: Process;
  readonly #client: Client;

  constructor(simulation: Simulation, place: number) {
    const { world, network, coordinators } = simulation;
    this.#simulation = simulation;
    this.#process = new Process(world, 'stranger', place);
    this.#client = new Client(world, network, coordinators, this.#process, { onPush: () => null });
  }

  start(): void {
    this.#process.later(EVERY_MS, () => {
      const { world } = this.#simulation;
      if (!world.isFaulty) return;
      const command = this.#wrongCommand();
      if (command !== null) {
        world.say(() => `the stranger: ${JSON.stringify(command)}`);
        this.#client.ask(command, () => undefined);
        this.#client.flush();
      }
      this.start();
    });
  }

  #wrongCommand(): Command | null {
    const { chance } = this.#simulation.world;
    const { agents, truth } = this.#simulation;
    const agent = chance.pick(agents);
    const twins = truth.ofName(agent.jobId);
    const twin = twins.at(-1);
    if (twin === undefined) return null;
    const own = [...(twin.nodes.get(agent.nodeId)?.live ?? [])];
    const lease =
      own.length > 0 && chance.happens(400)
        ? twin.leases.get(chance.pick(own))
        : // Those of a job that had this name before are nobody's any more.
          someOf(chance, chance.pick(twins).leases);
    if (lease === undefined) return null;
    const isOwn = lease.node === agent.nodeId;
    const from = { jobId: agent.jobId, nodeId: agent.nodeId, instanceId: agent.instanceId };
    const leaseId = lease.id;
    if (chance.happens(300)) return this.#ghost(from, leaseId);
    if (isOwn && lease.ended === null) return this.#misplaced(twin, lease, from);
    switch (chance.below(4)) {
      case 0:
        return { type: 'release', ...from, leaseId };
      case 2:
        return { type: 'renew', ...from, leaseIds: this.#notOwn(twins, lease, from) };
      case 1: {
        // Its own finished lease takes only the repeat of its end.
        const cursor = lease.ended === 'finished' ? lease.end - 1 : lease.end;
        return { type: 'progress', ...from, leaseId, cursor, ...NOTHING_DELIVERED };
      }
      default: {
        const { cursor: start, end } = lease;
        return { type: 'commit', ...from, leaseId, start, end, ...NO_ROWS };
      }
    }
  }

  /** Leases that others hold, that ended, and that never were. */
  #notOwn(twins: readonly JobTwin[], lease: TwinLease, { nodeId }: From): readonly string[] {
    const { chance } = this.#simulation.world;
    const wrong: string[] = [];
    for (let left = chance.below(8); left > 0; left -= 1) {
      const other = someOf(chance, chance.pick(twins).leases);
      const isWrong = other !== undefined && (other.node !== nodeId || other.ended !== null);
      if (isWrong) wrong.push(other.id);
    }
    return [lease.id, ...wrong, 'no lease', '999.1.0'];
  }

  /** A process that nobody started: it is not the node, and must not become it while the node lives. */
  #ghost({ jobId, nodeId }: From, leaseId: string): Command {
    const { chance } = this.#simulation.world;
    const ghost = { jobId, nodeId, instanceId: 'ghost' };
    switch (chance.below(4)) {
      case 0:
        return { type: 'disconnect', ...ghost };
      case 2:
        return { type: 'renew', ...ghost, leaseIds: [leaseId] };
      case 1:
        return { type: 'heartbeat', ...ghost, stats: IDLE_STATS, sentAtUnixMs: 0 };
      default:
        return { type: 'register', ...ghost, caps: NODE_CAPS, resumeFrom: new Uint8Array(0) };
    }
  }

  /** On a lease that lives and is the node's own: from the wrong place, or beyond its end. */
  #misplaced(twin: JobTwin, lease: TwinLease, from: From): Command {
    const { chance } = this.#simulation.world;
    const leaseId = lease.id;
    if (!twin.spec.commitsOutputs || chance.happens(500)) {
      const isBehind = lease.cursor > lease.start && chance.happens(500);
      const cursor = isBehind ? lease.cursor - 1 : lease.end + 1 + chance.below(3);
      return { type: 'progress', ...from, leaseId, cursor, ...NOTHING_DELIVERED };
    }
    // A cursor only grows: it will never stand there again.
    const [start, end] = [lease.cursor - 1, lease.end];
    return { type: 'commit', ...from, leaseId, start, end, ...NO_ROWS };
  }
}
