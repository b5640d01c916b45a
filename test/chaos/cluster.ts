/** The cluster that faults are injected into: coordinators on one state, agents with a real job, clients. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../support/free-port.ts';
import { Child } from './child.ts';
import type { ClientSettings } from './client-settings.ts';
import { Clocks } from './clocks.ts';
import type { HistoryItem, Role } from './history.ts';
import { Network } from './network.ts';
import { Store, type StateKind } from './store.ts';
import type { Tools } from './tools.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const CLIENT = fileURLToPath(new URL('client-main.ts', import.meta.url));
const JOB_FILE = fileURLToPath(new URL('../support/jobs/paced.job.ts', import.meta.url));
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning'];

export const LEADER_TTL_MS = 2000;
export const LEASE_TTL_MS = 5000;
export const MAIN_JOB = 'chaos';
const V0_JOB = 'calls-v0';
const V1_JOB = 'calls-v1';

/** Samples that one batch of the job has; three agents work at a time. */
const BATCH = 8;
const AGENTS = 3;

export interface ClusterOptions {
  readonly state: StateKind;
  readonly coordinators: number;
  readonly samples: number;
  /** The job is paced so that it lasts this long. */
  readonly spanMs: number;
  readonly tools: Tools;
}

export class Cluster implements AsyncDisposable {
  readonly folder: string;
  readonly network: Network | null;
  readonly clocks: Clocks;
  readonly store: Store | null;
  readonly history: HistoryItem[];
  readonly coordinators: readonly Child[];
  readonly agents: readonly Child[];
  readonly clients: readonly Child[];
  readonly observer: Child;
  readonly #addresses: readonly string[];
  /** The coordinators that said that they lead, and not yet that they left. */
  readonly #leading: Set<string> = new Set<string>();

  private constructor(
    folder: string,
    addresses: readonly string[],
    network: Network | null,
    store: Store | null,
    history: HistoryItem[],
  ) {
    this.history = history;
    this.folder = folder;
    this.#addresses = addresses;
    this.network = network;
    this.store = store;
    this.clocks = new Clocks(folder);
    this.coordinators = addresses.map((address, index) => this.#coordinator(index, address));
    this.agents = Array.from({ length: AGENTS }, (_, index) => this.#agent(`a${index}`));
    this.clients = [this.#client('v0', [V0_JOB]), this.#client('v1', [V1_JOB])];
    this.observer = this.#client('observe', []);
  }

  static async create(options: ClusterOptions): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), 'mx8-chaos-'));
    const network = options.tools.hasNetwork ? Network.create(options.coordinators) : null;
    try {
      makeInput(join(folder, 'in'), options.samples);
      const addresses: string[] = [];
      for (let index = 0; index < options.coordinators; index += 1) {
        addresses.push(network?.addressOf(index) ?? `127.0.0.1:${await freePort()}`);
      }
      const history: HistoryItem[] = [];
      const record = (item: HistoryItem): void => void history.push(item);
      const store = await Store.start(options.state, network, folder, record);
      const cluster = new Cluster(folder, addresses, network, store, history);
      cluster.setPace(paceMs(options));
      return cluster;
    } catch (error) {
      network?.[Symbol.dispose]();
      throw error;
    }
  }

  /** The database of the log; null when it is not a file. */
  get logPath(): string | null {
    return this.store === null ? join(this.folder, 'state', 'coordinator.sqlite') : null;
  }

  get out(): string {
    return join(this.folder, 'out');
  }

  get manifests(): string {
    return join(this.folder, 'manifests', 'by-hash');
  }

  /** The coordinator that leads, as far as it said; null when none does. */
  get leader(): Child | null {
    return (
      this.coordinators.find((one) => this.#leading.has(one.incarnation) && one.isRunning) ?? null
    );
  }

  get standby(): Child | null {
    const { leader } = this;
    return this.coordinators.find((one) => one !== leader && one.isRunning) ?? null;
  }

  start(): void {
    for (const child of [...this.coordinators, ...this.agents, ...this.clients, this.observer]) {
      child.start();
    }
  }

  /** Milliseconds that a batch takes. */
  setPace(ms: number): void {
    writeFileSync(this.#paceFile, String(Math.round(ms)));
  }

  /** A client that prints how all jobs ended. */
  finalReader(): Child {
    return this.#client('final', [V0_JOB, V1_JOB]);
  }

  record(item: HistoryItem): void {
    this.history.push(item);
    if (item.kind === 'exit') this.#leading.delete(item.process);
    if (item.kind !== 'event') return;
    if (item.event === 'leader_serving') this.#leading.add(item.process);
    if (item.event === 'leader_left') this.#leading.delete(item.process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.coordinators, ...this.agents, ...this.clients, this.observer];
    for (const child of all) child.signal('SIGKILL', 'the run is over');
    await Promise.all(all.map((child) => child.ended));
    await this.store?.[Symbol.asyncDispose]();
    this.network?.[Symbol.dispose]();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  get #paceFile(): string {
    return join(this.folder, 'pace');
  }

  #coordinator(index: number, address: string): Child {
    const state = this.store?.urlFor(index) ?? join(this.folder, 'state');
    const args = [
      ...['--data', join(this.folder, 'in'), '--job-id', MAIN_JOB, '--block-size', '16'],
      ...['--world-size', '8', '--min-world-size', '1', '--lease-ttl-ms', String(LEASE_TTL_MS)],
      ...['--leader-ttl-ms', String(LEADER_TTL_MS), '--state', state, '--bind', address],
      ...(this.network === null ? [] : ['--insecure']),
    ];
    const command = [...NODE, MAIN, 'coordinator', JOB_FILE, ...args];
    const prefix = this.network?.ofCoordinator(index) ?? [];
    return this.#child(`c${index}`, 'coordinator', prefix, command, { MX8_LOG: 'debug' });
  }

  #agent(name: string): Child {
    const args = ['--coord-url', this.#addresses.join(','), '--job-id', MAIN_JOB];
    const command = [
      ...NODE,
      MAIN,
      'agent',
      JOB_FILE,
      ...args,
      '--node-id',
      name,
      '--out',
      this.out,
    ];
    return this.#child(name, 'agent', this.network?.hub ?? [], command, {
      MX8_LOG: 'info',
      TEST_PACE_FILE: this.#paceFile,
    });
  }

  #client(mode: ClientSettings['mode'], jobs: readonly string[]): Child {
    const settings: ClientSettings = {
      ...{ mode, jobs, name: mode, addresses: this.#addresses, mainJob: MAIN_JOB },
      ...{ paceFile: this.#paceFile, samplesPerPace: BATCH * AGENTS },
    };
    const command = [...NODE, CLIENT, JSON.stringify(settings)];
    return this.#child(mode, 'client', this.network?.hub ?? [], command, {});
  }

  #child(
    name: string,
    role: Role,
    prefix: readonly string[],
    command: readonly string[],
    own: Readonly<Record<string, string>>,
  ): Child {
    const stepped = role === 'client' ? {} : this.clocks.environment(name);
    const environment = {
      ...{ MX8_MANIFEST_STORE_ROOT: join(this.folder, 'manifests') },
      ...own,
      ...stepped,
    };
    const { folder } = this;
    const record = (item: HistoryItem): void => this.record(item);
    return new Child({ name, role, prefix, command, environment, folder, record });
  }
}

/** Three agents do a batch each in this time, and so many batches fill the span. */
function paceMs({ spanMs, samples }: ClusterOptions): number {
  return (spanMs * BATCH * AGENTS) / samples;
}

function makeInput(folder: string, samples: number): void {
  mkdirSync(folder);
  for (let index = 0; index < samples; index += 1) {
    const name = `${String(index).padStart(6, '0')}.txt`;
    writeFileSync(join(folder, name), `sample ${index} `.repeat(1 + (index % 7)));
  }
}
