/** One process of the cluster: started, started again, signalled; what it says goes into the history. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type HistoryItem, machineMs, type Role } from './history.ts';

export interface ChildOptions {
  readonly name: string;
  readonly role: Role;
  /** What stands before the command: `ip netns exec NAME`. */
  readonly prefix: readonly string[];
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly record: (item: HistoryItem) => void;
}

export class Child {
  readonly name: string;
  readonly #options: ChildOptions;
  #child: ChildProcess | null = null;
  #starts = 0;
  #because = '';
  #ended: Promise<number | null> = Promise.resolve(null);

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number | null {
    return this.isRunning ? (this.#child?.pid ?? null) : null;
  }

  /** `name#start`: one start of it. */
  get incarnation(): string {
    return `${this.name}#${this.#starts}`;
  }

  /** The exit code of the latest start; null for a signal. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  start(): void {
    if (this.isRunning) return;
    const { prefix, command, environment, folder } = this.#options;
    this.#starts += 1;
    this.#because = '';
    const [program = '', ...args] = [...prefix, ...command];
    const child = spawn(program, args, {
      cwd: folder,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#read(child);
    this.#ended = this.#end(child);
  }

  /** Sends a signal; `because` explains the end that may follow. False when there was nobody. */
  signal(name: NodeJS.Signals, because: string): boolean {
    if (!this.isRunning) return false;
    if (name !== 'SIGCONT' && name !== 'SIGSTOP') this.#because = because;
    return this.#child?.kill(name) ?? false;
  }

  #read(child: ChildProcess): void {
    const { record, role } = this.#options;
    const process = this.incarnation;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        const fields = parsed(line);
        if (
          fields?.['kind'] === 'call' ||
          fields?.['kind'] === 'job' ||
          fields?.['kind'] === 'piece'
        )
          record(fields as unknown as HistoryItem);
        else {
          const event = typeof fields?.['event'] === 'string' ? fields['event'] : 'line';
          const rest = fields ?? { line };
          record({ kind: 'event', atMs: machineMs(), process, role, event, fields: rest });
        }
      });
    }
  }

  async #end(child: ChildProcess): Promise<number | null> {
    const process = this.incarnation;
    const { role, record } = this.#options;
    const pid = child.pid ?? 0;
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    const because = this.#because;
    record({ kind: 'exit', atMs: machineMs(), process, role, pid, code, signal, because });
    return code;
  }
}

function parsed(line: string): Readonly<Record<string, unknown>> | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    // A line that was torn by kill -9.
    return null;
  }
}
