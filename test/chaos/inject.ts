/** Carries out planned faults on a cluster, each in its own time, and undoes them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HeldLocks } from '../../src/log/lock-holders.ts';
import { descendants } from '../support/processes.ts';
import type { Child } from './child.ts';
import { type Cluster, LEADER_TTL_MS, LEASE_TTL_MS } from './cluster.ts';
import { machineMs } from './history.ts';
import type { Cut } from './network.ts';
import type { PlannedFault } from './plan.ts';

/** How long a process that was killed stays away at most. */
const AWAY_MS_MAX = 1500;
const PAUSE_LEADER_MS_MAX = LEADER_TTL_MS * 2.5;
const PAUSE_BRIEFLY_MS_MAX = LEADER_TTL_MS * 0.7;
const PAUSE_AGENT_MS_MAX = LEASE_TTL_MS * 1.6;
/** Shorter than a lease lives: nobody can take over from a leader that the store still sees. */
const CUT_MS_MAX = LEASE_TTL_MS * 0.7;
const CATCH_MS_MAX = 3000;
const WAIT_MS_MAX = 15_000;

export class Injector {
  readonly #cluster: Cluster;
  readonly #under: Set<Promise<void>> = new Set<Promise<void>>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Carries out the plan; resolves when the last fault is undone. */
  async run(plan: readonly PlannedFault[]): Promise<void> {
    const startMs = machineMs();
    for (const fault of plan) {
      await sleep(Math.max(0, startMs + fault.atMs - machineMs()));
      const done = this.#do(fault);
      this.#under.add(done);
      void done.finally(() => this.#under.delete(done));
    }
    await Promise.all(this.#under);
  }

  #do(fault: PlannedFault): Promise<void> {
    const { leader, standby, agents, network } = this.#cluster;
    const { kind, draw, extent } = fault;
    const agent = agents[Math.floor(draw * agents.length)] ?? null;
    const worker = (): number | null => (agent === null ? null : workerOf(agent));
    switch (kind) {
      case 'kill-leader':
        return this.#kill(fault, leader);
      case 'kill-standby':
        return this.#kill(fault, standby);
      case 'kill-agent':
        return this.#kill(fault, agent);
      case 'pause-leader':
        return this.#pause(fault, leader, extent * PAUSE_LEADER_MS_MAX);
      case 'pause-leader-briefly':
        return this.#pause(fault, leader, extent * PAUSE_BRIEFLY_MS_MAX);
      case 'pause-leader-in-mid-write':
        return this.#pauseInMidWrite(fault, leader);
      case 'pause-standby':
        return this.#pause(fault, standby, extent * PAUSE_LEADER_MS_MAX);
      case 'pause-agent':
        return this.#pause(fault, agent, extent * PAUSE_AGENT_MS_MAX);
      case 'stop-leader':
        return this.#stop(fault, leader);
      case 'rolling-restart':
        return this.#rollingRestart(fault);
      case 'kill-worker':
        return this.#signalWorker(fault, worker(), 'SIGKILL', 0);
      case 'pause-worker':
        return this.#signalWorker(fault, worker(), 'SIGSTOP', extent * PAUSE_AGENT_MS_MAX);
      case 'step-clock-of-coordinator':
        return this.#stepClock(fault, draw < 0.5 ? leader : standby);
      case 'step-clock-of-agent':
        return this.#stepClock(fault, agent);
      case 'cut-leader-from-nodes':
        return this.#cut(fault, leader, { from: 'nodes', direction: 'both' });
      case 'cut-leader-from-nodes-one-way':
        return this.#cut(fault, leader, { from: 'nodes', direction: draw < 0.5 ? 'in' : 'out' });
      case 'cut-standby-from-nodes':
        return this.#cut(fault, standby, { from: 'nodes', direction: 'both' });
      case 'cut-leader-from-store':
        return this.#cut(fault, leader, { from: 'store', direction: 'both' });
      case 'cut-leader-from-store-one-way':
        return this.#cut(fault, leader, { from: 'store', direction: draw < 0.5 ? 'in' : 'out' });
      case 'cut-leader-from-all':
        return this.#cut(fault, network === null ? null : leader, {
          from: 'all',
          direction: 'both',
        });
      case 'kill-store-member':
      case 'kill-store-leader':
      case 'pause-store-leader':
        return this.#disturbStore(fault);
      default:
        return kind satisfies never;
    }
  }

  /** Puts everything right again. */
  heal(): void {
    const { coordinators, agents, store } = this.#cluster;
    store?.heal();
    for (const child of [...coordinators, ...agents]) child.signal('SIGCONT', '');
    for (const child of coordinators) child.start();
  }

  #note({ kind }: PlannedFault, target: string | null): void {
    const what = target === null ? `${kind} (nobody there)` : kind;
    this.#cluster.record({ kind: 'fault', atMs: machineMs(), what, target: target ?? '' });
  }

  async #kill(fault: PlannedFault, child: Child | null): Promise<void> {
    this.#note(fault, child?.incarnation ?? null);
    if (child?.signal('SIGKILL', fault.kind) !== true) return;
    await child.ended;
    await sleep(fault.extent * AWAY_MS_MAX);
    child.start();
  }

  async #pause(fault: PlannedFault, child: Child | null, forMs: number): Promise<void> {
    this.#note(fault, child?.incarnation ?? null);
    if (child?.signal('SIGSTOP', fault.kind) !== true) return;
    await sleep(forMs);
    await this.#goOn(child);
  }

  /** Continues it, or starts it again where a standby ended it. */
  async #goOn(child: Child): Promise<void> {
    if (child.signal('SIGCONT', '')) return;
    await child.ended;
    child.start();
  }

  async #pauseInMidWrite(fault: PlannedFault, child: Child | null): Promise<void> {
    const { logPath } = this.#cluster;
    const untilMs = machineMs() + CATCH_MS_MAX;
    while (child !== null && logPath !== null && child.isRunning && machineMs() < untilMs) {
      child.signal('SIGSTOP', fault.kind);
      if (HeldLocks.read()?.writerOf(logPath) === child.pid) {
        this.#note(fault, child.incarnation);
        await sleep(fault.extent * PAUSE_LEADER_MS_MAX * 2);
        await this.#goOn(child);
        return;
      }
      child.signal('SIGCONT', '');
      await sleep(1);
    }
    this.#note(fault, null);
  }

  async #stop(fault: PlannedFault, child: Child | null): Promise<void> {
    this.#note(fault, child?.incarnation ?? null);
    if (child?.signal('SIGTERM', fault.kind) !== true) return;
    await Promise.race([child.ended, sleep(WAIT_MS_MAX)]);
    child.start();
  }

  /** Each in turn; the next once the one before serves again. */
  async #rollingRestart(fault: PlannedFault): Promise<void> {
    this.#note(fault, 'all');
    for (const child of this.#cluster.coordinators) {
      if (!child.signal('SIGTERM', fault.kind)) continue;
      await Promise.race([child.ended, sleep(WAIT_MS_MAX)]);
      child.start();
      await this.#untilServing(child.incarnation);
    }
  }

  async #untilServing(incarnation: string): Promise<void> {
    const untilMs = machineMs() + WAIT_MS_MAX;
    while (machineMs() < untilMs) {
      const serves = this.#cluster.history.some(
        (item) =>
          item.kind === 'event' &&
          item.event === 'coordinator_serving' &&
          item.process === incarnation,
      );
      if (serves) return;
      await sleep(50);
    }
  }

  async #signalWorker(
    fault: PlannedFault,
    pid: number | null,
    signal: 'SIGKILL' | 'SIGSTOP',
    forMs: number,
  ): Promise<void> {
    this.#note(fault, pid === null ? null : String(pid));
    if (pid === null || !signalled(pid, signal) || signal === 'SIGKILL') return;
    await sleep(forMs);
    signalled(pid, 'SIGCONT');
  }

  async #stepClock(fault: PlannedFault, child: Child | null): Promise<void> {
    const { clocks } = this.#cluster;
    const target = child === null ? null : clocks.step(child.name, fault.draw);
    this.#note(fault, target);
  }

  async #cut(fault: PlannedFault, child: Child | null, cut: Cut): Promise<void> {
    const { network, coordinators } = this.#cluster;
    const index = child === null ? -1 : coordinators.indexOf(child);
    this.#note(fault, network === null || index < 0 ? null : `c${index} ${cut.direction}`);
    if (network === null || index < 0) return;
    network.cut(index, cut);
    await sleep(fault.extent * CUT_MS_MAX);
    network.heal(index);
  }

  async #disturbStore(fault: PlannedFault): Promise<void> {
    const { store } = this.#cluster;
    const member = (await store?.memberFor(fault)) ?? null;
    this.#note(fault, member?.incarnation ?? null);
    if (store !== null && member !== null) await store.strike(fault, member);
  }
}

function workerOf(agent: Child): number | null {
  if (agent.pid === null) return null;
  const found = descendants(agent.pid).find(({ command }) => command.includes('worker-main'));
  return found?.pid ?? null;
}

/** False when it ended meanwhile. */
function signalled(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
