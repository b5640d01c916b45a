/**
 * A real etcd on free loopback ports and in a folder of its own: one member or several, in the clear or
 * with TLS. Members can be killed, paused and started again. `scripts/etcd.sh` installs etcd.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { arch } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePort } from './free-port.ts';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts';
import { type Certificates, makeCertificates } from './certificates.ts';

/** Within this time a member that was started answers; etcd's own elections take 1 to 2 s. */
const START_MS_MAX = 30_000;

export interface EtcdClusterOptions {
  readonly members?: number;
  /** With client certificates demanded. */
  readonly usesTls?: boolean;
  /** Further flags of every member. */
  readonly flags?: readonly string[];
}

export class EtcdMember {
  readonly name: string;
  /** `host:port` for clients. */
  readonly endpoint: string;
  readonly #healthUrl: string;
  readonly #args: readonly string[];
  readonly #logPath: string;
  #child: ChildProcess | null = null;

  constructor(options: {
    readonly name: string;
    readonly endpoint: string;
    readonly healthUrl: string;
    readonly args: readonly string[];
    readonly logPath: string;
  }) {
    this.name = options.name;
    this.endpoint = options.endpoint;
    this.#healthUrl = options.healthUrl;
    this.#args = options.args;
    this.#logPath = options.logPath;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`etcd member ${this.name} does not run`);
    return pid;
  }

  /** Starts it, for the first time or again on what it had. `untilHealthy` says when it answers. */
  start(): void {
    const log = openSync(this.#logPath, 'a');
    // etcd reads variables of that name as flags: those of this machine are none of ours.
    const environment = Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD'));
    const child = spawn('etcd', this.#args, {
      stdio: ['ignore', log, log],
      env: {
        ...Object.fromEntries(environment),
        ...(arch() === 'arm64' ? { ETCD_UNSUPPORTED_ARCH: 'arm64' } : {}),
      },
    });
    closeSync(log);
    child.on('error', (error) => {
      throw new Error('cannot start etcd; bash scripts/etcd.sh installs it', { cause: error });
    });
    this.#child = child;
  }

  async untilHealthy(): Promise<void> {
    const untilMs = performance.now() + START_MS_MAX;
    while (performance.now() < untilMs) {
      if (this.#child?.exitCode !== null) break;
      try {
        const answer = await fetch(this.#healthUrl, { signal: AbortSignal.timeout(2000) });
        if (answer.ok && (await answer.text()).includes('true')) return;
      } catch (error) {
        // Not there yet.
        if (!(error instanceof Error)) throw error;
      }
      await sleep(50);
    }
    throw new Error(
      `etcd member ${this.name} did not start:\n${readFileSync(this.#logPath, 'utf8')}`,
    );
  }

  /** kill -9, and waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }
}

export class EtcdCluster implements AsyncDisposable {
  readonly members: readonly EtcdMember[];
  readonly certificates: Certificates | null;
  readonly #folder: TemporaryFolder;

  private constructor(
    folder: TemporaryFolder,
    members: readonly EtcdMember[],
    certificates: Certificates | null,
  ) {
    this.#folder = folder;
    this.members = members;
    this.certificates = certificates;
  }

  static async start(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
    const folder = await temporaryFolder();
    const certificates = options.usesTls === true ? makeCertificates(folder.path) : null;
    const members = await layOut(folder, options, certificates);
    const cluster = new EtcdCluster(folder, members, certificates);
    try {
      for (const member of members) member.start();
      for (const member of members) await member.untilHealthy();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get endpoints(): readonly string[] {
    return this.members.map((member) => member.endpoint);
  }

  member(index: number): EtcdMember {
    const member = this.members[index];
    if (member === undefined) throw new Error(`there is no member ${index}`);
    return member;
  }

  /** A call of etcd's HTTP gateway, for what mx8's own client has no need of. In the clear only. */
  async post(
    path: string,
    body: object,
    options: { readonly member?: EtcdMember } = {},
  ): Promise<Readonly<Record<string, unknown>>> {
    const member = options.member ?? this.member(0);
    const answer = await fetch(`http://${member.endpoint}/v3/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    const said = (await answer.json()) as Readonly<Record<string, unknown>>;
    if (!answer.ok) throw new Error(`etcd ${path}: ${JSON.stringify(said)}`);
    return said;
  }

  /** The member that leads, as the members that answer know it. */
  async leader(): Promise<EtcdMember> {
    for (;;) {
      for (const member of this.members) {
        try {
          const status = await this.post('maintenance/status', {}, { member });
          const { member_id: id } = status['header'] as { member_id: string };
          if (status['leader'] === id) return member;
        } catch (error) {
          // That one does not answer.
          if (!(error instanceof Error)) throw error;
        }
      }
      await sleep(50);
    }
  }

  /** Switches authentication on: `root` and `user`, who may do everything below `prefix`. */
  async enableAuth(
    user: { readonly name: string; readonly password: string },
    prefix: string,
  ): Promise<void> {
    const key = Buffer.from(prefix).toString('base64');
    const end = Buffer.from(prefix);
    end[end.length - 1] = (end.at(-1) ?? 0) + 1;
    const perm = { permType: 'READWRITE', key, range_end: end.toString('base64') };
    await this.post('auth/user/add', { name: 'root', password: 'root password' });
    await this.post('auth/role/add', { name: 'root' });
    await this.post('auth/user/grant', { user: 'root', role: 'root' });
    await this.post('auth/user/add', user);
    await this.post('auth/role/add', { name: 'of-mx8' });
    await this.post('auth/role/grant', { name: 'of-mx8', perm });
    await this.post('auth/user/grant', { user: user.name, role: 'of-mx8' });
    await this.post('auth/enable', {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.members) await member.kill();
    await this.#folder[Symbol.asyncDispose]();
  }
}

async function layOut(
  folder: TemporaryFolder,
  options: EtcdClusterOptions,
  certificates: Certificates | null,
): Promise<readonly EtcdMember[]> {
  const count = options.members ?? 1;
  const ports = new Set<number>();
  while (ports.size < count * 3) ports.add(await freePort());
  const all = [...ports];
  const plans = Array.from({ length: count }, (_, index) => ({
    name: `m${index}`,
    clientPort: all[index * 3] ?? 0,
    peerUrl: `http://127.0.0.1:${all[index * 3 + 1] ?? 0}`,
    healthUrl: `http://127.0.0.1:${all[index * 3 + 2] ?? 0}`,
  }));
  const cluster = plans.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',');
  return plans.map(({ name, clientPort, peerUrl, healthUrl }) => {
    const clientUrl = `${certificates === null ? 'http' : 'https'}://127.0.0.1:${clientPort}`;
    const flags: Readonly<Record<string, string>> = {
      name,
      'data-dir': folder.join(name),
      'listen-client-urls': clientUrl,
      'advertise-client-urls': clientUrl,
      'listen-peer-urls': peerUrl,
      'initial-advertise-peer-urls': peerUrl,
      'initial-cluster': cluster,
      'initial-cluster-token': folder.path,
      'listen-metrics-urls': healthUrl,
      'log-level': 'warn',
      ...(certificates === null
        ? {}
        : {
            'cert-file': certificates.serverCertPath,
            'key-file': certificates.serverKeyPath,
            'trusted-ca-file': certificates.caPath,
          }),
    };
    return new EtcdMember({
      name,
      endpoint: `127.0.0.1:${clientPort}`,
      healthUrl: `${healthUrl}/health`,
      logPath: folder.join(`${name}.log`),
      args: [
        ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
        ...(certificates === null ? [] : ['--client-cert-auth']),
        ...(options.flags ?? []),
      ],
    });
  });
}
