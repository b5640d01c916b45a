/** A coordinator, a folder of small files and agents on them: for tests of jobs in real processes. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { startAgent, type AgentHandle, type AgentOptions } from '../../src/agent/index.ts';
import { startCoordinator, type CoordinatorServer } from '../../src/coordinator/index.ts';
import { nodeId } from '../../src/core/base/units.ts';
import type { JobSpec, NodeCaps } from '../../src/core/job/protocol.ts';
import { MemoryLog, MemoryLogDisk } from '../../src/log/memory-log.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import {
  MemoryManifestStore,
  RecordingEvents,
  TEST_CAPS,
  testSpec,
} from '../../src/testing/index.ts';
import { GrpcCoordinatorClient } from '../../src/wire/grpc-coordinator-client.ts';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts';

const DOOR = new URL('../../src/job/index.ts', import.meta.url).href;
const AGENT_PROCESS = fileURLToPath(new URL('./agent-process.ts', import.meta.url));

export const CAPS: NodeCaps = { ...TEST_CAPS, maxInflightBytes: 8 * 2 ** 20, maxRamBytes: 2 ** 30 };

export interface OutputRow {
  readonly location: string;
  readonly text: string;
}

export interface StoredObjects {
  readonly location: (id: number) => string;
  readonly byteLength: (id: number) => number;
}

type AgentChanges = Partial<Omit<AgentOptions, 'client' | 'clock' | 'random' | 'jobId' | 'nodeId'>>;

export class AgentBench implements AsyncDisposable {
  readonly folder: TemporaryFolder;
  readonly spec: JobSpec;
  readonly events: RecordingEvents = new RecordingEvents();
  readonly lines: string[] = [];
  readonly #disk: MemoryLogDisk = new MemoryLogDisk();
  readonly #manifests: MemoryManifestStore;
  #server: CoordinatorServer | null = null;
  #port = 0;
  readonly #agents: AgentHandle[] = [];
  readonly #clients: GrpcCoordinatorClient[] = [];
  readonly #children: ChildProcess[] = [];

  private constructor(folder: TemporaryFolder, manifests: MemoryManifestStore, spec: JobSpec) {
    this.folder = folder;
    this.#manifests = manifests;
    this.spec = spec;
  }

  /** `samples` files whose text is their own number, or objects that are elsewhere, and a job over them. */
  static async create(
    samples: number,
    changes: Partial<JobSpec> = {},
    objects: StoredObjects | null = null,
  ): Promise<AgentBench> {
    const folder = await temporaryFolder();
    const name = (id: number): string => `in/doc-${String(id).padStart(4, '0')}.txt`;
    const files = Array.from({ length: samples }, (_, id) => [name(id), `text ${id}`] as const);
    if (objects === null) await folder.write(Object.fromEntries(files));
    const manifests = new MemoryManifestStore();
    const location = objects?.location ?? ((id: number) => folder.join(name(id)));
    const hash = await manifests.putFiles(samples, location, objects?.byteLength ?? null);
    const spec = testSpec(hash, {
      sampleCount: samples,
      worldSize: 4,
      leaseTtlMs: 2_000,
      heartbeatIntervalMs: 200,
      commitsOutputs: true,
      ...changes,
    });
    const bench = new AgentBench(folder, manifests, spec);
    await bench.startCoordinator();
    return bench;
  }

  get out(): string {
    return this.folder.join('out');
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get server(): CoordinatorServer {
    assert(this.#server !== null, 'the coordinator runs');
    return this.#server;
  }

  async startCoordinator(): Promise<void> {
    this.#server = await startCoordinator({
      log: new MemoryLog(this.#disk),
      manifests: this.#manifests,
      clock: nodeClock(),
      random: nodeRandom(),
      events: this.events,
      bind: { host: '127.0.0.1', port: this.#port },
      jobs: [this.spec],
      tickIntervalMs: 20,
      onFatal: (error) => this.events.emit('error', 'fatal', { message: error.message }),
    });
    this.#port = this.#server.port;
  }

  async stopCoordinator(): Promise<void> {
    await this.#server?.stop();
    this.#server = null;
  }

  /** Writes a job module; `body` is what follows the imports. */
  async job(body: string): Promise<string> {
    const path = this.folder.join('probe.job.ts');
    const imports = `import { defineJob, files, jsonl, tar } from '${DOOR}';\n`;
    await writeFile(path, imports + body);
    return path;
  }

  async agent(name: string, jobFile: string, changes: AgentChanges = {}): Promise<AgentHandle> {
    const client = new GrpcCoordinatorClient({
      coordUrl: `127.0.0.1:${this.#port}`,
      clock: nodeClock(),
      random: nodeRandom(),
    });
    this.#clients.push(client);
    const agent = await startAgent({
      client,
      clock: nodeClock(),
      random: nodeRandom(),
      events: this.events,
      jobId: this.spec.jobId,
      nodeId: nodeId(name),
      work: { type: 'job', jobFile, out: this.out },
      caps: CAPS,
      progressIntervalMs: 100,
      commitIntervalMs: 200,
      writeWorkerLine: (line) => this.lines.push(line),
      ...changes,
    });
    this.#agents.push(agent);
    return agent;
  }

  /** An agent in a process of its own, to be killed. */
  agentProcess(name: string, jobFile: string, options: Record<string, unknown> = {}): ChildProcess {
    const [, , settings = ''] = this.agentCommand(name, jobFile, options);
    const child = fork(AGENT_PROCESS, [settings], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.lines.push(text));
    this.#children.push(child);
    return child;
  }

  /** The command line of such a process. */
  agentCommand(name: string, jobFile: string, options: Record<string, unknown> = {}): string[] {
    const settings = { coordUrl: `127.0.0.1:${this.#port}`, name, jobFile, out: this.out };
    return [process.execPath, AGENT_PROCESS, JSON.stringify({ ...settings, ...options })];
  }

  /** The output data set as its manifest says: one entry a record, in order. */
  async rows(): Promise<readonly OutputRow[]> {
    const manifest = readFileSync(`${this.out}/_mx8/manifest.tsv`, 'utf8');
    const lines = manifest.split('\n').slice(1, -1);
    return lines.map((line, at) => {
      const [id, location = '', offset, length] = line.split('\t');
      assert.equal(id, String(at));
      const bytes = readFileSync(location);
      const from = Number(offset);
      const part = offset === '' ? bytes : bytes.subarray(from, from + Number(length));
      return { location, text: part.toString() };
    });
  }

  /** The entries of the output folder, without MX8's own. */
  async outputNames(): Promise<readonly string[]> {
    const names = await readdir(this.out);
    return names.filter((name) => name !== '_mx8').sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await Promise.all(this.#agents.map((agent) => agent.stop()));
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.stopCoordinator();
    await this.folder[Symbol.asyncDispose]();
  }
}
