/** A store in S3's manner whose listings a test holds open, breaks off and changes: one bucket, objects in memory. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { compareUtf8 } from '../../src/core/manifest/byte-order.ts';

export class ListingStore implements AsyncDisposable {
  readonly objects: Map<string, string> = new Map();
  /** Objects in a page. */
  pageKeys: number = 1000;
  /** The page of a listing (counted from 0) that is not answered before `release`. */
  heldPage: number = Infinity;
  /** The page that is refused. */
  deniedPage: number = Infinity;
  /** Pages that were answered. */
  pages: number = 0;
  readonly #server = createServer((request, response) => this.#answer(request, response));
  #release: () => void = () => undefined;
  #released: Promise<void> = Promise.resolve();
  #port = 0;

  static async start(): Promise<ListingStore> {
    const store = new ListingStore();
    await new Promise<void>((resolve) => store.#server.listen(0, '127.0.0.1', resolve));
    const address = store.#server.address();
    store.#port = typeof address === 'object' && address !== null ? address.port : 0;
    return store;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** No page from this one on is answered. */
  hold(page: number): void {
    this.heldPage = page;
    this.#released = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  release(): void {
    this.heldPage = Infinity;
    this.#release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', this.url);
    if (url.searchParams.has('list-type')) {
      void this.#list(url.searchParams, response);
      return;
    }
    const content = this.objects.get(decodeURIComponent(url.pathname).replace('/bucket/', ''));
    if (content === undefined) response.writeHead(404).end();
    else sendObject(request, response, content);
  }

  async #list(query: URLSearchParams, response: ServerResponse): Promise<void> {
    const prefix = query.get('prefix') ?? '';
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort(compareUtf8);
    if (query.get('delimiter') === '/') {
      const folders = keys.map((key) => key.slice(0, key.indexOf('/', prefix.length) + 1));
      const inside = [...new Set(folders)].map(
        (folder) => `<CommonPrefixes><Prefix>${folder}</Prefix></CommonPrefixes>`,
      );
      response.end(`<ListBucketResult>${inside.join('')}</ListBucketResult>`);
      return;
    }
    const after = query.get('continuation-token') ?? query.get('start-after');
    const start = after === null ? 0 : keys.findIndex((key) => compareUtf8(key, after) > 0);
    const page = start / this.pageKeys;
    if (page >= this.heldPage) {
      await Promise.race([this.#released, new Promise((resolve) => response.on('close', resolve))]);
    }
    if (page >= this.deniedPage) {
      response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>');
      return;
    }
    this.pages += 1;
    const listed = start === -1 ? [] : keys.slice(start, start + this.pageKeys);
    response.end(this.#page(listed, listed.at(-1) === keys.at(-1)));
  }

  #page(keys: readonly string[], isLast: boolean): string {
    const entries = keys.map((key) => {
      const content = this.objects.get(key) ?? '';
      const etag = `<ETag>&quot;${etagOf(content)}&quot;</ETag>`;
      return `<Contents><Key>${key}</Key>${etag}<Size>${content.length}</Size></Contents>`;
    });
    const next = isLast ? '' : `<NextContinuationToken>${keys.at(-1)}</NextContinuationToken>`;
    return `<ListBucketResult>${entries.join('')}<IsTruncated>${!isLast}</IsTruncated>${next}</ListBucketResult>`;
  }
}

function etagOf(content: string): string {
  return Buffer.from(content.slice(0, 30)).toString('hex');
}

function sendObject(request: IncomingMessage, response: ServerResponse, content: string): void {
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const start = Number(range?.[1] ?? 0);
  const part = content.slice(start, Number(range?.[2] ?? content.length) + 1);
  response.setHeader('etag', `"${etagOf(content)}"`);
  response.setHeader('content-length', part.length);
  if (range !== null) {
    response.statusCode = 206;
    const end = start + part.length - 1;
    response.setHeader('content-range', `bytes ${start}-${end}/${content.length}`);
  }
  response.end(request.method === 'HEAD' ? undefined : part);
}
