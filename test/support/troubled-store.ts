/** A real store behind a server that has trouble on purpose: refusals, resets in mid-body, lost answers. */
import {
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';

export type Trouble =
  | 'none'
  /** 503 without carrying it out. */
  | 'refused'
  /** 403 without carrying it out. */
  | 'denied'
  /** 400 ExpiredToken without carrying it out. */
  | 'expired'
  /** The connection breaks before the body has come. */
  | 'reset'
  /** It is carried out, and the connection breaks before the answer. */
  | 'unheard';

export class TroubledStore implements AsyncDisposable {
  readonly troubles: Trouble[] = [];
  readonly #server: Server;
  readonly #target: URL;
  #decide: (asked: { readonly method: string; readonly url: string }) => Trouble;

  private constructor(url: string, decide: TroubledStore['decide']) {
    this.#target = new URL(url);
    this.#decide = decide;
    this.#server = createServer((asked, answer) => this.#serve(asked, answer));
  }

  static async start(
    url: string,
    decide: TroubledStore['decide'] = () => 'none',
  ): Promise<TroubledStore> {
    const store = new TroubledStore(url, decide);
    await new Promise<void>((resolve) => store.#server.listen(0, '127.0.0.1', resolve));
    return store;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  get decide(): (asked: { readonly method: string; readonly url: string }) => Trouble {
    return this.#decide;
  }

  set decide(decide: TroubledStore['decide']) {
    this.#decide = decide;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(asked: IncomingMessage, answer: ServerResponse): void {
    const { method = '', url = '' } = asked;
    const trouble = this.#decide({ method, url });
    if (trouble !== 'none') this.troubles.push(trouble);
    switch (trouble) {
      case 'refused':
        refuse(asked, answer, 503, 'SlowDown');
        return;
      case 'denied':
        refuse(asked, answer, 403, 'AccessDenied');
        return;
      case 'expired':
        refuse(asked, answer, 400, 'ExpiredToken');
        return;
      case 'reset':
        asked.socket.destroy();
        return;
      case 'none':
      case 'unheard':
        this.#pass(asked, answer, trouble === 'unheard');
        return;
      default:
        trouble satisfies never;
    }
  }

  #pass(asked: IncomingMessage, answer: ServerResponse, isUnheard: boolean): void {
    const { hostname: host, port } = this.#target;
    // The Host header stays: it is signed.
    const { method, url: path } = asked;
    const headers = asked.rawHeaders;
    const passed = request({ host, port, method, path, headers, agent: false }, (got) => {
      if (isUnheard) {
        got.resume();
        got.on('end', () => asked.socket.destroy());
        return;
      }
      answer.writeHead(got.statusCode ?? 500, got.headers);
      got.pipe(answer);
    });
    passed.on('error', () => asked.socket.destroy());
    asked.pipe(passed);
  }
}

function refuse(
  asked: IncomingMessage,
  answer: ServerResponse,
  status: number,
  code: string,
): void {
  asked.resume();
  asked.on('end', () => {
    answer.writeHead(status);
    answer.end(`<Error><Code>${code}</Code><Message>said so</Message></Error>`);
  });
}
