/** Several coordinators as processes on one state, and who of them leads. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GrpcCoordinatorClient } from '../../src/wire/grpc-coordinator-client.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import type { CoordinatorView } from '../../src/ports/coordinator-client.ts';
import { RawClient } from '../../src/testing/raw-client.ts';
import { coordinatorFrom } from '../../src/wire/v1-coordinator.ts';
import { freePort } from './free-port.ts';
import { type Mx8, until, type Workbench } from './mx8-process.ts';

export interface Candidate {
  readonly index: number;
  readonly address: string;
  readonly mx8: Mx8;
}

export class Coordinators implements AsyncDisposable {
  readonly #bench: Workbench;
  readonly #args: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  readonly addresses: readonly string[];
  readonly #running: Map<number, Mx8> = new Map<number, Mx8>();
  readonly client: GrpcCoordinatorClient;

  private constructor(
    bench: Workbench,
    addresses: readonly string[],
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ) {
    this.#bench = bench;
    this.#args = args;
    this.#environment = environment;
    this.addresses = addresses;
    this.client = newClient(this.url);
  }

  /** `args` follow `coordinator` and name the job and the state. */
  static async create(
    bench: Workbench,
    count: number,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Coordinators> {
    const addresses: string[] = [];
    while (addresses.length < count) {
      const address = `127.0.0.1:${await freePort()}`;
      if (!addresses.includes(address)) addresses.push(address);
    }
    return new Coordinators(bench, addresses, args, environment);
  }

  /** For agents and clients: all of them. */
  get url(): string {
    return this.addresses.join(',');
  }

  start(index: number, extra: readonly string[] = []): Mx8 {
    const address = this.addresses[index] ?? '';
    const mx8 = this.#bench.start(
      ['coordinator', ...this.#args, '--bind', address, ...extra],
      this.#environment,
    );
    this.#running.set(index, mx8);
    return mx8;
  }

  mx8(index: number): Mx8 {
    const mx8 = this.#running.get(index);
    if (mx8 === undefined) throw new Error(`coordinator ${index} was never started`);
    return mx8;
  }

  /** What the one at `index` says of itself; null when it does not answer. */
  async view(index: number): Promise<CoordinatorView | null> {
    return askOne(this.addresses[index] ?? '');
  }

  /** The one that leads and says so itself. */
  async leader(withinMs = 20_000): Promise<Candidate> {
    let found: Candidate | null = null;
    await until(
      'a coordinator leads',
      async () => {
        for (const [index, address] of this.addresses.entries()) {
          const mx8 = this.#running.get(index);
          if (mx8 === undefined || mx8.child.exitCode !== null) continue;
          const view = await this.view(index);
          if (view?.role === 'leader' && view.address === address) found = { index, address, mx8 };
        }
        return found !== null;
      },
      withinMs,
    );
    if (found === null) throw new Error('no leader');
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
  }
}

/** What the coordinator at `address` says of itself, without going on to the leader. */
export async function askOne(address: string, withinMs = 500): Promise<CoordinatorView | null> {
  const client = new RawClient(address, 'mx8.v1.Coordinator');
  const ended = new AbortController();
  const answer = client.call('GetCoordinator', {}).then(coordinatorFrom, () => null);
  const late = sleep(withinMs, null, { signal: ended.signal }).catch(() => null);
  try {
    return await Promise.race([answer, late]);
  } finally {
    ended.abort();
    client.close();
  }
}

export function newClient(coordUrl: string, callTimeoutMs = 10_000): GrpcCoordinatorClient {
  return new GrpcCoordinatorClient({
    coordUrl,
    callTimeoutMs,
    clock: nodeClock(),
    random: nodeRandom(),
  });
}

/** The events that a process logged so far, as objects. */
export function eventsOf(mx8: Mx8): readonly Readonly<Record<string, unknown>>[] {
  return mx8
    .stderr()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
}
