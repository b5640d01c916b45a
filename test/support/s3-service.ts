/** A real S3 service of the test's own on loopback: versitygw over a temporary folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createConnection } from 'node:net';

import type { CredentialSource } from '../../src/storage/s3/credentials.ts';
import { freePort } from './free-port.ts';
import { startedOrEnded } from './started-or-ended.ts';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts';
import { findToolOf, type Tool } from './tools.ts';

export const VERSITYGW: Tool = findToolOf('store-tools.sh', ['versitygw']);

export const S3_KEY = 'test-access-key';
export const S3_SECRET = 'test-secret-that-no-log-may-hold';
export const S3_SOURCES: readonly CredentialSource[] = [
  async () => ({ accessKeyId: S3_KEY, secretAccessKey: S3_SECRET }),
];
export const S3_ENVIRONMENT: Readonly<Record<string, string>> = {
  AWS_ACCESS_KEY_ID: S3_KEY,
  AWS_SECRET_ACCESS_KEY: S3_SECRET,
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: '/nonexistent',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
};

export class S3Service implements AsyncDisposable {
  readonly url: string;
  readonly bucket = 'bucket';
  readonly #folder: TemporaryFolder;
  readonly #child: ChildProcess;

  private constructor(url: string, folder: TemporaryFolder, child: ChildProcess) {
    this.url = url;
    this.#folder = folder;
    this.#child = child;
  }

  static async start(): Promise<S3Service> {
    const folder = await temporaryFolder();
    await mkdir(folder.join('data', 'bucket'), { recursive: true });
    const port = await freePort();
    const child = spawn(
      VERSITYGW.path,
      ['--quiet', '--keep-alive', '--port', `127.0.0.1:${port}`, 'posix', folder.join('data')],
      {
        stdio: 'ignore',
        env: { PATH: process.env['PATH'], ROOT_ACCESS_KEY: S3_KEY, ROOT_SECRET_KEY: S3_SECRET },
      },
    );
    const service = new S3Service(`http://127.0.0.1:${port}`, folder, child);
    return startedOrEnded(service, () => service.#untilServing(port));
  }

  /** Where the objects of the bucket are as files: for looking and for harm. */
  path(...names: readonly string[]): string {
    return this.#folder.join('data', this.bucket, ...names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
    await this.#folder[Symbol.asyncDispose]();
  }

  async #untilServing(port: number): Promise<void> {
    for (let tries = 0; tries < 200; tries += 1) {
      if (this.#child.exitCode !== null) break;
      const socket = createConnection(port, '127.0.0.1');
      const connected = await new Promise<boolean>((resolve) => {
        socket.on('connect', () => resolve(true));
        socket.on('error', () => resolve(false));
      });
      socket.destroy();
      if (connected) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('versitygw did not start');
  }
}
