/**
 * The agent processes of a run on this machine: started with the `mx8 agent` command, started again
 * when they die, ended together.
 *
 * Each agent is the leader of a process group of its own, so that a Ctrl-C at the terminal reaches only
 * the supervisor, which then ends them in order. Each also holds an IPC channel to the supervisor and
 * ends itself when that closes: a supervisor that is killed leaves nothing behind.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Mx8Error } from '../../core/base/errors.ts';
import { systemReason } from '../../core/base/system-error.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EventSink } from '../../ports/event-sink.ts';
import { EXIT_USAGE } from '../exit-codes.ts';

export interface FleetOptions {
  /** Arguments of `mx8` for the agent with this node id. */
  readonly agentArguments: (nodeId: string) => readonly string[];
  readonly nodeIds: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly events: EventSink;
  /** A line that an agent wrote to its stderr. */
  readonly onLine: (nodeId: string, line: string) => void;
  /** How much work is committed; an agent that dies without any since its start counts as a failure. */
  readonly committedSamples: () => number;
  /** Called when an agent's process ended by itself, before it is started again. Default: nobody. */
  readonly onDied?: (nodeId: string) => void;
  /** False for agents that stay dead when they die. Default: true. */
  readonly restarts?: boolean;
}

/** How often agents may die in a row without a sample committed in between, before the run gives up. */
export const FRUITLESS_RESTARTS_MAX = 5;
const RESTART_DELAY_MS = 300;
/** Between asking an agent to end and killing it. Together with what follows it stays below 2 s. */
export const STOP_GRACE_MS = 1500;
/** The same once the job is complete: nobody waits for anything but the end of processes without work. */
export const COMPLETED_GRACE_MS = 10_000;
/** How much longer an agent that said its end may take to be gone: a busy machine ends processes slowly. */
const ENDED_GRACE_MS = 10_000;
/** How much of an agent's last words is kept for the error that names them. */
const LAST_LINES_MAX = 5;

const KILLED = 'SIGKILL, which the kernel sends where memory runs out (see dmesg)';

interface Agent {
  readonly nodeId: string;
  child: ChildProcess | null;
  /** It said that it ended: what is left of its process holds no work, and needs no signal. */
  hasEnded: boolean;
  readonly lastLines: string[];
  committedAtStart: number;
}

export class AgentFleet {
  readonly #options: FleetOptions;
  readonly #agents: readonly Agent[];
  #fruitlessRestarts = 0;
  #isStopping = false;
  readonly #lost: PromiseWithResolvers<never> = Promise.withResolvers<never>();

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#agents = options.nodeIds.map((nodeId) => ({
      nodeId,
      child: null,
      hasEnded: false,
      lastLines: [],
      committedAtStart: 0,
    }));
    this.#lost.promise.catch(() => undefined);
  }

  start(): void {
    for (const agent of this.#agents) this.#startAgent(agent);
  }

  /** Rejects with `agents_lost` when the agents keep dying without getting anything done. */
  get lost(): Promise<never> {
    return this.#lost.promise;
  }

  /** Ends the agent and its workers with SIGKILL, as a crash of their machine would. */
  kill(nodeId: string): void {
    const child = this.#agents.find((agent) => agent.nodeId === nodeId)?.child;
    if (child !== undefined && child !== null) killGroup(child);
  }

  /** To be called when an agent's lines say that it ended. */
  saidItsEnd(nodeId: string): void {
    const agent = this.#agents.find((one) => one.nodeId === nodeId);
    if (agent !== undefined) agent.hasEnded = true;
  }

  /** Asks every agent to finish or release what it holds, then kills what is left. */
  async stop(graceMs: number = STOP_GRACE_MS): Promise<void> {
    this.#isStopping = true;
    const running = this.#agents.filter(({ child }) => child !== null);
    const gone = Promise.all(running.flatMap(({ child }) => (child === null ? [] : exited(child))));
    for (const { child, hasEnded } of running) if (!hasEnded) child?.kill('SIGTERM');
    const patience = new AbortController();
    const killer = this.#killLater(graceMs, patience.signal).catch(() => undefined);
    await gone;
    patience.abort();
    await killer;
  }

  async #killLater(graceMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    await clock.sleep(graceMs, signal);
    for (const { child, hasEnded } of this.#agents) {
      if (child !== null && !hasEnded) killGroup(child);
    }
    await clock.sleep(ENDED_GRACE_MS, signal);
    for (const { child } of this.#agents) if (child !== null) killGroup(child);
  }

  #startAgent(agent: Agent): void {
    const { agentArguments, environment, events, committedSamples } = this.#options;
    agent.committedAtStart = committedSamples();
    const main = new URL(
      `../main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`,
      import.meta.url,
    );
    const child = spawn(
      process.execPath,
      [...process.execArgv, fileURLToPath(main), 'agent', ...agentArguments(agent.nodeId)],
      { env: { ...environment }, stdio: ['ignore', 'ignore', 'pipe', 'ipc'], detached: true },
    );
    agent.hasEnded = false;
    child.on('error', (error) => {
      const message = systemReason(error);
      events.emit('error', 'agent_not_started', { node_id: agent.nodeId, message });
      if (child.pid === undefined) this.#onLost(agent, null, `could not be started: ${message}`);
    });
    // Where the system starts no process there is nothing to listen to or to wait for, not even an end.
    if (child.pid === undefined) return;
    agent.child = child;
    if (child.stderr !== null) {
      createInterface({ input: child.stderr }).on('line', (line) => {
        agent.lastLines.push(line);
        if (agent.lastLines.length > LAST_LINES_MAX) agent.lastLines.shift();
        this.#options.onLine(agent.nodeId, line);
      });
    }
    child.once('close', (code, signal) => this.#onExit(agent, code, signal));
    events.emit('info', 'agent_started', { node_id: agent.nodeId, pid: child.pid ?? null });
  }

  #onExit(agent: Agent, code: number | null, signal: string | null): void {
    agent.child = null;
    const { events } = this.#options;
    // It was told to end, and had already: then nothing listens for the signal any more.
    const wasAsked = this.#isStopping && signal === 'SIGTERM';
    events.emit(code === 0 || wasAsked ? 'info' : 'warn', 'agent_exited', {
      node_id: agent.nodeId,
      code,
      signal,
    });
    if (code !== 0 && !this.#isStopping) this.#options.onDied?.(agent.nodeId);
    if (code === 0) return;
    const last = agent.lastLines.find((line) => line.startsWith('mx8: ')) ?? agent.lastLines.at(-1);
    const how = signal === 'SIGKILL' ? KILLED : (signal ?? `exit code ${code ?? 'none'}`);
    this.#onLost(agent, code, `ended with ${how}: ${last ?? 'it said nothing'}`);
  }

  /** Starts the agent again after a while, unless that has got nobody anywhere. */
  #onLost(agent: Agent, code: number | null, how: string): void {
    const { clock, committedSamples, restarts } = this.#options;
    if (this.#isStopping || restarts === false) return;
    if (committedSamples() > agent.committedAtStart) this.#fruitlessRestarts = 0;
    this.#fruitlessRestarts += 1;
    // What was typed is wrong, for example a variable that only agents read: starting again mends nothing.
    if (code === EXIT_USAGE || this.#fruitlessRestarts > FRUITLESS_RESTARTS_MAX) {
      this.#lost.reject(
        new Mx8Error(
          'agents_lost',
          `an agent ended without committing a sample, ${this.#fruitlessRestarts} in a row by now; the last, ${agent.nodeId}, ${how}`,
          { node_id: agent.nodeId },
        ),
      );
      return;
    }
    clock.setTimer(RESTART_DELAY_MS * this.#fruitlessRestarts, () => {
      if (!this.#isStopping) this.#startAgent(agent);
    });
  }
}

function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('close', () => resolve()));
}

/** The agent and its workers: it leads their process group. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    // It ended in this moment: there is no group any more.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
