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

export interface Asked {
  readonly method: string;
  readonly url: string;
}

/** What the store says when it does not do what it was asked for. */
export type Refusal = (
  status: number,
  trouble: 'refused' | 'denied' | 'expired',
) => {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** What is before the store. */
export interface Frontier {
  readonly refusal: Refusal;
  /** Whether conditions of copies are held to here, as fake-gcs-server does not know them. */
  readonly needsGuard?: boolean;
}

export class TroubledStore implements AsyncDisposable {
  readonly troubles: Trouble[] = [];
  /** Requests so far, and the most that were under way at a time. */
  readonly seen: { asked: number; atOnce: number } = { asked: 0, atOnce: 0 };
  #open = 0;
  readonly #server: Server;
  readonly #target: URL;
  readonly #frontier: Frontier;
  #decide: (asked: Asked) => Trouble = () => 'none';
  /** Requests with conditions go one after the other. */
  #guarded: Promise<void> = Promise.resolve();

  private constructor(url: string, frontier: Frontier) {
    this.#target = new URL(url);
    this.#frontier = frontier;
    this.#server = createServer((asked, answer) => {
      void this.#serve(asked, answer);
    });
  }

  static async start(url: string, frontier: Frontier): Promise<TroubledStore> {
    // An emulator may have its account in the path; whoever asks has it there too.
    const store = new TroubledStore(new URL(url).origin, frontier);
    await new Promise<void>((resolve) => store.#server.listen(0, '127.0.0.1', resolve));
    return store;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  get decide(): (asked: Asked) => Trouble {
    return this.#decide;
  }

  set decide(decide: TroubledStore['decide']) {
    this.#decide = decide;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = '', url = '' } = asked;
    this.seen.asked += 1;
    this.#open += 1;
    this.seen.atOnce = Math.max(this.seen.atOnce, this.#open);
    answer.on('close', () => {
      this.#open -= 1;
    });
    const trouble = this.#decide({ method, url });
    if (trouble !== 'none') this.troubles.push(trouble);
    switch (trouble) {
      case 'refused':
        this.#refuse(asked, answer, 503, trouble);
        return;
      case 'denied':
        this.#refuse(asked, answer, 403, trouble);
        return;
      case 'expired':
        this.#refuse(asked, answer, 400, trouble);
        return;
      case 'reset':
        asked.socket.destroy();
        return;
      case 'none':
      case 'unheard':
        if (this.#frontier.needsGuard === true && url.includes('ifGenerationMatch=')) {
          await this.#guard(asked, answer, trouble === 'unheard');
        } else await this.#pass(asked, answer, trouble === 'unheard');
        return;
      default:
        trouble satisfies never;
    }
  }

  /** Passed on when the condition holds; of uploads the emulator knows them itself. */
  #guard(asked: IncomingMessage, answer: ServerResponse, isUnheard: boolean): Promise<void> {
    this.#guarded = this.#guarded.then(async () => {
      const { url = '' } = asked;
      const found =
        /^(\/storage\/v1\/b\/[^/]+\/o\/)(?:[^/?]+\/rewriteTo\/b\/[^/]+\/o\/([^/?]+)|([^/?]+)\/compose)\?/.exec(
          url,
        );
      const name = found?.[2] ?? found?.[3];
      if (found !== null && name !== undefined) {
        const there = await fetch(new URL(`${found[1]}${name}?fields=generation`, this.#target));
        const { generation = '0' } = (await there.json()) as { readonly generation?: string };
        const wanted = new URL(url, this.#target).searchParams.get('ifGenerationMatch');
        if (wanted !== (there.ok ? generation : '0')) {
          const error = { code: 412, message: 'At least one of the pre-conditions did not hold.' };
          await answered(asked, isUnheard, answer, 412, JSON.stringify({ error }));
          return;
        }
      }
      await this.#pass(asked, answer, isUnheard);
    });
    return this.#guarded;
  }

  #pass(asked: IncomingMessage, answer: ServerResponse, isUnheard: boolean): Promise<void> {
    return new Promise((resolve) => {
      const { hostname: host, port } = this.#target;
      // The Host header stays: it is signed.
      const { method, url: path } = asked;
      const headers = asked.rawHeaders;
      const passed = request({ host, port, method, path, headers, agent: false }, (got) => {
        got.on('close', resolve);
        if (isUnheard) {
          got.resume();
          got.on('end', () => asked.socket.destroy());
          return;
        }
        answer.writeHead(got.statusCode ?? 500, got.headers);
        got.pipe(answer);
      });
      passed.on('error', () => asked.socket.destroy());
      passed.on('close', resolve);
      asked.pipe(passed);
    });
  }

  #refuse(
    asked: IncomingMessage,
    answer: ServerResponse,
    status: number,
    trouble: 'refused' | 'denied' | 'expired',
  ): void {
    const { status: said, headers, body } = this.#frontier.refusal(status, trouble);
    asked.resume();
    asked.on('end', () => {
      answer.writeHead(said, headers);
      answer.end(asked.method === 'HEAD' ? undefined : body);
    });
  }
}

async function answered(
  asked: IncomingMessage,
  isUnheard: boolean,
  answer: ServerResponse,
  status: number,
  body: string,
): Promise<void> {
  for await (const _ of asked);
  if (isUnheard) {
    asked.socket.destroy();
    return;
  }
  answer.writeHead(status);
  answer.end(body);
}
