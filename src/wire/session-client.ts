/**
 * One node's session with the coordinator, over as many connections as it takes.
 *
 *   idle --ask--> connecting --first answer--> open
 *                    ^  |                        |
 *                    |  +---- failure ------+    | failure, silence, not the leader
 *                    +------ after a wait --+<---+
 *
 * A request waits until it is answered or its time is up. When a connection breaks, requests that have
 * no answer are sent again on the next with the same request id, after the node's hello: each may be
 * repeated and has its effect once.
 */
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { type ErrorCode, Mx8Error } from '../core/base/errors.ts';
import { addMs, type MonoMs } from '../core/base/units.ts';
import type { Reply } from '../core/job/protocol.ts';
import type { TimerHandle } from '../ports/clock.ts';
import type { Push } from '../ports/coordinator-client.ts';
import type { CallConnection } from './connection.ts';
import { uint64 } from './fields.ts';
import { CLIENT_REQUESTS_MAX, SESSION_LEFT_MS, SILENCE_MS } from './limits.ts';
import { MessageBatcher, unbatched } from './message-batcher.ts';
import type { WireMessage } from './schema.ts';
import { asMx8Error, errorOfCall, unavailable } from './status.ts';
import { abortReason, type CallerOptions, v1Method } from './unary-caller.ts';
import {
  commandMessage,
  pushFrom,
  refusalFrom,
  replyFrom,
  type SessionCommand,
} from './v1-session.ts';

export interface SessionOptions extends CallerOptions {
  readonly onPush: (push: Push) => void;
}

interface Request {
  readonly command: SessionCommand;
  readonly askedMs: MonoMs;
  readonly deadlineMs: MonoMs;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

type Stream = ClientDuplexStream<WireMessage, WireMessage>;
type Hello = Extract<SessionCommand, { readonly type: 'register' }>;

const METHOD = v1Method('Session');
const NO_TOKEN = new Uint8Array(0);

export class SessionClient {
  readonly #options: SessionOptions;
  /** In order of asking, and so of deadline: every request gets the same time. */
  readonly #requests: Map<number, Request> = new Map<number, Request>();
  #lastRequestId = 0;
  /** What introduces the node on a new connection; null until it was registered once. */
  #hello: Hello | null = null;
  #connection: CallConnection | null = null;
  #stream: Stream | null = null;
  /** Of a coordinator that does not lead any more, and has not ended it yet. */
  #left: { readonly stream: Stream; readonly timer: TimerHandle } | null = null;
  #out: MessageBatcher | null = null;
  #isOpen = false;
  #saidDisconnected = false;
  #attempts = 0;
  #heardMs: MonoMs;
  #lastFailure: Mx8Error | null = null;
  #connectTimer: TimerHandle | null = null;
  #retryTimer: TimerHandle | null = null;
  #deadlineTimer: TimerHandle | null = null;
  #silenceTimer: TimerHandle | null = null;
  #isClosed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#heardMs = options.clock.nowMs();
  }

  /** The reply, a refusal included; rejects when there is none in time. */
  ask(command: SessionCommand, signal?: AbortSignal): Promise<Reply> {
    const refusal = this.#refusalOf(command);
    if (refusal !== null) return Promise.reject(refusal);
    const { clock, callTimeoutMs } = this.#options;
    this.#lastRequestId += 1;
    const id = this.#lastRequestId;
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const askedMs = clock.nowMs();
    const deadlineMs = addMs(askedMs, callTimeoutMs);
    this.#requests.set(id, { command, askedMs, deadlineMs, resolve, reject });
    this.#armDeadline();
    if (this.#out !== null) this.#out.send(commandMessage(id, command));
    else if (this.#retryTimer === null) this.#connect();
    return signal === undefined ? promise : this.#abortable(id, promise, signal);
  }

  /** Sends nothing more. Requests without an answer are rejected. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#hello = null;
    this.#clearTimers();
    const stream = this.#stream;
    this.#stream = null;
    this.#out = null;
    // A cancelled call may end in an error that nobody waits for any more.
    stream?.on('error', () => undefined);
    stream?.end();
    stream?.cancel();
    this.#endLeft();
    this.#rejectAll(new Mx8Error('coordinator_unavailable', 'this client was closed'));
  }

  #refusalOf(command: SessionCommand): Mx8Error | null {
    if (this.#isClosed) return new Mx8Error('coordinator_unavailable', 'this client was closed');
    if (this.#requests.size >= CLIENT_REQUESTS_MAX) {
      const message = `${CLIENT_REQUESTS_MAX} requests wait for the coordinator already`;
      return new Mx8Error('coordinator_unavailable', message);
    }
    if (this.#hello !== null || command.type === 'register') return null;
    const message = `node ${command.nodeId} has not registered with job ${command.jobId} yet`;
    return new Mx8Error('node_not_registered', message);
  }

  #abortable(id: number, answer: Promise<Reply>, signal: AbortSignal): Promise<Reply> {
    const abort = (): void => {
      this.#requests.get(id)?.reject(abortReason(signal));
      this.#requests.delete(id);
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    return answer.finally(() => signal.removeEventListener('abort', abort));
  }

  // ---- connections -----------------------------------------------------------------------------

  #connect(): void {
    const { clock, dialer } = this.#options;
    const connection = dialer.connection();
    const { client, address } = connection;
    const { path, request, response } = METHOD;
    const stream: Stream = client.makeBidiStreamRequest(path, request.encode, response.decode);
    this.#connection = connection;
    const out = new MessageBatcher(stream);
    this.#stream = stream;
    this.#out = out;
    stream.on('data', (message: WireMessage) => {
      for (const one of unbatched(message)) if (this.#stream === stream) this.#receive(one);
    });
    stream.on('error', (error: ServiceError) => {
      if (this.#stream === stream) this.#broke(errorOfCall(error, address.text));
    });
    stream.on('end', () => {
      if (this.#stream === stream) this.#broke(unavailable(address.text, 'it ended the session'));
    });
    const connectMs = dialer.connectTimeoutMs(this.#attempts);
    this.#connectTimer = clock.setTimer(connectMs, () => {
      this.#broke(unavailable(address.text, `nothing within ${connectMs} ms`));
    });
    if (this.#hello !== null) {
      // Its answer goes to nobody: whoever asks later on is told by the answers to their own requests.
      this.#lastRequestId += 1;
      out.send(commandMessage(this.#lastRequestId, this.#hello));
    }
    for (const [id, { command }] of this.#requests) out.send(commandMessage(id, command));
  }

  #opened(): void {
    this.#connectTimer?.clear();
    this.#isOpen = true;
    this.#saidDisconnected = false;
    this.#attempts = 0;
    this.#watchSilence();
    this.#options.dialer.keepSpares();
    this.#options.onPush({ type: 'connected' });
  }

  /**
   * A coordinator that was paused, or cut off without a word, keeps its connection open. It is left when
   * it has answered nothing of what it owes for a while: another may lead by now.
   */
  #watchSilence(): void {
    const { clock } = this.#options;
    this.#silenceTimer?.clear();
    this.#silenceTimer = clock.setTimer(SILENCE_MS / 2, () => {
      if (!this.#isOpen) return;
      const [first] = this.#requests.values();
      const sinceMs = addMs(clock.nowMs(), -SILENCE_MS);
      if (first !== undefined && first.askedMs <= sinceMs && this.#heardMs <= sinceMs) {
        const where = this.#connection?.address.text ?? 'the coordinator';
        this.#broke(unavailable(where, `nothing for ${SILENCE_MS} ms`));
      } else this.#watchSilence();
    });
  }

  #broke(error: Mx8Error): void {
    const { clock, dialer, onPush } = this.#options;
    const [stream, connection] = [this.#stream, this.#connection];
    this.#stream = null;
    this.#out = null;
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    this.#connectTimer?.clear();
    this.#silenceTimer?.clear();
    this.#lastFailure = error;
    if (stream !== null) this.#leave(stream, error.code);
    if (connection !== null) dialer.failed(connection, error);
    if (!this.#saidDisconnected) {
      this.#saidDisconnected = true;
      onPush({ type: 'disconnected', code: error.code, message: error.message });
    }
    if (this.#isClosed || (this.#hello === null && this.#requests.size === 0)) return;
    // A leader that leaves says who follows it: there is nothing to wait for. The word of one that never
    // answered may be old, and two of them could send us to and fro.
    const knowsWhere = this.#attempts === 0 && wasOpen && dialer.isHinted;
    this.#attempts += 1;
    if (knowsWhere) {
      this.#connect();
      return;
    }
    this.#retryTimer = clock.setTimer(dialer.backoffMs(this.#attempts), () => {
      this.#retryTimer = null;
      this.#connect();
    });
  }

  /**
   * A leader that leaves ends its sessions itself, a moment later. To cancel this one now would be work for
   * both sides in the moment in which every node begins another with the next leader.
   */
  #leave(stream: Stream, code: ErrorCode): void {
    this.#endLeft();
    if (code !== 'not_leader') {
      stream.cancel();
      return;
    }
    const end = (): void => this.#endLeft();
    const timer = this.#options.clock.setTimer(SESSION_LEFT_MS, end, { unref: true });
    this.#left = { stream, timer };
  }

  #endLeft(): void {
    this.#left?.timer.clear();
    this.#left?.stream.cancel();
    this.#left = null;
  }

  // ---- messages --------------------------------------------------------------------------------

  #receive(message: WireMessage): void {
    this.#heardMs = this.#options.clock.nowMs();
    const id = uint64(message, 'requestId');
    const elsewhere = sentElsewhere(message);
    if (elsewhere !== null) this.#broke(elsewhere);
    else if (id !== 0) this.#answered(id, parsedReply(message));
    else {
      const push = pushFrom(message);
      if (push !== null) this.#options.onPush(push);
    }
  }

  #answered(id: number, reply: Reply): void {
    if (!this.#isOpen) this.#opened();
    const request = this.#requests.get(id);
    if (request === undefined) return;
    this.#requests.delete(id);
    if (reply.type === 'registered' && request.command.type === 'register') {
      const { jobToken } = reply;
      const known = jobToken === undefined ? {} : { jobToken };
      this.#hello = { ...request.command, resumeFrom: NO_TOKEN, ...known };
    }
    request.resolve(reply);
  }

  // ---- deadlines -------------------------------------------------------------------------------

  #armDeadline(): void {
    if (this.#deadlineTimer !== null) return;
    const [first] = this.#requests.values();
    if (first === undefined) return;
    const { clock } = this.#options;
    this.#deadlineTimer = clock.setTimer(first.deadlineMs - clock.nowMs(), () => {
      this.#deadlineTimer = null;
      this.#rejectOverdue();
      this.#armDeadline();
    });
  }

  #rejectOverdue(): void {
    const { clock, callTimeoutMs } = this.#options;
    const nowMs = clock.nowMs();
    const where = this.#connection?.address.text ?? 'the coordinator';
    let wasSilent = false;
    for (const [id, request] of this.#requests) {
      if (request.deadlineMs > nowMs) break;
      this.#requests.delete(id);
      const why = `nothing within ${callTimeoutMs} ms`;
      const error = this.#isOpen ? null : this.#lastFailure;
      request.reject(error ?? unavailable(where, why));
      wasSilent ||= addMs(this.#heardMs, callTimeoutMs) <= nowMs;
    }
    // A peer that says nothing at all for so long is not there, whatever its connection says.
    if (wasSilent && this.#isOpen) this.#broke(unavailable(where, 'it has fallen silent'));
  }

  #rejectAll(error: Mx8Error): void {
    for (const request of this.#requests.values()) request.reject(error);
    this.#requests.clear();
  }

  #clearTimers(): void {
    for (const timer of [this.#connectTimer, this.#retryTimer]) timer?.clear();
    for (const timer of [this.#deadlineTimer, this.#silenceTimer]) timer?.clear();
  }
}

/**
 * A refusal of the coordinator rather than of a request, which is sent again on the next connection. One
 * that leaves says so unasked as well.
 */
function sentElsewhere(message: WireMessage): Mx8Error | null {
  const refusal = refusalFrom(message);
  if (refusal === null) return null;
  const { code } = refusal;
  return code === 'not_leader' || code === 'store_outcome_unknown' ? refusal : null;
}

/** The reply in a message; one that cannot be read is a refusal of its own. */
function parsedReply(message: WireMessage): Reply {
  try {
    return replyFrom(message);
  } catch (cause) {
    const { code, message: why } = asMx8Error(cause);
    return { type: 'refused', code, message: `the coordinator's answer cannot be read: ${why}` };
  }
}
