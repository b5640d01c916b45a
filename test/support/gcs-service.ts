/**
 * Google's storage of the test's own on loopback: fake-gcs-server, which keeps objects in memory and asks nobody for
 * a token; and a server that gives tokens to those who can prove who they are.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';

import { freePort } from './free-port.ts';
import { startedOrEnded } from './started-or-ended.ts';
import { findToolOf, type Tool } from './tools.ts';

export const FAKE_GCS: Tool = findToolOf('store-tools.sh', ['fake-gcs-server']);

export class GcsService implements AsyncDisposable {
  readonly bucket = 'bucket';
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async start(): Promise<GcsService> {
    const port = await freePort();
    const where = ['-host', '127.0.0.1', '-port', String(port), '-scheme', 'http'];
    const child = spawn(
      FAKE_GCS.path,
      [...where, '-backend', 'memory', '-log-level', 'error', '-public-host', `127.0.0.1:${port}`],
      { stdio: 'ignore' },
    );
    const service = new GcsService(`http://127.0.0.1:${port}`, child);
    return startedOrEnded(service, () => service.#createBucket());
  }

  get variables(): Record<string, string> {
    return { STORAGE_EMULATOR_HOST: this.url.slice('http://'.length) };
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const query = new URLSearchParams({ uploadType: 'media', name });
    await this.#send('POST', `/upload/storage/v1/b/${this.bucket}/o?${query.toString()}`, bytes);
  }

  async remove(name: string): Promise<void> {
    await this.#send('DELETE', `/storage/v1/b/${this.bucket}/o/${encodeURIComponent(name)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  async #createBucket(): Promise<void> {
    const bucket = Buffer.from(JSON.stringify({ name: this.bucket }));
    for (let tries = 0; tries < 200; tries += 1) {
      const isThere = await this.#send('POST', '/storage/v1/b', bucket).then(
        () => true,
        () => false,
      );
      if (isThere) return;
      if (this.#child.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('fake-gcs-server did not start');
  }

  async #send(method: string, target: string, body: Uint8Array | null = null): Promise<void> {
    const answer = await fetch(`${this.url}${target}`, {
      method,
      headers: { 'content-type': 'application/octet-stream' },
      body: body === null ? null : Buffer.from(body),
    });
    if (!answer.ok) throw new Error(`${method} ${target}: ${answer.status}`);
    await answer.arrayBuffer();
  }
}

export const GOOGLE_EMAIL = 'reader@project.example';

/** Gives `token-1`, `token-2` and so on to whoever signs for `GOOGLE_EMAIL`, and to the machine. */
export class TokenServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #public: KeyObject;
  readonly privateKey: string;
  given = 0;
  /** What was asked for, by who signed for it. */
  readonly scopes: string[] = [];
  /** Of each token. */
  secondsToLive = 3600;

  private constructor() {
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    this.#public = createPublicKey(pair.privateKey);
    this.#server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        const why =
          request.method === 'POST'
            ? this.#refusal(new URLSearchParams(body))
            : request.headers['metadata-flavor'] === 'Google'
              ? null
              : 'no flavor';
        response.setHeader('content-type', 'application/json');
        if (why !== null) {
          response.statusCode = 400;
          response.end(JSON.stringify({ error: 'invalid_grant', error_description: why }));
          return;
        }
        this.given += 1;
        const token = `token-${this.given}-that-no-log-may-hold`;
        response.end(JSON.stringify({ access_token: token, expires_in: this.secondsToLive }));
      });
    });
  }

  static async start(): Promise<TokenServer> {
    const tokens = new TokenServer();
    await new Promise<void>((resolve) => tokens.#server.listen(0, '127.0.0.1', resolve));
    return tokens;
  }

  get authority(): string {
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  /** What the file of a service account has in it. */
  get serviceAccount(): Record<string, string> {
    return {
      type: 'service_account',
      client_email: GOOGLE_EMAIL,
      private_key_id: 'key-1',
      private_key: this.privateKey,
      token_uri: `http://${this.authority}/token`,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Why a request for a token is none; null when it is one. */
  #refusal(form: URLSearchParams): string | null {
    if (form.get('grant_type') === 'refresh_token') {
      return form.get('refresh_token') === 'right' ? null : 'Token has been expired or revoked.';
    }
    const [head = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.');
    const signed = Buffer.from(`${head}.${claims}`);
    if (!verify('sha256', signed, this.#public, Buffer.from(signature, 'base64url'))) {
      return 'Invalid JWT Signature.';
    }
    const said = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
    const nowS = Date.now() / 1000;
    if (said['iss'] !== GOOGLE_EMAIL) return 'Invalid grant: account not found';
    if (said['aud'] !== `http://${this.authority}/token`) return 'Invalid JWT: wrong audience';
    this.scopes.push(String(said['scope']));
    const isNow = Math.abs(Number(said['iat']) - nowS) < 60 && Number(said['exp']) > nowS;
    return isNow ? null : 'Invalid JWT: Token must be a short-lived token';
  }
}
