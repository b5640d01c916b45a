/** A plain web server over a folder, with ranges, on loopback. */
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';

export interface FileServer extends AsyncDisposable {
  /** Ends in a slash. */
  readonly url: string;
}

export async function serveFiles(
  folder: string,
  { etags = true }: { readonly etags?: boolean } = {},
): Promise<FileServer> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname);
    const file = `${folder}${path}`;
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats?.isFile() !== true) {
      response.writeHead(404).end('not here');
      return;
    }
    const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const start = Number(match?.[1] ?? 0);
    const end = Math.min(Number(match?.[2] ?? Infinity), stats.size - 1);
    if (start > end) {
      response.writeHead(416).end();
      return;
    }
    response.setHeader('content-length', end - start + 1);
    if (etags) response.setHeader('etag', `"${stats.mtimeMs}-${stats.size}"`);
    if (match !== null) {
      response.setHeader('content-range', `bytes ${start}-${end}/${stats.size}`);
      response.statusCode = 206;
    }
    if (request.method === 'HEAD') response.end();
    else createReadStream(file, { start, end }).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
