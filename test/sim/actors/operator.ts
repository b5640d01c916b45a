/** The person at the jobs: creates them, interferes, sets them going again, each until it is answered. */
import type { JobId } from '../../../src/core/base/units.ts';
import type { Operation } from '../../../src/core/job/operations.ts';
import type { Command, JobSpec } from '../../../src/core/job/protocol.ts';
import type { Intervention } from '../scene.ts';
import type { Simulation } from '../simulation.ts';
import { Process } from '../world/process.ts';
import { Client } from './client.ts';

const ASK_AGAIN_MS = 150;
const FORGET_AGAIN_MS = 90;

export class Operator {
  readonly #simulation: Simulation;
  readonly #client: Client;
  readonly process: Process;
  #againLeft: number;
  #owes = 0;

  constructor(simulation: Simulation, place: number) {
    const { world, network, coordinators } = simulation;
    this.#simulation = simulation;
    this.#againLeft = world.scene.again;
    this.process = new Process(world, 'operator', place);
    this.#client = new Client(world, network, coordinators, this.process, { onPush: () => null });
  }

  start(): void {
    const { scene, chance } = this.#simulation.world;
    for (const spec of scene.jobs) this.#insist(() => ({ type: 'create_job', spec }));
    for (const intervention of scene.interventions) {
      this.process.later(chance.between(200, 1300), () => this.#interfere(intervention));
    }
    if (scene.forgets) {
      for (const spec of scene.jobs) {
        const { jobId } = spec;
        this.process.later(chance.between(100, 900), () => this.#forget(jobId));
      }
    }
    this.#watch();
  }

  /** Jobs that are to be made again and are not there yet. */
  get owes(): number {
    return this.#owes;
  }

  /** A job was forgotten. In some worlds its name is used again. */
  onForgotten(spec: JobSpec): void {
    if (this.#againLeft === 0) return;
    this.#againLeft -= 1;
    this.#owes += 1;
    const { chance } = this.#simulation.world;
    this.process.later(chance.pick([1, 50, 600]), () => {
      this.#insist(
        () => ({ type: 'create_job', spec }),
        () => {
          this.#owes -= 1;
        },
      );
    });
  }

  /** As `mx8 forget` does: looks which job has that name, and says of that one that it is to go. */
  #forget(jobId: JobId): void {
    this.#client.ask({ type: 'get_snapshot', jobId }, (body) => {
      if (this.#simulation.isEnding) return;
      const token = body.type === 'snapshot' ? body.jobToken : undefined;
      if (token === undefined) this.process.later(FORGET_AGAIN_MS, () => this.#forget(jobId));
      else this.#forgetOne(jobId, token);
    });
    this.#client.flush();
  }

  /** Says so again until it is gone, whatever it is refused for. */
  #forgetOne(jobId: JobId, jobToken: string): void {
    const operation = { type: 'forget', jobToken } as const;
    this.#client.ask({ type: 'operate', jobId, operation, dryRun: false }, (body) => {
      if (body.type === 'operated' || this.#simulation.isEnding) return;
      this.process.later(FORGET_AGAIN_MS, () => this.#forgetOne(jobId, jobToken));
    });
    this.#client.flush();
  }

  /** A job that stands still because somebody stopped it is set going again. */
  #watch(): void {
    const { world, truth } = this.#simulation;
    this.process.later(world.isFaulty ? 700 : 200, () => {
      for (const twin of truth.jobs.values()) {
        if (twin.isPaused) this.#operate(twin.spec.jobId, { type: 'resume' });
        if (twin.phase !== 'failed' && twin.phase !== 'draining') continue;
        this.#insist(() => ({ type: 'resume_job', jobId: twin.spec.jobId }));
      }
      this.#watch();
    });
  }

  #interfere(intervention: Intervention): void {
    const [twin] = this.#simulation.truth.jobs.values();
    if (twin === undefined) return;
    const { jobId } = twin.spec;
    this.#simulation.world.say(() => `the operator: ${intervention}`);
    const agent = this.#simulation.world.chance.pick(this.#simulation.agents);
    switch (intervention) {
      case 'drain':
        this.#insist(() => ({ type: 'drain_job', jobId: twin.spec.jobId }));
        return;
      case 'fail': {
        const working = this.#simulation.agents.find(
          ({ holder }) => holder.mode.type === 'working',
        );
        working?.process.later(0, () => {
          working.tell({ type: 'fail', code: 'job_failed', message: 'told to' });
        });
        return;
      }
      case 'begin run': {
        // Whoever begins a run knows that no node of the former one lives.
        this.#simulation.endAllNodes();
        const worldSize = 5;
        this.#insist(
          () => ({ type: 'begin_run', jobId: twin.spec.jobId, worldSize }),
          () => this.#simulation.startAllNodes(),
        );
        return;
      }
      case 'pause':
        this.#operate(jobId, { type: 'pause' });
        return;
      case 'drain node':
        this.#operate(jobId, { type: 'drain', nodeId: agent.nodeId });
        return;
      case 'release node':
        this.#operate(jobId, { type: 'release_node', nodeId: agent.nodeId });
        return;
      case 'release lease': {
        const lease = [...twin.leases.values()].find(({ ended }) => ended === null);
        if (lease === undefined) return;
        this.#operate(jobId, { type: 'release_lease', leaseId: lease.id });
        return;
      }
      default:
        intervention satisfies never;
    }
  }

  /** What is refused (the node is gone, the job is over) is decided too. */
  #operate(jobId: JobId, operation: Operation): void {
    this.#client.ask({ type: 'operate', jobId, operation, dryRun: false }, () => undefined);
    this.#client.flush();
  }

  /** The command is made anew each time: the job may have taken another id since. */
  #insist(command: () => Command, then: () => void = () => undefined): void {
    this.#client.ask(command(), (body) => {
      if (body.type !== 'refused' || body.code === 'job_exists') then();
      else this.process.later(ASK_AGAIN_MS, () => this.#insist(command, then));
    });
    this.#client.flush();
  }
}
