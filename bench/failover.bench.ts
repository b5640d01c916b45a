/**
 * Fail-over with 100 agents and 10,000 live leases, TTL at its default: from kill -9 of the leader to the
 * first durable call that another accepts, the same for a planned hand-over, and what it costs clients.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdCluster } from '../test/support/etcd.ts';
import { freePort } from '../test/support/free-port.ts';
import type { CandidateNews } from './failover-coordinator.ts';
import { LEASES, type LoadAnswer, type LoadQuestion, machineMs, SHARES } from './failover-load.ts';
import { type Benchmark, type BenchRow, benchRow } from './report.ts';

const KILLS = 20;
const HANDOVERS = 20;
const WAIT_MS_MAX = 60_000;

export const benchmark: Benchmark = {
  name: 'fail-over',
  run: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mx8-bench-'));
    try {
      const local = await measure('one machine', join(folder, 'state'));
      await using cluster = await EtcdCluster.start();
      const remote = await measure('etcd', `etcd://${cluster.endpoints.join(',')}/bench`);
      return [...local, ...remote];
    } finally {
      await rm(folder, { recursive: true, maxRetries: 10, retryDelay: 100 });
    }
  },
};

async function measure(where: string, state: string): Promise<readonly BenchRow[]> {
  await using pair = await Pair.start(state);
  const load = await Load.start(pair.url);
  try {
    await sleep(5000);
    const memory = await pair.memory();
    const planned = await series(HANDOVERS, pair, load, 'SIGTERM');
    const failedPlanned = (await load.ask(machineMs())).failed;
    const killed = await series(KILLS, pair, load, 'SIGKILL');
    const { failed, leases, leasesExpired, callMsMax } = await load.ask(machineMs(), true);
    const lost = failed.length - failedPlanned.length;
    return [
      row(`${where}: kill -9 to the first accepted call, p95`, quantile(killed.first, 0.95), 3, {
        note: `median ${seconds(quantile(killed.first, 0.5))}, all agents p95 ${seconds(quantile(killed.all, 0.95))}, ${KILLS} fail-overs`,
      }),
      row(
        `${where}: hand-over to the first accepted call, p99`,
        quantile(planned.first, 0.99),
        0.3,
        {
          note: `median ${seconds(quantile(planned.first, 0.5))}, all agents p99 ${seconds(quantile(planned.all, 0.99))}, ${HANDOVERS} hand-overs`,
        },
      ),
      count(`${where}: calls failed in hand-overs`, failedPlanned.length, failedPlanned[0]),
      count(`${where}: calls failed after kill -9`, lost, failed[failedPlanned.length]),
      count(`${where}: leases expired`, leasesExpired, `${leases} live at the end`),
      row(`${where}: slowest call`, callMsMax / 1000, 30, { note: '3 × the TTL of a lease' }),
      benchRow({
        name: `${where}: memory of a standby`,
        ours: memory.standby / 2 ** 20,
        limit: memory.leader / 2 ** 20,
        unit: 'MiB',
        target: { atMost: 1.1 },
        note: `the limit is the leader’s; ${LEASES} leases`,
      }),
    ];
  } finally {
    load.end();
  }
}

function row(
  name: string,
  ours: number,
  atMost: number,
  { note }: { readonly note: string },
): BenchRow {
  return benchRow({ name, ours, limit: null, unit: 's', target: { atMost }, note });
}

function count(name: string, ours: number, note = ''): BenchRow {
  return benchRow({ name, ours, limit: null, unit: '', target: { atMost: 0 }, note });
}

interface Series {
  /** Seconds until the first call was accepted, and until every agent had one. */
  readonly first: readonly number[];
  readonly all: readonly number[];
}

async function series(
  times: number,
  pair: Pair,
  load: Load,
  signal: 'SIGTERM' | 'SIGKILL',
): Promise<Series> {
  const first: number[] = [];
  const all: number[] = [];
  for (let time = 0; time < times; time += 1) {
    const atMs = machineMs();
    const gone = pair.end(signal);
    const answer = await load.untilAllAccepted(atMs);
    first.push(((answer.firstMs ?? Infinity) - atMs) / 1000);
    all.push(((answer.allMs ?? Infinity) - atMs) / 1000);
    process.stderr.write(
      `  ${signal} ${time + 1}: serving after ${seconds((pair.servedMs - atMs) / 1000)}, first after ${seconds(first.at(-1) ?? 0)}, all after ${seconds(all.at(-1) ?? 0)}\n`,
    );
    await gone;
    await pair.startStandby();
    await sleep(500);
  }
  return { first, all };
}

/** The leader and its standby; the one that ends is started again and stands by. */
class Pair implements AsyncDisposable {
  readonly #state: string;
  readonly #ports: readonly number[];
  readonly #children: (ChildProcess | null)[] = [null, null];
  #leader = 0;
  /** When a candidate said last that it serves as the leader. */
  servedMs = 0;

  private constructor(state: string, ports: readonly number[]) {
    this.#state = state;
    this.#ports = ports;
  }

  static async start(state: string): Promise<Pair> {
    const pair = new Pair(state, [await freePort(), await freePort()]);
    await pair.#start(0, 'leader_serving');
    await pair.startStandby();
    return pair;
  }

  get url(): string {
    return this.#ports.map((port) => `127.0.0.1:${port}`).join(',');
  }

  /** Ends the leader; resolves when it is gone. The other leads from then on. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#children[this.#leader];
    if (child === null || child === undefined) throw new Error('nobody leads');
    this.#children[this.#leader] = null;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
    this.#leader = 1 - this.#leader;
  }

  /** Until it is what an operator who restarts one coordinator after the other waits for: one that stands by. */
  async startStandby(): Promise<void> {
    await this.#start(1 - this.#leader, 'standby_rehearsed');
  }

  async memory(): Promise<{ readonly leader: number; readonly standby: number }> {
    const [leader, standby] = await Promise.all(
      [this.#leader, 1 - this.#leader].map(async (index) => {
        const child = this.#children[index];
        if (child === null || child === undefined) throw new Error('a candidate is missing');
        const said = news(child, 'memory');
        child.send({});
        return (await said).rssBytes;
      }),
    );
    return { leader: leader ?? 0, standby: standby ?? 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child === null || child.exitCode !== null) continue;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    }
  }

  async #start(index: number, until: string): Promise<void> {
    const path = new URL('failover-coordinator.ts', import.meta.url);
    const child = fork(path, [this.#state, String(this.#ports[index])]);
    // Each message that is waited for listens for the end as well.
    child.setMaxListeners(0);
    this.#children[index] = child;
    child.on('message', (said: CandidateNews) => {
      if (said.event === 'leader_serving') this.servedMs = machineMs();
    });
    await news(child, until);
  }
}

class Load {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  static async start(coordUrl: string): Promise<Load> {
    const path = new URL('failover-load.ts', import.meta.url);
    const children = Array.from({ length: SHARES }, (_, share) =>
      fork(path, [coordUrl, String(share)]),
    );
    await Promise.all(
      children.map((child) => {
        child.setMaxListeners(0);
        return message(child);
      }),
    );
    return new Load(children);
  }

  async ask(sinceMs: number, countsLeases = false): Promise<LoadAnswer> {
    const answers = await Promise.all(
      this.#children.map(async (child, share) => {
        const answer = message(child);
        const question = { sinceMs, countsLeases: countsLeases && share === 0 };
        child.send(question satisfies LoadQuestion);
        return (await answer) as LoadAnswer;
      }),
    );
    return answers.reduce(merged);
  }

  async untilAllAccepted(sinceMs: number): Promise<LoadAnswer> {
    for (;;) {
      const answer = await this.ask(sinceMs);
      if (answer.allMs !== null || machineMs() > sinceMs + WAIT_MS_MAX) return answer;
      await sleep(100);
    }
  }

  end(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

function merged(one: LoadAnswer, other: LoadAnswer): LoadAnswer {
  const firsts = [one.firstMs, other.firstMs].filter((ms) => ms !== null);
  return {
    firstMs: firsts.length === 0 ? null : Math.min(...firsts),
    allMs: one.allMs === null || other.allMs === null ? null : Math.max(one.allMs, other.allMs),
    failed: [...one.failed, ...other.failed],
    accepted: one.accepted + other.accepted,
    leases: one.leases + other.leases,
    leasesExpired: one.leasesExpired + other.leasesExpired,
    callMsMax: Math.max(one.callMsMax, other.callMsMax),
  };
}

async function message(child: ChildProcess): Promise<unknown> {
  const exit = once(child, 'exit').then(() => {
    throw new Error('a process of the benchmark ended');
  });
  exit.catch(() => {
    // Ended on purpose, after the message.
  });
  const [said] = (await Promise.race([once(child, 'message'), exit])) as [unknown];
  return said;
}

/** Listens from now on, so that of two messages in one turn none is missed. */
function news(child: ChildProcess, event: string): Promise<CandidateNews> {
  return new Promise((resolve, reject) => {
    child.on('message', (said: CandidateNews) => {
      if (said.event === event) resolve(said);
    });
    child.once('exit', () => reject(new Error('a candidate of the benchmark ended')));
  });
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? Infinity;
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`;
}
