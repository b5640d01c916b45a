/**
 * A Hugging Face Hub of the test's own on loopback, as its documented API says: revisions, pages of trees with
 * `Link`, folders before files, small files by themselves, large ones by a redirect to a storage server with a
 * signature, private repositories. What comes with a wrong token, or takes the token to the storage server,
 * fails.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** Files above this are kept by the storage server. */
const LARGE_BYTES_MIN = 2_000;
const PAGE_ENTRIES = 700;

export const HF_TOKEN = 'hf_test-token-that-no-log-may-hold';

type Files = ReadonlyMap<string, Uint8Array>;

export class HfHub implements AsyncDisposable {
  readonly repository = 'owner/photos';
  /** What was asked for, of both servers: `GET /path`. */
  readonly asked: string[] = [];
  /** The storage server takes no signature made before this was raised. */
  expired = 0;
  readonly #hub: Server;
  readonly #storage: Server;
  readonly #commits: Map<string, Files> = new Map();
  readonly #leaked: string[] = [];
  #main = '';

  private constructor() {
    this.#hub = createServer((request, response) => this.#onHub(request, response));
    this.#storage = createServer((request, response) => this.#onStorage(request, response));
    this.commit(new Map());
  }

  static async start(): Promise<HfHub> {
    const hub = new HfHub();
    for (const server of [hub.#hub, hub.#storage]) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
    return hub;
  }

  get url(): string {
    return urlOf(this.#hub);
  }

  get storageUrl(): string {
    return urlOf(this.#storage);
  }

  get variables(): Record<string, string> {
    return { HF_ENDPOINT: this.url, HF_TOKEN };
  }

  /** The commit that `main` names. */
  get main(): string {
    return this.#main;
  }

  /** A commit that adds or replaces a file. */
  put(path: string, bytes: Uint8Array): void {
    this.commit(new Map([...(this.#commits.get(this.#main) ?? []), [path, bytes]]));
  }

  commit(files: Files): string {
    this.#main = randomBytes(20).toString('hex');
    this.#commits.set(this.#main, files);
    return this.#main;
  }

  /** As when history is rewritten. */
  forget(commit: string): void {
    this.#commits.delete(commit);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.#hub, this.#storage]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    if (this.#leaked.length > 0) throw new Error(`the token went to ${this.#leaked.join(', ')}`);
  }

  #onHub(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', this.url);
    this.asked.push(`${request.method} ${url.pathname}`);
    if (request.headers.authorization !== `Bearer ${HF_TOKEN}`) {
      refuse(response, 401, 'RepoNotFound', 'Invalid username or password.');
      return;
    }
    const api = `/api/datasets/${this.repository}/`;
    const files = `/datasets/${this.repository}/resolve/`;
    const isApi = url.pathname.startsWith(api);
    if (!isApi && !url.pathname.startsWith(files)) {
      refuse(response, 404, 'RepoNotFound', 'Repository not found');
      return;
    }
    const rest = url.pathname.slice(isApi ? api.length : files.length).split('/');
    const verb = isApi ? rest.shift() : 'resolve';
    const revision = decodeURIComponent(rest.shift() ?? '');
    const commit = revision === 'main' ? this.#main : revision;
    const content = this.#commits.get(commit);
    const path = rest.map(decodeURIComponent).join('/');
    if (content === undefined) {
      refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    } else if (verb === 'revision') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ id: this.repository, sha: commit }));
    } else if (verb === 'tree') this.#tree(url, content, path, response);
    else this.#file(request, response, commit, path, content.get(path));
  }

  #tree(url: URL, content: Files, folder: string, response: ServerResponse): void {
    const start = folder === '' ? '' : `${folder}/`;
    const inside = [...content.keys()].filter((path) => path.startsWith(start));
    if (inside.length === 0 && folder !== '') {
      refuse(response, 404, 'EntryNotFound', `${folder} does not exist on "main"`);
      return;
    }
    const isDeep = url.searchParams.get('recursive') === 'true';
    const isShown = (path: string): boolean => isDeep || !path.slice(start.length).includes('/');
    const below = inside.flatMap(foldersOf).filter((path) => path.startsWith(start));
    const folders = new Set(below.filter(isShown));
    const entries = [
      ...[...folders].map((path) => ({ type: 'directory', oid: oidOf(path), size: 0, path })),
      // Deeper ones first, unlike the order of bytes.
      ...inside
        .filter(isShown)
        .toSorted((one, other) => other.split('/').length - one.split('/').length)
        .map((path) => entryOf(path, content.get(path) ?? new Uint8Array(0))),
    ];
    const at = Number(url.searchParams.get('cursor') ?? 0);
    const end = at + Math.min(PAGE_ENTRIES, Number(url.searchParams.get('limit') ?? PAGE_ENTRIES));
    if (end < entries.length) {
      url.searchParams.set('cursor', String(end));
      response.setHeader('link', `<${url.href}>; rel="next"`);
    }
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(entries.slice(at, end)));
  }

  #file(
    request: IncomingMessage,
    response: ServerResponse,
    commit: string,
    path: string,
    bytes: Uint8Array | undefined,
  ): void {
    response.setHeader('x-repo-commit', commit);
    if (bytes === undefined) {
      refuse(response, 404, 'EntryNotFound', 'Entry not found');
      return;
    }
    if (bytes.length <= LARGE_BYTES_MIN) {
      serve(request, response, bytes, gitOid(bytes));
      return;
    }
    const oid = sha256(bytes);
    response.setHeader('x-linked-size', bytes.length);
    response.setHeader('x-linked-etag', `"${oid}"`);
    const query = `commit=${commit}&path=${encodeURIComponent(path)}&sig=${this.expired}`;
    response.setHeader('location', `${this.storageUrl}/${oid}?${query}`);
    response.writeHead(302).end(`Found. Redirecting to ${this.storageUrl}`);
  }

  #onStorage(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', this.storageUrl);
    this.asked.push(`${request.method} ${url.pathname}`);
    if (request.headers.authorization !== undefined) this.#leaked.push(url.pathname);
    const bytes = this.#commits
      .get(url.searchParams.get('commit') ?? '')
      ?.get(url.searchParams.get('path') ?? '');
    if (Number(url.searchParams.get('sig')) < this.expired || bytes === undefined) {
      response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>');
      return;
    }
    // Of the storage server: another one than the Hub's.
    serve(request, response, bytes, `${sha256(bytes).slice(0, 32)}-1`);
  }
}

function urlOf(server: Server): string {
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.setHeader('x-error-code', code);
  response.setHeader('x-error-message', message);
  response.writeHead(status).end(JSON.stringify({ error: message }));
}

function serve(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array,
  etag: string,
): void {
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const start = Number(match?.[1] ?? 0);
  const end = Math.min(Number(match?.[2] ?? Infinity) + 1, bytes.length);
  if (match !== null && start >= bytes.length) {
    response.writeHead(416).end();
    return;
  }
  response.setHeader('etag', `"${etag}"`);
  response.setHeader('content-length', end - start);
  if (match !== null) {
    response.statusCode = 206;
    response.setHeader('content-range', `bytes ${start}-${end - 1}/${bytes.length}`);
  }
  response.end(request.method === 'HEAD' ? undefined : bytes.subarray(start, end));
}

function entryOf(path: string, bytes: Uint8Array): object {
  const { length: size } = bytes;
  if (size <= LARGE_BYTES_MIN) return { type: 'file', oid: gitOid(bytes), size, path };
  const lfs = { oid: sha256(bytes), size, pointerSize: 134 };
  return { type: 'file', oid: oidOf(lfs.oid), size, lfs, path };
}

function foldersOf(path: string): readonly string[] {
  const names = path.split('/').slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join('/'));
}

function gitOid(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

function oidOf(text: string): string {
  return gitOid(Buffer.from(text));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
