/**
 * A web server that answers ranges of one object out of memory and does nothing else, in a process of its own:
 * so that what a client costs is measured and not what a server does. Below /far/ every answer begins 50 ms
 * later, and one in a hundred is a refusal.
 */
import { createServer, type Socket } from 'node:net';

export const OBJECT_BYTES: number = 64 * 1024 ** 2;

const FAR_MS = 50;
let farAnswers = 0;

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
      const isHead = head.startsWith('HEAD');
      if (/^\w+ \/far\//.test(head)) setTimeout(() => answerFar(socket, start, stop), FAR_MS);
      else answer(socket, start, stop, isHead);
    }
  });
});

function answer(socket: Socket, start: number, stop: number, isHead: boolean): void {
  socket.cork();
  socket.write(
    `HTTP/1.1 206 Partial Content\r\nContent-Length: ${stop - start}\r\nETag: "one"\r\nContent-Range: bytes ${start}-${stop - 1}/${OBJECT_BYTES}\r\n\r\n`,
  );
  if (!isHead) socket.write(object.subarray(start, stop));
  socket.uncork();
}

function answerFar(socket: Socket, start: number, stop: number): void {
  farAnswers += 1;
  if (farAnswers % 100 !== 0) answer(socket, start, stop, false);
  else socket.write('HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n');
}

if (process.send !== undefined) {
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.(typeof address === 'object' && address !== null ? address.port : 0);
  });
  process.on('disconnect', () => process.exit(0));
}
