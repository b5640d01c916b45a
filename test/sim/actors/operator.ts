/** The person at the jobs: creates them, interferes, sets them going again, each until it is answered. */
import type { Command } from '../../../src/core/job/protocol.ts';
import type { Intervention } from '../scene.ts';
import type { Simulation } from '../simulation.ts';
import { Process } from '../world/process.ts';
import { Client } from './client.ts';

const ASK_AGAIN_MS = 150;

export class Operator {
  readonly #simulation: Simulation;
  readonly #client: Client;
  readonly process: Process;

  constructor(simulation: Simulation, place: number) {
    const { world, network, coordinators } = simulation;
    this.#simulation = simulation;
    this.process = new Process(world, 'operator', place);
    this.#client = new Client(world, network, coordinators, this.process, { onPush: () => null });
  }

  start(): void {
    const { scene, chance } = this.#simulation.world;
    for (const spec of scene.jobs) this.#insist({ type: 'create_job', spec }, () => null);
    for (const intervention of scene.interventions) {
      this.process.later(chance.between(200, 2500), () => this.#interfere(intervention));
    }
    this.#watch();
  }

  /** A job that stands still because somebody stopped it is set going again. */
  #watch(): void {
    const { world, truth } = this.#simulation;
    this.process.later(world.isFaulty ? 700 : 200, () => {
      for (const twin of truth.jobs.values()) {
        if (twin.phase !== 'failed' && twin.phase !== 'draining') continue;
        this.#insist({ type: 'resume_job', jobId: twin.spec.jobId }, () => null);
      }
      this.#watch();
    });
  }

  #interfere(intervention: Intervention): void {
    const [twin] = this.#simulation.truth.jobs.values();
    if (twin === undefined) return;
    const { jobId } = twin.spec;
    this.#simulation.world.say(() => `the operator: ${intervention}`);
    switch (intervention) {
      case 'drain':
        this.#insist({ type: 'drain_job', jobId }, () => null);
        return;
      case 'fail': {
        const agent = this.#simulation.agents.find(({ holder }) => holder.mode.type === 'working');
        agent?.process.later(0, () => {
          agent.tell({ type: 'fail', code: 'job_failed', message: 'told to' });
        });
        return;
      }
      case 'begin run': {
        // Whoever begins a run knows that no node of the former one lives.
        this.#simulation.endAllNodes();
        const worldSize = 5;
        this.#insist({ type: 'begin_run', jobId, worldSize }, () =>
          this.#simulation.startAllNodes(),
        );
        return;
      }
      default:
        intervention satisfies never;
    }
  }

  #insist(command: Command, then: () => void): void {
    this.#client.ask(command, (body) => {
      if (body.type !== 'refused' || body.code === 'job_exists') {
        then();
        return;
      }
      this.process.later(ASK_AGAIN_MS, () => this.#insist(command, then));
    });
    this.#client.flush();
  }
}
