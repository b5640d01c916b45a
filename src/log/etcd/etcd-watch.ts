/**
 * One watch, kept up over breaks: it goes on from the last revision it saw, at another member where it
 * must, and says `onGap` where etcd no longer has what came since. A member that goes silent is left.
 */
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import type { TimerHandle } from '../../ports/clock.ts';
import type { KvChange } from '../../ports/kv-store.ts';
import type { EtcdCaller } from './etcd-caller.ts';
import { kindOfFailure } from './etcd-errors.ts';
import {
  ROUND_PAUSE_MS,
  WATCH_PAUSE_MS_MAX,
  WATCH_PROGRESS_INTERVAL_MS,
  WATCH_SILENCE_MS_MAX,
} from './limits.ts';
import { MemberFailure, type Member } from './member.ts';
import {
  bytesOf,
  childOf,
  childrenOf,
  type EtcdMessage,
  etcdMethod,
  type EtcdMethod,
  flagOf,
  keyOf,
  numberOf,
  textOf,
} from './schema.ts';

const WATCH: EtcdMethod = etcdMethod('Watch/Watch');

/** The number of etcd's enum `Event.EventType`. */
const EVENT_DELETE = 1;

export interface WatchOptions {
  readonly key: string;
  readonly endKey: string | null;
  readonly onChanges: (changes: readonly KvChange[]) => void;
  readonly onGap: () => void;
}

type Stream = ClientDuplexStream<EtcdMessage, EtcdMessage>;

export class EtcdWatch {
  readonly #caller: EtcdCaller;
  readonly #options: WatchOptions;
  /** The first revision not yet seen; 0: from now on, whatever that is to the member. */
  #nextRevision = 0;
  #stream: Stream | null = null;
  #timer: TimerHandle | null = null;
  #pauseMs = ROUND_PAUSE_MS;
  #hasEnded = false;

  constructor(caller: EtcdCaller, options: WatchOptions) {
    this.#caller = caller;
    this.#options = options;
    void this.#open();
  }

  end(): void {
    this.#hasEnded = true;
    this.#drop();
  }

  async #open(): Promise<void> {
    if (this.#hasEnded || this.#caller.isClosed) return;
    try {
      const opened = await this.#caller.openStream(WATCH);
      // It may have been ended while there was no token yet.
      if (this.#isOver) opened.stream.on('error', () => null).cancel();
      else this.#follow(opened.member, opened.stream, opened.forgetToken);
    } catch (error) {
      // Whoever watches also makes calls, and those say what is wrong. Here: try on.
      if (!(error instanceof MemberFailure)) throw error;
      this.#openLater();
    }
  }

  get #isOver(): boolean {
    return this.#hasEnded || this.#caller.isClosed;
  }

  #follow(member: Member, stream: Stream, forgetToken: () => void): void {
    this.#stream = stream;
    const broken = (details: string): void => {
      if (this.#stream !== stream) return;
      const failure = { code: 0, details, mayBeSent: true, hasTimedOut: false };
      const kind = kindOfFailure(failure);
      if (kind === 'token') forgetToken();
      // What one member refuses for good, another does too.
      else if (kind !== 'refused') this.#caller.failed(member);
      this.#drop();
      this.#openLater();
    };
    stream.on('data', (message: EtcdMessage) => {
      if (this.#stream !== stream) return;
      this.#hearAgain(stream, broken);
      this.#take(message, broken);
    });
    stream.on('error', (error: ServiceError) => broken(error.details));
    stream.on('end', () => broken('the stream ended'));
    const { key, endKey } = this.#options;
    stream.write({
      createRequest: {
        key: Buffer.from(key),
        ...(endKey === null ? {} : { rangeEnd: Buffer.from(endKey) }),
        startRevision: this.#nextRevision,
      },
    });
    this.#hearAgain(stream, broken);
  }

  /** Something came: asks for the next sign of life in a while, and waits for it only so long. */
  #hearAgain(stream: Stream, broken: (details: string) => void): void {
    const { clock } = this.#caller;
    this.#timer?.clear();
    this.#timer = clock.setTimer(WATCH_PROGRESS_INTERVAL_MS, () => {
      stream.write({ progressRequest: {} });
      this.#timer = clock.setTimer(WATCH_SILENCE_MS_MAX - WATCH_PROGRESS_INTERVAL_MS, () =>
        broken(`nothing for ${WATCH_SILENCE_MS_MAX} ms`),
      );
    });
  }

  #take(message: EtcdMessage, broken: (details: string) => void): void {
    const isCompacted = numberOf(message, 'compactRevision') > 0;
    if (flagOf(message, 'canceled')) {
      // What was compacted is gone: from now on, and whoever watches reads again.
      if (isCompacted) this.#nextRevision = 0;
      broken(textOf(message, 'cancelReason'));
      return;
    }
    this.#pauseMs = ROUND_PAUSE_MS;
    if (flagOf(message, 'created')) {
      if (this.#nextRevision === 0) {
        this.#nextRevision = revisionOf(message) + 1;
        this.#options.onGap();
      }
      return;
    }
    // The revision of an answer without events may be ahead of events that are still under way.
    const changes = childrenOf(message, 'events').map(changeOf);
    const last = changes.at(-1);
    if (last === undefined) return;
    this.#nextRevision = last.modRevision + 1;
    this.#options.onChanges(changes);
  }

  #openLater(): void {
    if (this.#isOver) return;
    this.#timer?.clear();
    this.#timer = this.#caller.clock.setTimer(this.#pauseMs, () => void this.#open());
    this.#pauseMs = Math.min(this.#pauseMs * 2, WATCH_PAUSE_MS_MAX);
  }

  #drop(): void {
    this.#timer?.clear();
    this.#timer = null;
    const stream = this.#stream;
    this.#stream = null;
    stream?.cancel();
  }
}

function changeOf(event: EtcdMessage): KvChange {
  const pair = childOf(event, 'kv') ?? {};
  return {
    type: numberOf(event, 'type') === EVENT_DELETE ? 'delete' : 'put',
    key: keyOf(pair, 'key'),
    value: bytesOf(pair, 'value'),
    modRevision: numberOf(pair, 'modRevision'),
  };
}

function revisionOf(message: EtcdMessage): number {
  return numberOf(childOf(message, 'header') ?? {}, 'revision');
}
