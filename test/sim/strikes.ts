/** What befalls the processes and the ways between them: each fault in one place, and counted. */
import type { Agent } from './actors/agent.ts';
import type { Coordinator } from './actors/coordinator.ts';
import { LEADER_TTL_MS, LEASE_TTL_MS, type Strike } from './scene.ts';
import type { Simulation } from './simulation.ts';
import { phaseBit } from './world/coverage.ts';
import { STORE_PLACE } from './world/network.ts';

/** Strikes that can be aimed at a coordinator in the middle of something. */
const AT_COORDINATOR: ReadonlySet<Strike> = new Set<Strike>([
  'kill coordinator',
  'short pause',
  'long pause',
  'stall',
  'wall clock',
  'monotonic clock',
  'cut store',
  'cut nodes',
  'one way',
  'reset',
  'hand over',
  'revoke lead',
]);

/** What may befall a node that was just chosen to publish a job's outputs. */
const AT_FINALIZER: ReadonlySet<Strike> = new Set<Strike>(['kill node', 'pause node', 'lose node']);
const FINALIZER_PERMILLE = 300;
const LATE_PERMILLE = 600;

/** What ends a lead although the leader lives and reaches the store. */
const IN_THE_DARK: readonly Strike[] = ['monotonic clock', 'revoke lead'];

/** Phases that are short and seldom are aimed at more often. */
const RARE =
  phaseBit('snapshot') |
  phaseBit('trim') |
  phaseBit('claim to replay') |
  phaseBit('outcome unknown') |
  phaseBit('commit of the last range');
const RARE_FACTOR = 6;

export class Strikes {
  readonly #simulation: Simulation;
  readonly #aimed: readonly Strike[];

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
    this.#aimed = simulation.world.scene.strikes.filter((strike) => AT_COORDINATOR.has(strike));
  }

  /** From time to time something strikes somebody. */
  begin(): void {
    const { world } = this.#simulation;
    const { everyMs } = world.scene.rates;
    if (everyMs === 0 || world.scene.strikes.length === 0) return;
    world.after(world.chance.between(everyMs >> 1, everyMs * 2), null, () => {
      if (!world.isFaulty) return;
      this.strike(world.chance.pick(world.scene.strikes), this.#target());
      this.begin();
    });
  }

  /** A coordinator's phase has changed: now and then something strikes it right there. */
  aim(coordinator: Coordinator): void {
    const { world } = this.#simulation;
    const { aimed } = world.scene.rates;
    if (aimed === 0 || this.#aimed.length === 0) return;
    const permille = (coordinator.phases & RARE) === 0 ? aimed : aimed * RARE_FACTOR;
    if (!world.chance.happens(permille)) return;
    this.strike(world.chance.pick(this.#aimed), coordinator);
  }

  /** A leader writes and will not hear what comes of it: in some worlds its lead ends right there. */
  aimInTheDark(coordinator: Coordinator): void {
    const { world } = this.#simulation;
    if (!world.isFaulty || !world.chance.happens(world.scene.rates.inTheDark)) return;
    this.strike(world.chance.pick(IN_THE_DARK), coordinator);
  }

  /** A node was chosen to publish: now and then it does not live to do so. */
  aimAtFinalizer(job: string, node: string): void {
    const { world, agents } = this.#simulation;
    const { chance, scene } = world;
    const own = scene.strikes.filter((strike) => AT_FINALIZER.has(strike));
    if (!world.isFaulty || own.length === 0 || !chance.happens(FINALIZER_PERMILLE)) return;
    const agent = agents.find(({ jobId, nodeId }) => jobId === job && nodeId === node);
    if (agent === undefined) return;
    const [strike, coordinator] = [chance.pick(own), this.#target()];
    world.after(chance.between(1, 200), null, () => {
      if (!world.isFaulty) return;
      world.say(() => `strike: ${strike} (${agent.process.name}, to publish)`);
      this.#strikeOther(strike, coordinator, agent);
    });
  }

  /** A job is over, and its name may be used again: now and then one of its nodes hears of that late. */
  aimAtLate(job: string): void {
    const { world, agents } = this.#simulation;
    const { chance, scene, coverage } = world;
    if (!world.isFaulty || scene.again === 0 || !chance.happens(LATE_PERMILLE)) return;
    const left = agents.filter(
      ({ jobId, process, outcome }) => jobId === job && process.isAlive && outcome === null,
    );
    if (left.length === 0) return;
    const agent = chance.pick(left);
    world.say(() => `strike: pause node (${agent.process.name}, whose job is over)`);
    coverage.count('node paused', this.#target().phases);
    agent.process.pause(LEASE_TTL_MS + chance.between(300, 1500));
  }

  /** Mostly the leader. */
  #target(): Coordinator {
    const { coordinators, world } = this.#simulation;
    const leader = coordinators.find((coordinator) => coordinator.leads);
    return leader !== undefined && world.chance.happens(600)
      ? leader
      : world.chance.pick(coordinators);
  }

  strike(strike: Strike, coordinator: Coordinator): void {
    const { world } = this.#simulation;
    world.say(() => `strike: ${strike} (${coordinator.process.name})`);
    world.mix(coordinator.place, world.nowMs);
    if (AT_COORDINATOR.has(strike)) this.#strikeCoordinator(strike, coordinator);
    else this.#strikeOther(strike, coordinator, world.chance.pick(this.#simulation.agents));
  }

  #strikeCoordinator(strike: Strike, coordinator: Coordinator): void {
    const { world, network } = this.#simulation;
    const { coverage, chance } = world;
    const { phases, process, place } = coordinator;
    switch (strike) {
      case 'kill coordinator':
        coverage.count('coordinator killed', phases);
        coordinator.kill();
        return;
      case 'short pause':
        coverage.count('coordinator paused below its TTL', phases);
        process.pause(chance.between(50, 600));
        return;
      case 'stall':
        coverage.count('event loop stalled', phases);
        process.pause(chance.between(600, LEADER_TTL_MS - 50));
        return;
      case 'long pause':
        coverage.count('coordinator paused above its TTL', phases);
        process.pause(chance.between(LEADER_TTL_MS + 100, LEADER_TTL_MS + 900));
        return;
      case 'wall clock':
        coverage.count('wall clock set', phases);
        process.jump(chance.between(-3_600_000, 3_600_000), false);
        return;
      case 'monotonic clock':
        coverage.count('monotonic clock jumped', phases);
        // Not in the middle of what is done in one go: whoever looks at the clock answers at once.
        world.onceSettled(() => process.jump(chance.between(10, 4000), true));
        return;
      case 'cut store':
        coverage.count('leader cut from the store', phases);
        this.#cut(place, STORE_PLACE, chance.between(50, 2500));
        return;
      case 'cut nodes':
        coverage.count('leader cut from the nodes', phases);
        for (const agent of this.#simulation.agents) {
          this.#cut(place, agent.place, chance.between(200, 3000));
        }
        return;
      case 'one way': {
        coverage.count('one way cut', phases);
        const other = chance.happens(500)
          ? STORE_PLACE
          : chance.pick(this.#simulation.agents).place;
        const durationMs = chance.between(100, 2500);
        if (chance.happens(500)) network.cut(place, other, durationMs);
        else network.cut(other, place, durationMs);
        return;
      }
      case 'reset':
        coverage.count('connections reset', phases);
        this.#simulation.resetClientsOf(place);
        return;
      case 'hand over':
        coverage.count('hand-over planned', phases);
        coordinator.handOver();
        return;
      case 'revoke lead':
        coverage.count('lead taken', phases);
        this.#simulation.takeLead();
        return;
      default:
    }
  }

  #strikeOther(strike: Strike, coordinator: Coordinator, agent: Agent): void {
    const { world, coordinators } = this.#simulation;
    const { coverage, chance } = world;
    const { phases } = coordinator;
    switch (strike) {
      case 'kill node':
        coverage.count('node killed', phases);
        if (agent.kill()) this.#tellDeathOf(agent);
        return;
      case 'pause node':
        coverage.count('node paused', phases);
        agent.process.pause(chance.between(100, LEASE_TTL_MS + 500));
        return;
      case 'cut node':
        coverage.count('node cut from the leader', phases);
        this.#cut(agent.place, coordinator.place, chance.between(200, 3000));
        return;
      case 'double id':
        coverage.count('node id used twice', phases);
        this.#simulation.startDouble(agent);
        return;
      case 'lose node':
        coverage.count('node lost for good', phases);
        this.#simulation.loseNode(agent);
        return;
      case 'rolling restart':
        coverage.count('rolling restart', phases);
        coordinators.forEach((one, index) => {
          world.after(index * chance.between(200, 900), null, () => one.handOver());
        });
        return;
      default:
    }
  }

  /** Whoever started it does, of the process that it saw end, and of no other under its id. */
  #tellDeathOf({ jobId, nodeId, instanceId }: Agent): void {
    const { world, coordinators, truth } = this.#simulation;
    if (!world.scene.tellsOfDeaths) return;
    if (truth.jobs.get(jobId)?.nodes.get(nodeId)?.instance !== instanceId) return;
    const leader = coordinators.find((one) => one.leads);
    const phases = leader?.phases ?? 0;
    if (leader?.hearOfDeath(jobId, nodeId, instanceId) !== true) return;
    world.coverage.count('death of a node told', phases);
  }

  #cut(a: number, b: number, durationMs: number): void {
    const { network } = this.#simulation;
    network.cut(a, b, durationMs);
    network.cut(b, a, durationMs);
  }
}
