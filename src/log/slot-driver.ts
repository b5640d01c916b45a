/**
 * Between the state machines of `core/log` and a key-value store: puts the log's prefix before every key,
 * repeats what fails for now with growing pauses, and gives up at the deadline.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs, type MonoMs } from '../core/base/units.ts';
import { LOOK } from '../core/log/log-view.ts';
import type {
  Step,
  StoreAnswer,
  StoreOperation,
  StoreTransaction,
} from '../core/log/store-protocol.ts';
import type { Clock } from '../ports/clock.ts';
import {
  KvError,
  type KvOperation,
  type KvStore,
  type KvTransacted,
  type KvTransaction,
} from '../ports/kv-store.ts';
import type { Random } from '../ports/random.ts';

export interface SlotDriverOptions {
  readonly kv: KvStore;
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly giveUpAfterMs: number;
}

/** Pauses between attempts: the first, and the longest. Each is drawn from the upper half of its length. */
const PAUSE_MS = 20;
const PAUSE_MS_MAX = 1000;

export class SlotDriver {
  readonly #options: SlotDriverOptions;
  /** `LOOK` with the prefix before its keys. */
  readonly #look: readonly KvOperation[];
  /** By key of the log, those that nearly every transaction names: strings made anew have to be hashed anew. */
  readonly #keys: ReadonlyMap<string, string>;

  constructor(options: SlotDriverOptions) {
    this.#options = options;
    this.#look = LOOK.map((operation) => withPrefix(operation, options.prefix));
    this.#keys = new Map(LOOK.map(({ key }, at) => [key, this.#look[at]?.key ?? '']));
  }

  /**
   * Runs a machine to its end. Throws `store_outcome_unknown` when something was sent that may be done
   * and is not resolved in time, `store_unavailable` when nothing was, `store_refused` when asking again
   * would not help.
   */
  async run<State, Result>(
    begun: Step<State, Result>,
    next: (state: State, answer: StoreAnswer) => Step<State, Result>,
  ): Promise<Result> {
    const { clock } = this.#options;
    const startMs = clock.nowMs();
    let mayBeDone = false;
    let pauseMs = PAUSE_MS;
    let step = begun;
    while (step.type === 'send') {
      const answer = await this.#attempt(step.transaction, startMs, mayBeDone);
      if (answer.type === 'unknown' && isWriting(step.transaction)) mayBeDone = true;
      step = next(step.state, answer);
      if (answer.type === 'transacted') {
        pauseMs = PAUSE_MS;
        continue;
      }
      await this.#pause(pauseMs, startMs, mayBeDone);
      pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX);
    }
    return step.result;
  }

  /** What has not answered by the deadline has no answer. */
  #attempt(
    transaction: StoreTransaction,
    startMs: MonoMs,
    mayBeDone: boolean,
  ): Promise<StoreAnswer> {
    const { clock, kv } = this.#options;
    return new Promise<StoreAnswer>((resolve, reject) => {
      const timer = clock.setTimer(this.#leftMs(startMs), () => resolve({ type: 'unknown' }));
      kv.transact(this.#prefixed(transaction)).then(
        (answer) => {
          timer.clear();
          resolve(this.#transacted(transaction, answer));
        },
        (error: unknown) => {
          timer.clear();
          const failed = failedAnswer(error, mayBeDone);
          if (failed instanceof Error) reject(failed);
          else resolve(failed);
        },
      );
    });
  }

  #prefixed({ compares, then, else: otherwise }: StoreTransaction): KvTransaction {
    const { prefix } = this.#options;
    return {
      compares: compares.map(({ key, target, revision }) => ({
        key: this.#keys.get(key) ?? prefix + key,
        target,
        revision,
      })),
      then: this.#prefixedEach(then),
      else: this.#prefixedEach(otherwise),
    };
  }

  /** Nearly every transaction begins with the same gets. */
  #prefixedEach(operations: readonly StoreOperation[]): readonly KvOperation[] {
    const { prefix } = this.#options;
    return operations.map((operation, at) => {
      const look = operation === LOOK[at] ? this.#look[at] : undefined;
      return look ?? withPrefix(operation, prefix);
    });
  }

  #transacted(asked: StoreTransaction, { succeeded, revision, found }: KvTransacted): StoreAnswer {
    const { length } = this.#options.prefix;
    const gets = (succeeded ? asked.then : asked.else).filter(({ type }) => type === 'get');
    return {
      type: 'transacted',
      succeeded,
      revision,
      found: found.map((pairs, at) => {
        const get = gets[at];
        // What was asked for by its key has that key: strings made anew have to be hashed anew.
        const own = get?.type === 'get' && get.endKey === undefined ? get.key : null;
        return pairs.map(({ key, value, createRevision, modRevision }) => ({
          key: own ?? key.slice(length),
          value,
          createRevision,
          modRevision,
        }));
      }),
    };
  }

  async #pause(pauseMs: number, startMs: MonoMs, mayBeDone: boolean): Promise<void> {
    const { clock, random, giveUpAfterMs } = this.#options;
    if (this.#leftMs(startMs) <= 0) {
      const why = `the store gave no answer within ${giveUpAfterMs} ms`;
      throw failure(mayBeDone ? 'store_outcome_unknown' : 'store_unavailable', why);
    }
    const drawnMs = pauseMs * (0.5 + random.fraction() / 2);
    await clock.sleep(Math.min(drawnMs, this.#leftMs(startMs)));
  }

  #leftMs(startMs: MonoMs): number {
    const { clock, giveUpAfterMs } = this.#options;
    return Math.max(0, giveUpAfterMs - elapsedMs(startMs, clock.nowMs()));
  }
}

/** What a failed attempt says to its machine; an error where asking again would not help. */
function failedAnswer(error: unknown, mayBeDone: boolean): StoreAnswer | Error {
  if (!(error instanceof KvError)) return error instanceof Error ? error : new Error(String(error));
  if (error.retryable) return { type: error.isDecided ? 'refused' : 'unknown' };
  const isKnown = error.isDecided && !mayBeDone;
  return failure(isKnown ? 'store_refused' : 'store_outcome_unknown', error.message, error);
}

function isWriting(transaction: StoreTransaction): boolean {
  return transaction.then.some((operation) => operation.type !== 'get');
}

function withPrefix(operation: StoreOperation, prefix: string): KvOperation {
  const key = prefix + operation.key;
  if (operation.type === 'put' || operation.endKey === undefined) return { ...operation, key };
  return { ...operation, key, endKey: prefix + operation.endKey };
}

function failure(
  code: 'store_outcome_unknown' | 'store_unavailable' | 'store_refused',
  why: string,
  cause?: unknown,
): Mx8Error {
  const said = {
    store_outcome_unknown: 'a write to the coordinator’s store may or may not have been made',
    store_unavailable: 'the coordinator’s store cannot be reached',
    store_refused: 'the coordinator’s store refused a request',
  };
  return new Mx8Error(code, `${said[code]}: ${why}`, {}, cause);
}
