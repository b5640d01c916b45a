/**
 * A web server that answers ranges of one object out of memory and does nothing else, in a process of its own:
 * so that what a client costs is measured and not what a server does.
 */
import { createServer } from 'node:net';

export const OBJECT_BYTES: number = 64 * 1024 ** 2;

const object = Buffer.alloc(OBJECT_BYTES);
for (let at = 0; at < OBJECT_BYTES; at += 4) object.writeUInt32LE((at * 2_654_435_761) >>> 0, at);

const server = createServer({ noDelay: true }, (socket) => {
  let text = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
      const head = text.slice(0, end);
      text = text.slice(end + 4);
      const range = /\r\nrange: bytes=(\d+)-(\d+)/i.exec(head);
      const start = Number(range?.[1] ?? 0);
      const stop = Number(range?.[2] ?? OBJECT_BYTES - 1) + 1;
      socket.cork();
      socket.write(
        `HTTP/1.1 206 Partial Content\r\nContent-Length: ${stop - start}\r\nETag: "one"\r\nContent-Range: bytes ${start}-${stop - 1}/${OBJECT_BYTES}\r\n\r\n`,
      );
      if (!head.startsWith('HEAD')) socket.write(object.subarray(start, stop));
      socket.uncork();
    }
  });
});

if (process.send !== undefined) {
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.(typeof address === 'object' && address !== null ? address.port : 0);
  });
  process.on('disconnect', () => process.exit(0));
}
