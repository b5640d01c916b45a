/**
 * Sessions of `mx8.v1` on the coordinator's side: requests become commands, replies and pushes become
 * messages. A session speaks for one node, which its hello names; it holds no state that outlives it,
 * and its end revokes nothing.
 */
import { Mx8Error } from '../core/base/errors.ts';
import type { Command } from '../core/job/protocol.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorBackend } from './backend.ts';
import { uint64 } from './fields.ts';
import type { SessionCall, SessionReceiver } from './grpc-service.ts';
import {
  AWAY_INTERVAL_MS,
  AWAY_INTERVALS_MAX,
  AWAY_SESSIONS_MIN,
  SESSION_REQUESTS_MAX,
} from './limits.ts';
import { MessageBatcher, unbatched } from './message-batcher.ts';
import type { WireMessage } from './schema.ts';
import { asMx8Error } from './status.ts';
import {
  commandFrom,
  helloFrom,
  pushMessage,
  refusedMessage,
  replyMessage,
  type Speaker,
} from './v1-session.ts';

export class Sessions {
  readonly #backend: CoordinatorBackend;
  readonly #open: Set<Session> = new Set<Session>();
  /** The session that spoke for a process last, by job, node and instance. */
  readonly #current: SpeakerTable = new Map<string, Session>();

  constructor(backend: CoordinatorBackend) {
    this.#backend = backend;
  }

  readonly accept = (call: SessionCall): SessionReceiver => {
    const onEnd = (): void => {
      this.#open.delete(session);
    };
    const session = new Session(call, this.#backend, this.#current, onEnd);
    this.#open.add(session);
    return session;
  };

  /**
   * Tells every node, asked or not, that it is to go on elsewhere. Not all in one moment, or each would wait
   * there for what all the others begin with; one that asks for something here meanwhile is told at once.
   */
  async sendAway(why: Mx8Error, clock: Clock): Promise<void> {
    const sessions = [...this.#open];
    const each = Math.max(AWAY_SESSIONS_MIN, Math.ceil(sessions.length / AWAY_INTERVALS_MAX));
    for (let start = 0; start < sessions.length; start += each) {
      if (start > 0) await clock.sleep(AWAY_INTERVAL_MS);
      for (const session of sessions.slice(start, start + each)) session.sendAway(why);
    }
  }

  /** Ends every session, as the coordinator stops. */
  endAll(): void {
    for (const session of this.#open) session.end();
  }
}

type SpeakerTable = Map<string, Session>;

class Session implements SessionReceiver {
  readonly #call: SessionCall;
  readonly #out: MessageBatcher;
  readonly #backend: CoordinatorBackend;
  readonly #current: SpeakerTable;
  readonly #onEnd: () => void;
  #speaker: Speaker | null = null;
  #unsubscribe: (() => void) | null = null;
  #unanswered = 0;
  /** Why something was refused last. */
  #refused: Mx8Error | null = null;
  #isOver = false;

  constructor(
    call: SessionCall,
    backend: CoordinatorBackend,
    current: SpeakerTable,
    onEnd: () => void,
  ) {
    this.#call = call;
    this.#backend = backend;
    this.#current = current;
    this.#onEnd = onEnd;
    this.#out = new MessageBatcher(call, () => this.#readOn());
  }

  message(message: WireMessage): void {
    for (const one of unbatched(message)) this.#receive(one);
  }

  /** The client has said all it had to say, or the coordinator stops. */
  end(): void {
    if (this.#isOver) return;
    this.over();
    this.#call.end();
  }

  /** Not again one whose request was refused so meanwhile. */
  sendAway(why: Mx8Error): void {
    if (this.#refused !== why) this.#refuse(0, why);
  }

  #receive(message: WireMessage): void {
    let requestId = 0;
    try {
      requestId = uint64(message, 'requestId');
      if (requestId === 0) throw new Mx8Error('field_missing', 'field request_id is missing');
      this.#perform(requestId, this.#commandOf(message));
    } catch (cause) {
      const error = this.#noted(cause);
      // Without a request id there is nothing to answer: the stream itself is refused.
      if (requestId === 0) this.#refuseStream(error);
      else this.#refuse(requestId, error);
    }
  }

  #commandOf(message: WireMessage): Command {
    const hello = helloFrom(message);
    if (hello !== null) {
      const { speaker, ...rest } = hello;
      this.#speakFor(speaker);
      return { type: 'register', ...speaker, ...rest };
    }
    if (this.#speaker === null) {
      throw new Mx8Error('node_not_registered', 'a session begins with a hello');
    }
    return commandFrom(message, this.#speaker);
  }

  #speakFor(speaker: Speaker): void {
    if (this.#speaker !== null && keyOf(this.#speaker) === keyOf(speaker)) return;
    this.#silence();
    this.#speaker = speaker;
    this.#current.set(keyOf(speaker), this);
    const { jobId, nodeId } = speaker;
    this.#unsubscribe = this.#backend.subscribe(jobId, nodeId, (push) => {
      const message = pushMessage(push);
      if (message !== null) this.#send(message);
    });
  }

  #perform(requestId: number, command: Command): void {
    this.#unanswered += 1;
    if (!this.#hasRoom) this.#call.pause();
    const ended = this.#backend.meter.started(`mx8.v1.Coordinator/Session/${command.type}`);
    this.#backend
      .submit(command)
      .then((reply) => {
        ended(reply.type === 'refused' ? reply.code : 'ok');
        this.#send(replyMessage(requestId, reply));
      })
      .catch((cause: unknown) => {
        const error = this.#noted(cause);
        ended(error.code);
        this.#refuse(requestId, error);
      })
      .finally(() => {
        this.#unanswered -= 1;
        this.#readOn();
      });
  }

  /** Whoever asks faster than it is answered, or does not read its answers, gets no further request read. */
  get #hasRoom(): boolean {
    return this.#unanswered + this.#out.waitingCount < SESSION_REQUESTS_MAX;
  }

  #readOn(): void {
    if (this.#hasRoom && !this.#isOver && this.#call.isPaused) this.#call.resume();
  }

  #send(message: WireMessage): void {
    if (this.#isOver) return;
    this.#out.send(message);
    if (!this.#hasRoom) this.#call.pause();
  }

  #refuse(requestId: number, error: Mx8Error): void {
    this.#refused = error;
    this.#send(refusedMessage(requestId, error));
  }

  #refuseStream(error: Mx8Error): void {
    if (this.#isOver) return;
    this.over();
    this.#call.refuse(error);
  }

  #noted(cause: unknown): Mx8Error {
    const error = asMx8Error(cause);
    if (error.code === 'internal') this.#backend.onInternalError(error);
    return error;
  }

  /** Nothing is heard of this session any more. */
  over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#silence();
    this.#onEnd();
  }

  /**
   * The node is no longer reached here: another process may take its id. Not when it has come back on
   * another connection before this one was noticed to be dead.
   */
  #silence(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    const speaker = this.#speaker;
    this.#speaker = null;
    if (speaker === null || this.#current.get(keyOf(speaker)) !== this) return;
    this.#current.delete(keyOf(speaker));
    this.#backend.submit({ type: 'disconnect', ...speaker }).catch(() => {
      // The coordinator stops; after its restart every node counts as disconnected anyway.
    });
  }
}

/** Ids of jobs and nodes hold no space, so no two speakers share a key. */
function keyOf({ jobId, nodeId, instanceId }: Speaker): string {
  return `${jobId} ${nodeId} ${instanceId}`;
}
