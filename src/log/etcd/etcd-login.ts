/** The token of a user: fetched once for all calls that wait for it, and anew when one is refused. */
import { MemberFailure } from './member.ts';
import { type EtcdMessage, textOf } from './schema.ts';

/** etcd's answer to a user where its authentication is switched off. */
const NOT_ENABLED = /authentication is not enabled/;

export class EtcdLogin {
  readonly #user: string;
  readonly #password: string;
  #token: string | null = null;
  /** etcd asks nobody for a token; said once, until a call is refused for want of one. */
  #isNotAsked = false;
  #asking: Promise<string | null> | null = null;

  constructor(options: { readonly user: string; readonly password: string }) {
    this.#user = options.user;
    this.#password = options.password;
  }

  async token(ask: (message: EtcdMessage) => Promise<EtcdMessage>): Promise<string | null> {
    if (this.#token !== null || this.#isNotAsked) return this.#token;
    this.#asking ??= this.#fetch(ask).finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  /** That token, or having none, was refused. */
  forget(token: string | null): void {
    if (this.#token !== token) return;
    this.#token = null;
    this.#isNotAsked = false;
  }

  async #fetch(ask: (message: EtcdMessage) => Promise<EtcdMessage>): Promise<string | null> {
    try {
      const answer = await ask({ name: this.#user, password: this.#password });
      this.#token = textOf(answer, 'token');
    } catch (error) {
      if (!(error instanceof MemberFailure)) throw error;
      if (!NOT_ENABLED.test(error.message)) {
        throw new MemberFailure(error.kind, `user ${this.#user}: ${error.message}`);
      }
      this.#isNotAsked = true;
    }
    return this.#token;
  }
}
