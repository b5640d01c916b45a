/** One worker process as the agent sees it: messages out, checked messages in, and how it ended. */
import { fork, type ChildProcess } from 'node:child_process';
import type { WorkerEnd } from '../core/node/crew-protocol.ts';
import type { Clock } from '../ports/clock.ts';
import { LAST_OUTPUT_WAIT_MS } from './limits.ts';
import { LineRelay } from './line-relay.ts';
import { siblingModule } from './sibling-module.ts';
import { decodeFromWorker, type FromWorker, type ToWorker } from './worker-messages.ts';

/** Who gets it has no last words; somebody else may have sent it as well. */
const OUT_OF_MEMORY =
  'which the kernel sends where memory runs out (dmesg, or memory.events of the control group, say so)';

export interface WorkerProcessOptions {
  readonly clock: Clock;
  readonly slot: number;
  /** Limit of V8's old space in MiB; null: V8's own. */
  readonly heapMiB: number | null;
  readonly writeLine: (line: string) => void;
  readonly onMessage: (message: FromWorker) => void;
  /** Something arrived that is no message of ours. */
  readonly onNoise: () => void;
  /**
   * Called once, when the process is gone and everything it had sent has been taken; a process that it started
   * and that still holds its output is not waited for.
   */
  readonly onExit: (end: WorkerEnd) => void;
}

export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #relay: LineRelay;
  readonly #heapMiB: number | null;
  /** Why the agent killed it, where that is not for the exit status to say. */
  #verdict: WorkerEnd | null = null;
  #wasKilled = false;
  readonly exited: Promise<void>;

  constructor(options: WorkerProcessOptions) {
    const { slot, heapMiB, writeLine } = options;
    this.#heapMiB = heapMiB;
    this.#relay = new LineRelay(`[worker ${slot}] `, writeLine);
    this.#child = fork(siblingModule(import.meta.url, 'worker-main'), {
      execArgv: heapMiB === null ? [] : [`--max-old-space-size=${heapMiB}`],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const { stdout, stderr } = this.#child;
    if (stdout !== null) this.#relay.attach(stdout);
    if (stderr !== null) this.#relay.attach(stderr);
    this.#child.on('message', (value) => {
      const message = decodeFromWorker(value);
      if (message === null) options.onNoise();
      else options.onMessage(message);
    });
    this.exited = new Promise((resolve) => {
      let ended = false;
      const end = (how: WorkerEnd): void => {
        if (ended) return;
        ended = true;
        options.onExit(how);
        resolve();
      };
      this.#child.on('exit', (status, signal) => {
        const cut = (): void => {
          stdout?.destroy();
          stderr?.destroy();
          end(this.#endOf(status, signal));
        };
        // What has arrived while this process was busy is taken first.
        const { clock } = options;
        const late = clock.setTimer(LAST_OUTPUT_WAIT_MS, () => clock.defer(cut));
        this.#child.on('close', () => late.clear());
      });
      // `close` comes after the streams have ended, so that the last words are complete.
      this.#child.on('close', (status, signal) => end(this.#endOf(status, signal)));
      this.#child.on('error', (error) => {
        if (this.#child.pid === undefined) {
          end({ code: 'worker_crashed', message: `it could not be started: ${error.message}` });
        }
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: ToWorker): void {
    // A worker that is gone reports its end by itself; what was for it goes to the next.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /** SIGKILL; `verdict` is then how it ended. */
  kill(verdict: WorkerEnd | null = null): void {
    this.#verdict ??= verdict;
    this.#wasKilled = true;
    this.#child.kill('SIGKILL');
  }

  #endOf(status: number | null, signal: string | null): WorkerEnd {
    if (this.#verdict !== null) return this.#verdict;
    const words = this.#relay.lastWords;
    const named = signal === null ? `exit status ${status ?? 'unknown'}` : `signal ${signal}`;
    const how = signal === 'SIGKILL' && !this.#wasKilled ? `${named}, ${OUT_OF_MEMORY}` : named;
    if (this.#relay.ranOutOfHeap && this.#heapMiB !== null) {
      const message = `its JavaScript heap reached ${this.#heapMiB} MiB, its share of max_process_rss_bytes; turn down the batch size of the job or what process() keeps, or raise the cap`;
      return { code: 'rss_cap_exceeded', message };
    }
    const last = words === '' ? 'it said nothing' : `its last words: ${words}`;
    return { code: 'worker_crashed', message: `${how}; ${last}` };
  }
}
