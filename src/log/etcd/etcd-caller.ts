/**
 * Calls to whichever member answers. Each ends within its time in an answer or a `KvError`: what is known
 * to have done nothing is asked again at the next member, and so is what may be repeated; what may have
 * been done is not.
 */
import {
  type ChannelCredentials,
  type ClientDuplexStream,
  credentials,
  logVerbosity,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { must } from '../../core/base/assert.ts';
import { addMs } from '../../core/base/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EventSink } from '../../ports/event-sink.ts';
import { KvError } from '../../ports/kv-store.ts';
import { kvErrorOf } from './etcd-errors.ts';
import { EtcdLogin } from './etcd-login.ts';
import { ATTEMPT_TIMEOUT_MS_DEFAULT, CALL_TIMEOUT_MS_DEFAULT, ROUND_PAUSE_MS } from './limits.ts';
import { Member, MemberFailure } from './member.ts';
import { type EtcdMessage, etcdMethod, type EtcdMethod } from './schema.ts';

export interface EtcdTls {
  /** Authority that signed the members' certificates; the system's when absent. */
  readonly caPem?: string;
  /** What this client shows, where etcd asks for a certificate. */
  readonly certPem?: string;
  readonly keyPem?: string;
}

export interface EtcdUser {
  readonly user: string;
  readonly password: string;
}

export interface EtcdOptions {
  /** Each as `host:port`; the first that answers is used. */
  readonly endpoints: readonly string[];
  readonly clock: Clock;
  /** Absent: in the clear. */
  readonly tls?: EtcdTls;
  readonly login?: EtcdUser;
  /** How long a call may take in all. Default 5 s. */
  readonly callTimeoutMs?: number;
  /** How long one member may take. Default 2.5 s. */
  readonly attemptTimeoutMs?: number;
  /** Bytes written until the history before is compacted. Default 64 MiB. */
  readonly compactAfterBytes?: number;
  /** Is told of what nobody waits for and went wrong. */
  readonly events?: EventSink;
}

export type AnswerShape = 'message' | 'stream';

const AUTHENTICATE: EtcdMethod = etcdMethod('Auth/Authenticate');

export class EtcdCaller {
  readonly clock: Clock;
  readonly members: readonly Member[];
  readonly #attemptTimeoutMs: number;
  readonly #callTimeoutMs: number;
  readonly #login: EtcdLogin | null;
  #current = 0;
  #isClosed = false;

  constructor(options: EtcdOptions) {
    // grpc-js writes what it thinks of failures to stderr; all of it reaches us as errors of calls.
    setLogVerbosity(logVerbosity.NONE);
    const tls = channelCredentials(options.tls);
    this.clock = options.clock;
    this.members = options.endpoints.map((endpoint) => new Member(endpoint, tls, options.clock));
    this.#callTimeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS_DEFAULT;
    this.#attemptTimeoutMs = Math.min(
      options.attemptTimeoutMs ?? ATTEMPT_TIMEOUT_MS_DEFAULT,
      this.#callTimeoutMs,
    );
    this.#login = options.login === undefined ? null : new EtcdLogin(options.login);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** `isRepeatable`: done twice it is as done once, so an unknown outcome is asked again. */
  async call(
    method: EtcdMethod,
    message: EtcdMessage,
    isRepeatable: boolean,
    shape: AnswerShape = 'message',
  ): Promise<EtcdMessage> {
    const deadlineMs = addMs(this.clock.nowMs(), this.#callTimeoutMs);
    // Why each member that was asked did not answer.
    const said = new Map<string, string>();
    let hasNewToken = false;
    for (let attempts = 1; ; attempts += 1) {
      if (this.#isClosed) throw closed();
      const member = this.#member();
      const leftMs = Math.max(1, deadlineMs - this.clock.nowMs());
      const timeoutMs = Math.min(leftMs, this.#attemptTimeoutMs);
      try {
        return await this.askMember(member, method, message, timeoutMs, { shape, leftMs });
      } catch (error) {
        if (!(error instanceof MemberFailure)) throw error;
        said.set(member.endpoint, error.message);
        const isOfToken: boolean = error.kind === 'token' && this.#login !== null && !hasNewToken;
        hasNewToken ||= isOfToken;
        const failure = kvErrorOf(error.kind, whereOf(said), whyOf(said));
        const mayTryAgain = isOfToken || (failure.retryable && (failure.isDecided || isRepeatable));
        if (!isOfToken && failure.retryable) this.failed(member);
        const pauseMs = attempts % this.members.length === 0 && !isOfToken ? ROUND_PAUSE_MS : 0;
        const isOver = addMs(this.clock.nowMs(), pauseMs) >= deadlineMs;
        if (!mayTryAgain || isOver) throw failure;
        if (pauseMs > 0) await this.clock.sleep(pauseMs);
      }
    }
  }

  /**
   * One attempt at one member, with a token where there is a login. A password takes etcd a while to
   * check, on purpose: it may take all the time that is left. Rejects with `MemberFailure`.
   */
  async askMember(
    member: Member,
    method: EtcdMethod,
    message: EtcdMessage,
    timeoutMs: number,
    { shape = 'message', leftMs = timeoutMs }: { shape?: AnswerShape; leftMs?: number } = {},
  ): Promise<EtcdMessage> {
    const token = await this.#token(member, leftMs);
    try {
      return shape === 'message'
        ? await member.unary(method, message, token, timeoutMs)
        : await member.firstOf(method, message, token, timeoutMs);
    } catch (error) {
      if (error instanceof MemberFailure && error.kind === 'token') this.#login?.forget(token);
      throw error;
    }
  }

  /** A stream to the member in use. Rejects with `MemberFailure` when there is no token to be had. */
  async openStream(method: EtcdMethod): Promise<{
    readonly member: Member;
    readonly stream: ClientDuplexStream<EtcdMessage, EtcdMessage>;
    /** The token was refused: the next stream shall have another. */
    readonly forgetToken: () => void;
  }> {
    const member = this.#member();
    const token = await this.#token(member, this.#callTimeoutMs);
    return {
      member,
      stream: member.stream(method, token),
      forgetToken: () => this.#login?.forget(token),
    };
  }

  /** That member is of no use now: the next call goes to another. Safe to say more than once. */
  failed(member: Member): void {
    if (this.members[this.#current] !== member) return;
    this.#current = (this.#current + 1) % this.members.length;
  }

  close(): void {
    this.#isClosed = true;
    for (const member of this.members) member.close();
  }

  #member(): Member {
    return must(this.members[this.#current], 'the list of members is not empty');
  }

  async #token(member: Member, timeoutMs: number): Promise<string | null> {
    if (this.#login === null) return null;
    return this.#login.token((message) =>
      member.unary(AUTHENTICATE, message, null, timeoutMs).catch((error: unknown) => {
        // Asking for a token changes nothing that anybody reads: no outcome of it is unknown.
        if (error instanceof MemberFailure && error.kind === 'unknown') {
          throw new MemberFailure('not_now', error.message);
        }
        throw error;
      }),
    );
  }
}

function channelCredentials(tls: EtcdTls | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const { caPem, certPem, keyPem } = tls;
  return credentials.createSsl(buffer(caPem), buffer(keyPem), buffer(certPem));
}

function buffer(pem: string | undefined): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem);
}

function closed(): KvError {
  return new KvError('the connection to etcd was closed', { isDecided: true, retryable: false });
}

function whereOf(said: ReadonlyMap<string, string>): string {
  return [...said.keys()].join(', ');
}

/** One member's reason as it is; of several, each with its address. */
function whyOf(said: ReadonlyMap<string, string>): string {
  if (said.size === 1) return [...said.values()][0] ?? '';
  return [...said].map(([endpoint, why]) => `${endpoint}: ${why}`).join('; ');
}
