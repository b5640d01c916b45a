/** A job of the runbook's tests whose trouble is switched on by files in a folder. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { type Mx8, until } from './mx8-process.ts';
import { descendants } from './processes.ts';
import type { RunbookWorld } from './runbook-world.ts';

const JOB_FILE = fileURLToPath(new URL('./jobs/trouble.job.ts', import.meta.url));

/** See `jobs/trouble.job.ts`. */
type Cause = 'hang' | 'pace' | 'rss';

export class Trouble {
  readonly job: string;
  readonly #world: RunbookWorld;

  private constructor(world: RunbookWorld, job: string) {
    this.#world = world;
    this.job = job;
  }

  /** A job of the samples in `in`, in blocks of 8, for up to three nodes. */
  static async submit(
    world: RunbookWorld,
    job: string,
    words: readonly string[] = [],
  ): Promise<Trouble> {
    await mkdir(world.bench.path(`trouble-${job}`));
    const shape = ['--block-size', '8', '--world-size', '3', '--min-world-size', '1'];
    await world.submit(job, [JOB_FILE, '--data', world.bench.path('in'), ...shape, ...words]);
    return new Trouble(world, job);
  }

  get out(): string {
    return this.#world.bench.path(`out-${this.job}`);
  }

  async cause(what: Cause, value: number): Promise<void> {
    await writeFile(this.#world.bench.path(`trouble-${this.job}`, what), String(value));
  }

  async mend(what: Cause): Promise<void> {
    await rm(this.#world.bench.path(`trouble-${this.job}`, what));
  }

  agent(name: string, words: readonly string[] = [], slowness = 1): Mx8 {
    const folder = this.#world.bench.path(`trouble-${this.job}`);
    const environment = { TEST_TROUBLE: folder, TEST_SLOWNESS: String(slowness), MX8_LOG: 'info' };
    return this.#world.agent(this.job, name, [JOB_FILE, '--out', this.out, ...words], environment);
  }

  /** Ids of the leases that a node holds. */
  async held(nodeId: string): Promise<readonly string[]> {
    const { liveLeases } = await this.#world.snapshot(this.job);
    return liveLeases.filter((lease) => lease.nodeId === nodeId).map(({ leaseId }) => leaseId);
  }

  async committed(): Promise<number> {
    return (await this.#world.snapshot(this.job)).samples.committed;
  }

  /** Until more is committed than now. */
  async getsOn(): Promise<void> {
    const before = await this.committed();
    await until('the job gets on', async () => (await this.committed()) > before);
  }

  /** Each sample is in the output once, or in the quarantine. */
  async completes(): Promise<void> {
    await until('the job completes', () => this.#world.isCompleted(this.job), 60_000);
    await this.#world.assertOutputWhole(this.job, this.out);
  }
}

/** Stops or continues an agent and its workers, as a machine that stands still. */
export function signalAll(agent: Mx8, signal: 'SIGSTOP' | 'SIGCONT'): void {
  for (const pid of [agent.pid, ...descendants(agent.pid).map((one) => one.pid)]) {
    process.kill(pid, signal);
  }
}
