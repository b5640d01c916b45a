/**
 * Network namespaces: one for the nodes, clients and the store (`hub`), one for each coordinator, each
 * connected with the hub by a cable of its own. A cut drops packets in the coordinator's namespace, of one
 * direction or both, to the nodes or to the store. Nothing is connected with the machine's own network.
 */
import { execFileSync } from 'node:child_process';

/** The ports of the store, in the hub; everything else there is nodes and clients. */
export const STORE_PORTS = { first: 23_790, last: 23_799 } as const;
export const COORDINATOR_PORT = 50_051;

export interface Cut {
  readonly from: 'nodes' | 'store' | 'all';
  /** `in`: what comes from there is lost; `out`: what goes there is. */
  readonly direction: 'both' | 'in' | 'out';
}

export class Network implements Disposable {
  readonly #prefix: string;
  readonly #count: number;
  readonly #cuts: Map<number, number> = new Map<number, number>();

  private constructor(prefix: string, count: number) {
    this.#prefix = prefix;
    this.#count = count;
  }

  static create(coordinators: number): Network {
    const network = new Network(`mx8c${process.pid}`, coordinators);
    try {
      network.#make();
      return network;
    } catch (error) {
      network[Symbol.dispose]();
      throw error;
    }
  }

  /** What stands before the command of a process in the hub. */
  get hub(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name('hub')];
  }

  ofCoordinator(index: number): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name(`c${index}`)];
  }

  addressOf(index: number): string {
    return `10.231.${index}.2:${COORDINATOR_PORT}`;
  }

  /** Where the store is for the coordinator at `index`. */
  storeHostFor(index: number): string {
    return `10.231.${index}.1`;
  }

  cut(index: number, { from, direction }: Cut): void {
    const ports = `${STORE_PORTS.first}-${STORE_PORTS.last}`;
    // The coordinator dials the store, and is dialled by nodes.
    const matches = {
      all: { in: '', out: '' },
      store: { in: `tcp sport ${ports}`, out: `tcp dport ${ports}` },
      nodes: { in: `tcp dport ${COORDINATOR_PORT}`, out: `tcp sport ${COORDINATOR_PORT}` },
    }[from];
    const rules = [
      ...(direction === 'out' ? [] : [`add rule inet mx8 inbound iif eth0 ${matches.in} drop`]),
      ...(direction === 'in' ? [] : [`add rule inet mx8 outbound oif eth0 ${matches.out} drop`]),
    ];
    this.#nft(index, rules);
    this.#cuts.set(index, (this.#cuts.get(index) ?? 0) + 1);
  }

  /** Undoes one cut; the cable works again when none is left. */
  heal(index: number): void {
    const left = (this.#cuts.get(index) ?? 0) - 1;
    this.#cuts.set(index, Math.max(0, left));
    if (left <= 0)
      this.#nft(index, ['flush chain inet mx8 inbound', 'flush chain inet mx8 outbound']);
  }

  [Symbol.dispose](): void {
    for (const name of ['hub', ...Array.from({ length: this.#count }, (_, at) => `c${at}`)]) {
      try {
        ip('netns', 'delete', this.#name(name));
      } catch {
        // It was not made.
      }
    }
  }

  #make(): void {
    const hub = this.#name('hub');
    ip('netns', 'add', hub);
    ip('-n', hub, 'link', 'set', 'lo', 'up');
    for (let index = 0; index < this.#count; index += 1) {
      const own = this.#name(`c${index}`);
      ip('netns', 'add', own);
      ip('-n', own, 'link', 'set', 'lo', 'up');
      const cable = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', own];
      ip('-n', hub, 'link', 'add', `cable${index}`, ...cable);
      ip('-n', hub, 'address', 'add', `10.231.${index}.1/30`, 'dev', `cable${index}`);
      ip('-n', own, 'address', 'add', `10.231.${index}.2/30`, 'dev', 'eth0');
      ip('-n', hub, 'link', 'set', `cable${index}`, 'up');
      ip('-n', own, 'link', 'set', 'eth0', 'up');
      this.#nft(index, [
        'add table inet mx8',
        'add chain inet mx8 inbound { type filter hook input priority 0; }',
        'add chain inet mx8 outbound { type filter hook output priority 0; }',
      ]);
    }
  }

  #nft(index: number, lines: readonly string[]): void {
    const [program, ...args] = [...this.ofCoordinator(index), 'nft', '-f', '-'];
    execFileSync(program, args, {
      input: `${lines.join('\n')}\n`,
      stdio: ['pipe', 'ignore', 'pipe'],
    });
  }

  #name(of: string): string {
    return `${this.#prefix}-${of}`;
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
