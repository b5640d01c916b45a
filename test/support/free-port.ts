import { createServer } from 'node:net';

/**
 * Below the ports that the kernel gives to connections and to those who ask for any port, which another
 * process may have in the moment between our look and the start of the server that is to have it.
 */
const FIRST = 10_240;
const BLOCKS = 700;
const BLOCK = 32;

/** Test files that run at the same time have different blocks, as their process numbers are close. */
const begin = FIRST + (process.pid % BLOCKS) * BLOCK;
let next = 0;

/** A loopback port that nobody listens on at this moment; the next call gives another. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < BLOCK; tries += 1) {
    const port = begin + (next % BLOCK);
    next += 1;
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${begin} to ${begin + BLOCK - 1}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const isListening = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (isListening) await new Promise((resolve) => server.close(resolve));
  return isListening;
}
