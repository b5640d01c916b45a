/** A store on loopback that serves so many requests at a time, each for a while, and refuses the others. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

export class BusyStore implements AsyncDisposable {
  readonly #server: Server;
  readonly #serves: number;
  readonly #takesMs: number;
  readonly #textOf: (path: string) => string;
  #inFlight: number = 0;
  #served: number = 0;
  #refused: number = 0;
  /** What was under way as requests came, added up. */
  #inFlightSum: number = 0;
  readonly #milestones: { readonly served: number; readonly reached: () => void }[] = [];

  private constructor(serves: number, takesMs: number, textOf: (path: string) => string) {
    this.#serves = serves;
    this.#takesMs = takesMs;
    this.#textOf = textOf;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(
    serves: number,
    takesMs: number,
    textOf: (path: string) => string,
  ): Promise<BusyStore> {
    const store = new BusyStore(serves, takesMs, textOf);
    await new Promise<void>((resolve) => store.#server.listen(0, '127.0.0.1', resolve));
    return store;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  /** Since the last call: answers, refusals, and what was under way on average as a request came. */
  tally(): { readonly served: number; readonly refused: number; readonly inFlight: number } {
    const [served, refused] = [this.#served, this.#refused];
    const inFlight = this.#inFlightSum / Math.max(1, served + refused);
    this.#served = 0;
    this.#refused = 0;
    this.#inFlightSum = 0;
    return { served, refused, inFlight };
  }

  /** Resolves once so many have been served since the last tally. */
  served(count: number): Promise<void> {
    return new Promise((reached) => this.#milestones.push({ served: count, reached }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.#inFlightSum += this.#inFlight;
    if (this.#inFlight >= this.#serves) {
      this.#refused += 1;
      response.writeHead(503, { 'Content-Length': 0 }).end();
      return;
    }
    this.#inFlight += 1;
    response.on('close', () => {
      this.#inFlight -= 1;
    });
    setTimeout(() => this.#serve(request, response), this.#takesMs);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const body = Buffer.from(this.#textOf(request.url ?? '/'));
    response.writeHead(206, {
      'Content-Length': body.length,
      'Content-Range': `bytes 0-${body.length - 1}/${body.length}`,
      ETag: '"one"',
    });
    response.end(body);
    this.#served += 1;
    for (const milestone of this.#milestones.splice(0)) {
      if (this.#served >= milestone.served) milestone.reached();
      else this.#milestones.push(milestone);
    }
  }
}
