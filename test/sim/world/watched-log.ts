/**
 * A coordinator's own view of its log, looked over its shoulder: what it is in the middle of (for
 * aiming faults and counting them), and whether what it is told agrees with what is durable.
 */
import type {
  AppendResult,
  ClaimResult,
  FollowedLog,
  LoadedLog,
  LogEntry,
  LogStore,
} from '../../../src/ports/log-store.ts';
import type { Truth } from '../truth/truth.ts';
import type { World } from './world.ts';

export type LogOperation = 'none' | 'load' | 'claim' | 'append' | 'snapshot' | 'trim';

export class WatchedLog implements LogStore {
  readonly #log: LogStore;
  readonly #world: World;
  readonly #truth: Truth;
  readonly #onChange: () => void;
  operation: LogOperation = 'none';
  #count = 0;
  /** Of the append that is under way. */
  nonce = '';
  /** The epoch of the last write that failed. */
  #failedEpoch = 0;

  constructor(log: LogStore, world: World, truth: Truth, onChange: () => void) {
    this.#log = log;
    this.#world = world;
    this.#truth = truth;
    this.#onChange = onChange;
  }

  async load(): Promise<LoadedLog> {
    const loaded = await this.#during('load', () => this.#log.load());
    return { ...loaded, entries: this.#checkedEach(loaded.entries) };
  }

  async follow(afterSeq: number): Promise<FollowedLog> {
    const followed = await this.#log.follow(afterSeq);
    if (followed.type === 'trimmed') return followed;
    return { ...followed, entries: followed.entries.map((entry) => this.#checked(entry)) };
  }

  watch(onTail: () => void): () => void {
    return this.#log.watch(onTail);
  }

  async claim(tailSeq: number, epoch: number, who: string): Promise<ClaimResult> {
    const result = await this.#during('claim', () => this.#log.claim(tailSeq, epoch, who));
    if (result.type === 'won') this.#checkWon(result.epoch, who);
    else if (this.#truth.epoch === epoch && this.#truth.claims.get(epoch)?.who === who) {
      this.#world.fail(
        'nothing denied lands',
        `${who} was told it lost epoch ${epoch}, and holds it`,
      );
    }
    return result;
  }

  #checkWon(epoch: number, who: string): void {
    if (this.#truth.claims.get(epoch)?.who !== who) {
      this.#world.fail('epochs grow', `${who} was told it won epoch ${epoch}, and did not`);
    }
    if (this.#truth.winners.has(epoch)) {
      this.#world.fail('one leader per epoch', `${who} was told it won epoch ${epoch}, as another`);
    }
    this.#truth.winners.add(epoch);
  }

  async append(
    seq: number,
    epoch: number,
    payload: Uint8Array,
    nonce: string,
  ): Promise<AppendResult> {
    this.nonce = nonce;
    const result = await this.#write('append', epoch, () =>
      this.#log.append(seq, epoch, payload, nonce),
    );
    const slot = this.#truth.slots[seq - 1];
    if (result.type === 'ok') {
      const isThere = slot?.nonce === nonce && slot.epoch === epoch;
      if (!isThere)
        this.#world.fail('answered is durable', `append ${nonce} at ${seq} is not there`);
    } else {
      if (this.#truth.nonces.has(nonce)) {
        this.#world.fail('nothing denied lands', `append ${nonce} is there and was called fenced`);
      }
      this.#truth.denied.add(nonce);
    }
    return result;
  }

  snapshot(upToSeq: number, epoch: number, state: Uint8Array): Promise<AppendResult> {
    return this.#write('snapshot', epoch, () => this.#log.snapshot(upToSeq, epoch, state));
  }

  trim(upToSeq: number, epoch: number): Promise<AppendResult> {
    return this.#write('trim', epoch, () => this.#log.trim(upToSeq, epoch));
  }

  async confirm(epoch: number): Promise<AppendResult> {
    const claimed = this.#truth.epoch;
    const result = await this.#log.confirm(epoch);
    if (result.type === 'ok' && epoch < claimed) {
      this.#world.fail('epochs grow', `epoch ${epoch} was confirmed after ${claimed} was claimed`);
    }
    return result;
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  /** An error of a write is final for its epoch; under the next one the store is asked again. */
  async #write<T>(operation: LogOperation, epoch: number, work: () => Promise<T>): Promise<T> {
    const askedMs = this.#world.nowMs;
    try {
      return await this.#during(operation, work);
    } catch (error) {
      if (this.#failedEpoch !== epoch && this.#world.nowMs === askedMs) {
        this.#world.fail('an epoch begins anew', `${operation} failed unasked: ${String(error)}`);
      }
      this.#failedEpoch = epoch;
      throw error;
    }
  }

  async #during<T>(operation: LogOperation, work: () => Promise<T>): Promise<T> {
    this.#count += 1;
    const own = this.#count;
    this.operation = operation;
    this.#onChange();
    try {
      return await work();
    } finally {
      // A writer that was given up may still wait when the next one has begun.
      if (this.#count === own) this.operation = 'none';
      this.#onChange();
    }
  }

  async *#checkedEach(entries: LoadedLog['entries']): AsyncIterable<LogEntry> {
    for await (const entry of entries) yield this.#checked(entry);
  }

  /** Whoever reads a slot reads what everybody reads there: from here on it is the very same bytes. */
  #checked(entry: LogEntry): LogEntry {
    const slot = this.#truth.slots[entry.seq - 1];
    const same =
      slot !== undefined &&
      slot.epoch === entry.epoch &&
      (slot.payload === entry.payload || Buffer.compare(slot.payload, entry.payload) === 0);
    if (same) return slot.payload === entry.payload ? entry : { ...entry, payload: slot.payload };
    this.#world.fail('one value per slot', `slot ${entry.seq} reads as another value`);
    return entry;
  }
}
