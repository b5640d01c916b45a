/** The store of the coordinators' state where it is not a folder: a real etcd, of one member or three. */
import { execFile } from 'node:child_process';
import { arch } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../support/free-port.ts';
import { Child } from './child.ts';
import type { HistoryItem } from './history.ts';
import { type Network, STORE_PORTS } from './network.ts';
import type { PlannedFault } from './plan.ts';

export type StateKind = 'sqlite' | 'etcd' | 'etcd3';

export const STATE_KINDS: readonly StateKind[] = ['sqlite', 'etcd', 'etcd3'];

const PROBE = fileURLToPath(new URL('etcd-probe.ts', import.meta.url));
const AWAY_MS_MAX = 3000;
const PAUSE_MS_MAX = 5000;

interface Member {
  readonly child: Child;
  readonly clientPort: number;
}

export class Store implements AsyncDisposable {
  readonly #members: readonly Member[];
  readonly #network: Network | null;

  private constructor(members: readonly Member[], network: Network | null) {
    this.#members = members;
    this.#network = network;
  }

  /** Null when the state is in a folder. */
  static async start(
    kind: StateKind,
    network: Network | null,
    folder: string,
    record: (item: HistoryItem) => void,
  ): Promise<Store | null> {
    if (kind === 'sqlite') return null;
    const members = await layOut(kind === 'etcd' ? 1 : 3, network, folder, record);
    const store = new Store(members, network);
    for (const { child } of members) child.start();
    await store.#probe('health');
    return store;
  }

  /** For the coordinator at `index`, which has a way of its own to the store. */
  urlFor(index: number): string {
    const host = this.#network?.storeHostFor(index) ?? '127.0.0.1';
    const endpoints = this.#members.map(({ clientPort }) => `${host}:${clientPort}`);
    return `etcd://${endpoints.join(',')}/chaos`;
  }

  /** The member that a fault is for. */
  async memberFor({ kind, draw }: PlannedFault): Promise<Child | null> {
    const any = Math.floor(draw * this.#members.length);
    const index = kind === 'kill-store-member' ? any : Number(await this.#probe('leader'));
    return this.#members[index]?.child ?? null;
  }

  async strike({ kind, extent }: PlannedFault, member: Child): Promise<void> {
    if (kind === 'pause-store-leader') {
      member.signal('SIGSTOP', kind);
      await sleep(extent * PAUSE_MS_MAX);
      member.signal('SIGCONT', '');
      return;
    }
    member.signal('SIGKILL', kind);
    await member.ended;
    await sleep(extent * AWAY_MS_MAX);
    member.start();
  }

  heal(): void {
    for (const { child } of this.#members) {
      child.signal('SIGCONT', '');
      child.start();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#members) child.signal('SIGKILL', 'the run is over');
    await Promise.all(this.#members.map(({ child }) => child.ended));
  }

  #probe(question: 'health' | 'leader'): Promise<string> {
    const urls = this.#members.map(({ clientPort }) => `http://127.0.0.1:${clientPort}`);
    const command = [process.execPath, PROBE, question, ...urls];
    const [program = '', ...args] = [...(this.#network?.hub ?? []), ...command];
    return new Promise((resolve, reject) => {
      execFile(program, args, (error, stdout) => {
        if (error === null) resolve(stdout.trim());
        else reject(new Error(`etcd was asked for its ${question} in vain`, { cause: error }));
      });
    });
  }
}

async function layOut(
  count: number,
  network: Network | null,
  folder: string,
  record: (item: HistoryItem) => void,
): Promise<readonly Member[]> {
  const plans: { readonly name: string; readonly clientPort: number; readonly peer: string }[] = [];
  for (let index = 0; index < count; index += 1) {
    const clientPort = network === null ? await freePort() : STORE_PORTS.first + index;
    const peerPort = network === null ? await freePort() : STORE_PORTS.last + 1 + index;
    plans.push({ name: `e${index}`, clientPort, peer: `http://127.0.0.1:${peerPort}` });
  }
  const cluster = plans.map(({ name, peer }) => `${name}=${peer}`).join(',');
  const host = network === null ? '127.0.0.1' : '0.0.0.0';
  return plans.map(({ name, clientPort, peer }) => {
    const flags = {
      name,
      'data-dir': join(folder, name),
      'listen-client-urls': `http://${host}:${clientPort}`,
      'advertise-client-urls': `http://127.0.0.1:${clientPort}`,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': cluster,
      'initial-cluster-token': folder,
      'log-level': 'error',
    };
    const command = ['etcd', ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)];
    const environment: Readonly<Record<string, string>> =
      arch() === 'arm64' ? { ETCD_UNSUPPORTED_ARCH: 'arm64' } : {};
    const prefix = network?.hub ?? [];
    const child = new Child({
      ...{ name, role: 'store', prefix, command, environment, folder, record },
    });
    return { child, clientPort };
  });
}
