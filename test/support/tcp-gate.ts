/** A way through to a port that a test can shut: connections end, and new ones are turned away. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class TcpGate implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set<Socket>();
  #isOpen = true;

  private constructor(host: string, port: number) {
    this.#server = createServer((inner) => {
      this.#sockets.add(inner);
      if (!this.#isOpen) {
        inner.destroy();
        return;
      }
      const outer = connect(port, host);
      this.#sockets.add(outer);
      inner.pipe(outer).pipe(inner);
      for (const [one, other] of [
        [inner, outer],
        [outer, inner],
      ] as const) {
        // A broken connection breaks on both sides; whoever holds the other end is told by that.
        one.on('error', () => other.destroy());
        one.on('close', () => {
          other.destroy();
          this.#sockets.delete(one);
        });
      }
    });
  }

  /** A gate to `target`, which is `host:port`. */
  static async to(target: string): Promise<TcpGate> {
    const [host = '', port = ''] = target.split(':');
    const gate = new TcpGate(host, Number(port));
    gate.#server.listen(0, '127.0.0.1');
    await once(gate.#server, 'listening');
    return gate;
  }

  get endpoint(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the gate is closed');
    return `127.0.0.1:${address.port}`;
  }

  shut(): void {
    this.#isOpen = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  open(): void {
    this.#isOpen = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.shut();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
