/**
 * The coordinator's state as far as a process has read the log: what a standby keeps warm, and what a
 * leader begins with. Reading is the only thing that changes it, until a writer takes it over.
 */
import { assert } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { decodeRecords, decodeSnapshot, encodeRecords } from '../core/job/codec.ts';
import { applyEntry, type CoordinatorState, emptyState } from '../core/job/coordinator.ts';
import type { JobRecord } from '../core/job/records.ts';
import type { Clock } from '../ports/clock.ts';
import type { LogEntry, LogStore } from '../ports/log-store.ts';

/** What the bytes of the log say. Who has several replicas in one process need not decode them for each. */
export interface LogCodec {
  readonly encodeRecords: (records: readonly JobRecord[]) => Uint8Array;
  readonly decodeRecords: (payload: Uint8Array) => readonly JobRecord[];
  /** A state that belongs to whoever asked. */
  readonly decodeSnapshot: (bytes: Uint8Array) => CoordinatorState;
  /**
   * True: what was read is decoded and applied when somebody looks at the state, and damage is found then. A
   * standby that is to take over at once keeps its state warm.
   */
  readonly isLate: boolean;
}

export const CODEC: LogCodec = { encodeRecords, decodeRecords, decodeSnapshot, isLate: false };

export class Replica {
  readonly #log: LogStore;
  readonly #clock: Clock;
  readonly #codec: LogCodec;
  #state: CoordinatorState = emptyState();
  /** Read and not in the state yet. */
  #unread: LogEntry[] = [];
  #unreadSnapshot: Uint8Array | null = null;
  #isLoaded = false;
  #seq = 0;
  #epoch = 0;
  #tailSeq = 0;
  /** Of the entries since the snapshot that this state began with. */
  #entries = 0;
  #bytes = 0;
  #snapshotBytes = 0;
  #entriesReplayed = 0;

  constructor(log: LogStore, clock: Clock, codec: LogCodec = CODEC) {
    this.#log = log;
    this.#clock = clock;
    this.#codec = codec;
  }

  get state(): CoordinatorState {
    this.#bringUp();
    return this.#state;
  }

  /** Its state is one that the log had: not so before the first reading, nor while all is read anew. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** The last entry that the state has. */
  get seq(): number {
    return this.#seq;
  }

  /** The highest epoch claimed, as far as this has read. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The last entry of the log when it was read last. */
  get tailSeq(): number {
    return this.#tailSeq;
  }

  get entriesReplayed(): number {
    return this.#entriesReplayed;
  }

  /** What has grown since the last snapshot, so that the next is taken in time. */
  get sinceSnapshot(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.#entries, bytes: this.#bytes };
  }

  get snapshotBytes(): number {
    return this.#snapshotBytes;
  }

  /** Reads the log to its present tail. Throws when it is damaged or cannot be read. */
  async catchUp(signal?: AbortSignal): Promise<void> {
    if (!this.#isLoaded) await this.#load();
    for (;;) {
      signal?.throwIfAborted();
      const followed = await this.#log.follow(this.#seq);
      if (followed.type === 'trimmed') {
        await this.#load();
        continue;
      }
      for (const entry of followed.entries) this.#take(entry);
      this.#tailSeq = Math.max(followed.tailSeq, this.#seq);
      if (this.#seq >= followed.tailSeq) return;
    }
  }

  async #load(): Promise<void> {
    const loaded = await this.#log.load();
    this.#isLoaded = false;
    const { isLate, decodeSnapshot } = this.#codec;
    const isEmpty = loaded.snapshot === null || isLate;
    this.#state = isEmpty ? emptyState() : decodeSnapshot(loaded.snapshot);
    this.#unreadSnapshot = isLate ? loaded.snapshot : null;
    this.#unread = [];
    this.#snapshotBytes = loaded.snapshot?.length ?? 0;
    this.#seq = loaded.snapshotSeq;
    this.#entries = 0;
    this.#bytes = 0;
    for await (const entry of loaded.entries) this.#take(entry);
    this.#epoch = Math.max(this.#epoch, loaded.epoch);
    this.#tailSeq = Math.max(loaded.tailSeq, this.#seq);
    this.#isLoaded = true;
  }

  #take(entry: LogEntry): void {
    assert(entry.seq === this.#seq + 1, () => `entry ${this.#seq + 1} follows entry ${this.#seq}`);
    assert(entry.epoch >= this.#epoch || !this.#isLoaded, 'epochs never go back');
    this.#seq = entry.seq;
    this.#epoch = Math.max(this.#epoch, entry.epoch);
    this.#entries += 1;
    this.#entriesReplayed += 1;
    if (entry.payload.length === 0) return;
    this.#bytes += entry.payload.length;
    if (this.#codec.isLate) this.#unread.push(entry);
    else this.#apply(entry);
  }

  #bringUp(): void {
    const [snapshot, entries] = [this.#unreadSnapshot, this.#unread];
    if (snapshot === null && entries.length === 0) return;
    this.#unreadSnapshot = null;
    this.#unread = [];
    if (snapshot !== null) this.#state = this.#codec.decodeSnapshot(snapshot);
    for (const entry of entries) this.#apply(entry);
  }

  #apply(entry: LogEntry): void {
    const records = recordsOf(entry, this.#codec);
    applyEntry(this.#state, { epoch: entry.epoch, seq: entry.seq, records }, this.#clock.nowMs());
  }
}

/** The records of an entry; what is wrong with them is said with its number. */
function recordsOf(entry: LogEntry, { decodeRecords }: LogCodec): readonly JobRecord[] {
  try {
    return decodeRecords(entry.payload);
  } catch (error) {
    if (!(error instanceof Mx8Error)) throw error;
    const details = { ...error.details, seq: entry.seq };
    throw new Mx8Error(error.code, `entry ${entry.seq}: ${error.message}`, details, error);
  }
}
