/** Starts `mx8` commands as the processes they are, and sees to it that none is left. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Mx8 {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it has printed so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves when it has ended and its output was read. */
  readonly ended: Promise<Ended>;
}

/** A folder for one test, and the processes it started; both gone when it is disposed. */
export class Workbench implements AsyncDisposable {
  readonly folder: string;
  readonly #running: Set<Mx8> = new Set<Mx8>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<Workbench> {
    return new Workbench(await mkdtemp(join(tmpdir(), 'mx8-test-')));
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** Makes `count` files of different contents below `name` and returns the folder. */
  async files(name: string, count: number, bytesEach = 200): Promise<string> {
    const folder = this.path(name);
    await mkdir(folder, { recursive: true });
    await Promise.all(
      Array.from({ length: count }, (_, index) =>
        writeFile(
          join(folder, `${String(index).padStart(5, '0')}.txt`),
          `sample ${index} `.repeat(Math.ceil(bytesEach / 10)),
        ),
      ),
    );
    return folder;
  }

  start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Mx8 {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', MAIN, ...args],
      {
        cwd: this.folder,
        env: {
          ...process.env,
          MX8_MANIFEST_STORE_ROOT: this.path('manifests'),
          // Tests beside each other would take the default port from each other.
          MX8_HTTP_BIND_ADDR: 'off',
          ...environment,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    const ended = once(child, 'close').then(([code, signal]: (number | string | null)[]) => {
      this.#running.delete(mx8);
      return {
        code: typeof code === 'number' ? code : null,
        signal: typeof signal === 'string' ? signal : null,
        stdout: out,
        stderr: err,
      };
    });
    const mx8: Mx8 = { child, pid: child.pid ?? 0, stdout: () => out, stderr: () => err, ended };
    this.#running.add(mx8);
    return mx8;
  }

  async run(
    args: readonly string[],
    environment?: Readonly<Record<string, string>>,
  ): Promise<Ended> {
    return this.start(args, environment).ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#running) child.kill('SIGKILL');
    await Promise.all([...this.#running].map((mx8) => mx8.ended));
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** Waits until `condition` holds; fails with `what` when it does not within `withinMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 30_000,
): Promise<void> {
  const startMs = performance.now();
  while (!(await condition())) {
    if (performance.now() - startMs > withinMs)
      throw new Error(`${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
