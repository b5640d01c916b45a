/** What an operator of the runbook has before them: two coordinators, jobs, agents, and a shell. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

import { jobId } from '../../src/core/base/units.ts';
import type { JobSnapshot } from '../../src/core/job/protocol.ts';
import { checkOutput } from './check-output.ts';
import { Coordinators } from './coordinators.ts';
import { type Mx8, until, Workbench } from './mx8-process.ts';
import { readRunbook, unseenLine } from './runbook.ts';
import { ROOT } from './tidy/sources.ts';

const RUNBOOK = readRunbook();

export interface Typed {
  readonly code: number | null;
  /** What was printed, errors as well. */
  readonly output: string;
}

export class RunbookWorld implements AsyncDisposable {
  readonly bench: Workbench;
  readonly cluster: Coordinators;
  /** Blocks of the runbook that were executed. */
  readonly executed: Set<string> = new Set<string>();

  private constructor(bench: Workbench, cluster: Coordinators) {
    this.bench = bench;
    this.cluster = cluster;
  }

  static async create(): Promise<RunbookWorld> {
    const bench = await Workbench.create();
    await mkdir(bench.path('home'));
    // Nodes that wait would take the work of one that stands still before anybody has typed anything.
    const args = ['--state', bench.path('state'), '--relief', 'off'];
    const cluster = await Coordinators.create(bench, 2, args, { MX8_LOG: 'info' });
    return new RunbookWorld(bench, cluster);
  }

  /** Leader and standby serve. */
  async serve(): Promise<void> {
    for (const index of [0, 1]) this.cluster.start(index);
    await this.cluster.leader();
    for (const index of [0, 1]) {
      await until('both serve', async () => (await this.cluster.view(index)) !== null);
    }
  }

  /** Both coordinators end and serve again. */
  async restart(): Promise<void> {
    for (const index of [0, 1]) {
      const mx8 = this.cluster.mx8(index);
      mx8.child.kill('SIGTERM');
      await mx8.ended;
    }
    await this.serve();
  }

  /** Types the block as it is printed; `code` and what the runbook shows must come of it. */
  async type(
    name: string,
    job: string,
    code: number,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<Typed> {
    const block = RUNBOOK.blocks.get(name);
    assert(block !== undefined, `docs/runbook.md has a block run=${name}`);
    this.executed.add(name);
    const typed = await this.#shell(block.script, { MX8_JOB_ID: job, ...variables });
    const said = `${block.script}\n${typed.output}`;
    assert.equal(typed.code, code, said);
    assert.equal(unseenLine(block.seen, typed.output, job), null, said);
    return typed;
  }

  async #shell(script: string, variables: Readonly<Record<string, string>>): Promise<Typed> {
    // A test that is typed is not a part of this one.
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const child = spawn('bash', ['-c', script], {
      cwd: ROOT,
      env: {
        ...environment,
        PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
        HOME: this.bench.path('home'),
        NPM_CONFIG_UPDATE_NOTIFIER: 'false',
        MX8_COORD_URL: this.cluster.url,
        MX8_MANIFEST_STORE_ROOT: this.bench.path('manifests'),
        ...variables,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const take = (text: string): void => void (output += text);
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output };
  }

  async submit(job: string, words: readonly string[]): Promise<void> {
    const ended = await this.bench.run(['submit', ...words, '--job-id', job], {
      MX8_COORD_URL: this.cluster.url,
    });
    assert.equal(ended.code, 0, ended.stderr);
  }

  agent(
    job: string,
    name: string,
    words: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Mx8 {
    const own = ['--job-id', job, '--node-id', name, '--coord-url', this.cluster.url];
    return this.bench.start(['agent', ...words, ...own], environment);
  }

  async snapshot(job: string): Promise<JobSnapshot> {
    return this.cluster.client.snapshot(jobId(job));
  }

  async isCompleted(job: string): Promise<boolean> {
    return (await this.snapshot(job)).phase === 'completed';
  }

  /** Each sample of the job's input is in its output once, or in its quarantine. */
  async assertOutputWhole(job: string, out: string): Promise<void> {
    const { spec } = await this.snapshot(job);
    const report = checkOutput(this.bench.path('manifests', 'by-hash', spec.manifestHash), out);
    const { missing, repeated, foreign, altered } = report;
    assert.deepEqual([missing, repeated, foreign, altered], [[], [], [], []]);
    assert.equal(report.rows + report.quarantined, spec.sampleCount);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await this.bench[Symbol.asyncDispose]();
  }
}

/** Blocks of the runbook that nobody typed. */
export function untyped(executed: ReadonlySet<string>): readonly string[] {
  return [...RUNBOOK.blocks.keys()].filter((name) => !executed.has(name));
}
