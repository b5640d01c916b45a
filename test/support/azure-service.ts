/** A blob service of the test's own on loopback: Azurite, which keeps blobs in memory and checks signatures. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createConnection } from 'node:net';

import { freePort } from './free-port.ts';
import { startedOrEnded } from './started-or-ended.ts';
import { type TemporaryFolder, temporaryFolder } from './temporary-folder.ts';
import { findToolOf, type Tool } from './tools.ts';

export const AZURITE: Tool = findToolOf('store-tools.sh', [
  'azurite/node_modules/azurite/dist/src/blob/main.js',
]);

export const AZURE_ACCOUNT = 'testaccount';
export const AZURE_KEY: string = Buffer.from('key-that-no-log-may-hold').toString('base64');
const VERSION = '2021-12-02';

export class AzureService implements AsyncDisposable {
  readonly container = 'container';
  readonly #port: number;
  readonly #folder: TemporaryFolder;
  readonly #child: ChildProcess;

  private constructor(port: number, folder: TemporaryFolder, child: ChildProcess) {
    this.#port = port;
    this.#folder = folder;
    this.#child = child;
  }

  static async start(): Promise<AzureService> {
    const folder = await temporaryFolder();
    const port = await freePort();
    const flags = ['--silent', '--disableTelemetry', '--inMemoryPersistence'];
    const child = spawn(
      process.execPath,
      [AZURITE.path, ...flags, '--blobHost', '127.0.0.1', '--blobPort', String(port)],
      {
        stdio: 'ignore',
        cwd: folder.path,
        env: { PATH: process.env['PATH'], AZURITE_ACCOUNTS: `${AZURE_ACCOUNT}:${AZURE_KEY}` },
      },
    );
    const service = new AzureService(port, folder, child);
    return startedOrEnded(service, async () => {
      await service.#untilServing();
      await service.#send('PUT', `/${service.container}`, { restype: 'container' });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/${AZURE_ACCOUNT}`;
  }

  get variables(): Record<string, string> {
    return {
      AZURE_STORAGE_CONNECTION_STRING: `AccountName=${AZURE_ACCOUNT};AccountKey=${AZURE_KEY};BlobEndpoint=${this.url}`,
    };
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const path = name.split('/').map(encodeURIComponent).join('/');
    const headers = { 'x-ms-blob-type': 'BlockBlob' };
    await this.#send('PUT', `/${this.container}/${path}`, {}, headers, bytes);
  }

  async remove(name: string): Promise<void> {
    await this.#send('DELETE', `/${this.container}/${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
    await this.#folder[Symbol.asyncDispose]();
  }

  /** Signed with the account's key itself (SharedKey), which the code under test never does. */
  async #send(
    method: string,
    path: string,
    query: Readonly<Record<string, string>> = {},
    more: Readonly<Record<string, string>> = {},
    body: Uint8Array = new Uint8Array(0),
  ): Promise<void> {
    const url = new URL(`${this.url}${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const type = 'application/octet-stream';
    const headers: Record<string, string> = {
      ...more,
      'x-ms-date': new Date().toUTCString(),
      'x-ms-version': VERSION,
    };
    const lines = Object.keys(headers)
      .sort()
      .map((name) => `${name}:${headers[name]}\n`);
    const asked = Object.keys(query)
      .sort()
      .map((name) => `\n${name}:${query[name]}`);
    const length = body.length === 0 ? '' : String(body.length);
    const signed = [method, '', '', length, '', type, '', '', '', '', '', ''];
    const text = `${signed.join('\n')}\n${lines.join('')}/${AZURE_ACCOUNT}${url.pathname}${asked.join('')}`;
    const key = Buffer.from(AZURE_KEY, 'base64');
    const signature = createHmac('sha256', key).update(text).digest('base64');
    const authorization = `SharedKey ${AZURE_ACCOUNT}:${signature}`;
    const answer = await fetch(url, {
      method,
      headers: { ...headers, authorization, 'content-type': type },
      ...(method === 'PUT' ? { body: Buffer.from(body) } : {}),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
  }

  async #untilServing(): Promise<void> {
    for (let tries = 0; tries < 400; tries += 1) {
      if (this.#child.exitCode !== null) break;
      const socket = createConnection(this.#port, '127.0.0.1');
      const connected = await new Promise<boolean>((resolve) => {
        socket.on('connect', () => resolve(true));
        socket.on('error', () => resolve(false));
      });
      socket.destroy();
      if (connected) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('Azurite did not start');
  }
}
