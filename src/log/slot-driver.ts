/**
 * Between the state machines of `core/log` and a key-value store: puts the log's prefix before every key,
 * repeats what fails for now with growing pauses, and gives up at the deadline.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs, type MonoMs } from '../core/base/units.ts';
import type {
  Step,
  StoreAnswer,
  StoreOperation,
  StoreTransaction,
} from '../core/log/store-protocol.ts';
import type { Clock } from '../ports/clock.ts';
import { KvError, type KvOperation, type KvStore, type KvTransaction } from '../ports/kv-store.ts';
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

  constructor(options: SlotDriverOptions) {
    this.#options = options;
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

  async #attempt(
    transaction: StoreTransaction,
    startMs: MonoMs,
    mayBeDone: boolean,
  ): Promise<StoreAnswer> {
    try {
      return await this.#withinTime(this.#transact(transaction), startMs);
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      if (!error.retryable) {
        const isKnown = error.isDecided && !mayBeDone;
        throw failure(isKnown ? 'store_refused' : 'store_outcome_unknown', error.message, error);
      }
      return { type: error.isDecided ? 'refused' : 'unknown' };
    }
  }

  async #transact(transaction: StoreTransaction): Promise<StoreAnswer> {
    const { kv, prefix } = this.#options;
    const { compares } = transaction;
    const prefixed: KvTransaction = {
      compares: compares.map((compare) => ({ ...compare, key: prefix + compare.key })),
      then: transaction.then.map((operation) => withPrefix(operation, prefix)),
      else: transaction.else.map((operation) => withPrefix(operation, prefix)),
    };
    const { succeeded, revision, found } = await kv.transact(prefixed);
    return {
      type: 'transacted',
      succeeded,
      revision,
      found: found.map((pairs) =>
        pairs.map((pair) => ({ ...pair, key: pair.key.slice(prefix.length) })),
      ),
    };
  }

  /** What has not answered by the deadline has no answer. */
  #withinTime(call: Promise<StoreAnswer>, startMs: MonoMs): Promise<StoreAnswer> {
    const { clock } = this.#options;
    return new Promise<StoreAnswer>((resolve, reject) => {
      const timer = clock.setTimer(this.#leftMs(startMs), () => resolve({ type: 'unknown' }));
      call.then(resolve, reject).finally(() => timer.clear());
    });
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
