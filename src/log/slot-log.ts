/**
 * The coordinator's log on a key-value store of several machines: drives the state machines of
 * `core/log`, each of which is told what became of its last transaction and says the next one.
 *
 * What fails for now is repeated, with growing pauses, until `giveUpAfterMs`. A write that is not
 * resolved by then ends this writer: `store_outcome_unknown` is thrown, now and for every later write,
 * and whether the write is in the log only its next reader learns.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { startAppend, stepAppend } from '../core/log/append.ts';
import { startClaim, stepClaim } from '../core/log/claim.ts';
import type { Hold } from '../core/log/hold.ts';
import { startLoad, stepLoad } from '../core/log/load.ts';
import { startLook, stepLook } from '../core/log/look.ts';
import { TAIL_KEY } from '../core/log/keys.ts';
import { startRead, stepRead } from '../core/log/read-entries.ts';
import { startSnapshot, stepSnapshot } from '../core/log/snapshot.ts';
import type { Step, StoreAnswer } from '../core/log/store-protocol.ts';
import { startTrim, stepTrim } from '../core/log/trim.ts';
import type { Clock } from '../ports/clock.ts';
import type { KvStore } from '../ports/kv-store.ts';
import type {
  AppendResult,
  ClaimResult,
  FollowedLog,
  LoadedLog,
  LogStore,
} from '../ports/log-store.ts';
import type { Random } from '../ports/random.ts';
import { SlotDriver } from './slot-driver.ts';

export interface SlotLogOptions {
  /** Closed by whoever made it. */
  readonly kv: KvStore;
  /** Before every key of this log; ASCII, ends in `/`. No other log's prefix begins with it. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: Random;
  /** How long one operation is tried. Shorter than the election's TTL less its margin. */
  readonly giveUpAfterMs: number;
}

const NONCE_BYTES = 12;

export class SlotLog implements LogStore {
  readonly #options: SlotLogOptions;
  readonly #driver: SlotDriver;
  /** Fresh for this store; with a count after it, for each claim and snapshot. */
  readonly #nonce: string;
  #noncesUsed = 0;
  #hold: Hold | null = null;
  /** Why nothing is written any more. */
  #failure: Mx8Error | null = null;

  constructor(options: SlotLogOptions) {
    this.#options = options;
    this.#driver = new SlotDriver(options);
    this.#nonce = Buffer.from(options.random.bytes(NONCE_BYTES)).toString('base64url');
  }

  async load(): Promise<LoadedLog> {
    return this.#driver.run(startLoad(), stepLoad);
  }

  async follow(afterSeq: number): Promise<FollowedLog> {
    const outcome = await this.#driver.run(startRead(afterSeq, true), stepRead);
    if (outcome.type === 'trimmed') return outcome;
    return { type: 'entries', entries: outcome.entries, tailSeq: outcome.view.tail.seq };
  }

  watch(onTail: () => void): () => void {
    const { kv, prefix } = this.#options;
    return kv.watch(prefix + TAIL_KEY, null, onTail, onTail);
  }

  async claim(tailSeq: number, epoch: number, who: string): Promise<ClaimResult> {
    const begun = startClaim({ tailSeq, epoch, who, nonce: this.#freshNonce() });
    const outcome = await this.#driver.run(begun, stepClaim);
    if (outcome.type === 'lost') return outcome;
    this.#hold = outcome.hold;
    // What was not resolved was of an earlier epoch: nothing of that can land any more.
    this.#failure = null;
    return { type: 'won', epoch, tailSeq: outcome.hold.tailSeq };
  }

  async append(
    seq: number,
    epoch: number,
    payload: Uint8Array,
    nonce: string,
  ): Promise<AppendResult> {
    const hold = this.#holdOf(epoch);
    if (hold === null) return this.#notHeld();
    const outcome = await this.#write(epoch, startAppend(hold, seq, payload, nonce), stepAppend);
    switch (outcome.type) {
      case 'ok':
        if (seq > hold.tailSeq && this.#holdOf(epoch) !== null) {
          this.#hold = { ...hold, tailSeq: seq, tailRevision: outcome.tailRevision };
        }
        return { type: 'ok' };
      case 'fenced':
        return outcome;
      case 'overtaken':
        throw new Mx8Error(
          'store_outcome_unknown',
          `entry ${seq} is or was in the log, but its slot is closed or another coordinator leads in epoch ${outcome.epoch}; ask that one`,
          { seq, epoch: outcome.epoch },
        );
      default:
        return outcome satisfies never;
    }
  }

  async snapshot(upToSeq: number, epoch: number, state: Uint8Array): Promise<AppendResult> {
    const hold = this.#holdOf(epoch);
    if (hold === null) return this.#notHeld();
    const begun = startSnapshot(hold, upToSeq, state, this.#freshNonce());
    return this.#write(epoch, begun, stepSnapshot);
  }

  async trim(upToSeq: number, epoch: number): Promise<AppendResult> {
    const hold = this.#holdOf(epoch);
    if (hold === null) return this.#notHeld();
    return this.#write(epoch, startTrim(hold, upToSeq), stepTrim);
  }

  async confirm(epoch: number): Promise<AppendResult> {
    const { epoch: claimed } = await this.#driver.run(startLook(), stepLook);
    return epoch === claimed.epoch ? { type: 'ok' } : { type: 'fenced', epoch: claimed.epoch };
  }

  async close(): Promise<void> {
    this.#hold = null;
  }

  /**
   * An error of a write is final for its epoch: what it was about may still be done. What a write comes to
   * that was under way when the next epoch was claimed says nothing of that one.
   */
  async #write<State, Result>(
    epoch: number,
    begun: Step<State, Result>,
    next: (state: State, answer: StoreAnswer) => Step<State, Result>,
  ): Promise<Result> {
    if (this.#failure !== null) throw this.#failure;
    try {
      return await this.#driver.run(begun, next);
    } catch (error) {
      if (error instanceof Mx8Error && this.#holdOf(epoch) !== null) this.#failure = error;
      throw error;
    }
  }

  #freshNonce(): string {
    this.#noncesUsed += 1;
    return `${this.#nonce}.${this.#noncesUsed}`;
  }

  #holdOf(epoch: number): Hold | null {
    return this.#hold?.epoch === epoch ? this.#hold : null;
  }

  async #notHeld(): Promise<AppendResult> {
    const view = await this.#driver.run(startLook(), stepLook);
    return { type: 'fenced', epoch: view.epoch.epoch };
  }
}
