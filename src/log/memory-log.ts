/** A log in memory, for tests and for jobs whose state need not outlive the process. */
import { assert } from '../core/base/assert.ts';
import type {
  AppendResult,
  ClaimResult,
  FollowedLog,
  LoadedLog,
  LogEntry,
  LogStore,
} from '../ports/log-store.ts';

interface StoredEntry extends LogEntry {
  readonly nonce: string;
}

/** What outlives a "restart": several stores may be opened on one of these, as on one file. */
export class MemoryLogDisk {
  readonly entries: StoredEntry[] = [];
  tailSeq = 0;
  epoch = 0;
  holder = '';
  snapshot: Uint8Array | null = null;
  snapshotSeq = 0;
  trimmedSeq = 0;
  readonly listeners: Set<() => void> = new Set();
}

export class MemoryLog implements LogStore {
  readonly #disk: MemoryLogDisk;

  constructor(disk: MemoryLogDisk = new MemoryLogDisk()) {
    this.#disk = disk;
  }

  async load(): Promise<LoadedLog> {
    const disk = this.#disk;
    return {
      snapshot: disk.snapshot,
      snapshotSeq: disk.snapshotSeq,
      entries: disk.entries.filter((entry) => entry.seq > disk.snapshotSeq),
      tailSeq: disk.tailSeq,
      epoch: disk.epoch,
      trimmedSeq: disk.trimmedSeq,
    };
  }

  async follow(afterSeq: number): Promise<FollowedLog> {
    const { entries, tailSeq, trimmedSeq } = this.#disk;
    if (afterSeq < trimmedSeq) return { type: 'trimmed', trimmedSeq };
    return { type: 'entries', entries: entries.filter((entry) => entry.seq > afterSeq), tailSeq };
  }

  watch(onTail: () => void): () => void {
    const { listeners } = this.#disk;
    const listener = (): void => onTail();
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  async claim(tailSeq: number, epoch: number, who: string): Promise<ClaimResult> {
    const disk = this.#disk;
    if (epoch <= disk.epoch || tailSeq !== disk.tailSeq) {
      return { type: 'lost', epoch: disk.epoch, holder: disk.holder };
    }
    disk.epoch = epoch;
    disk.holder = who;
    this.#put(tailSeq + 1, epoch, new Uint8Array(0), `claim ${who}`);
    return { type: 'won', epoch, tailSeq: tailSeq + 1 };
  }

  async append(
    seq: number,
    epoch: number,
    payload: Uint8Array,
    nonce: string,
  ): Promise<AppendResult> {
    const disk = this.#disk;
    // Entries have no gaps, so the place of one follows from its number.
    const there = disk.entries[seq - (disk.entries[0]?.seq ?? 0)];
    const isOurs =
      there?.nonce === nonce &&
      there.epoch === epoch &&
      Buffer.compare(there.payload, payload) === 0;
    if (epoch === disk.epoch && isOurs && seq > disk.trimmedSeq) return { type: 'ok' };
    if (epoch !== disk.epoch || seq !== disk.tailSeq + 1) return this.#fenced();
    this.#put(seq, epoch, payload.slice(), nonce);
    return { type: 'ok' };
  }

  async snapshot(upToSeq: number, epoch: number, state: Uint8Array): Promise<AppendResult> {
    const disk = this.#disk;
    if (epoch !== disk.epoch) return this.#fenced();
    assert(
      upToSeq <= disk.tailSeq && upToSeq >= disk.snapshotSeq,
      'a snapshot is of the log’s past',
    );
    disk.snapshot = state.slice();
    disk.snapshotSeq = upToSeq;
    return { type: 'ok' };
  }

  async trim(upToSeq: number, epoch: number): Promise<AppendResult> {
    const disk = this.#disk;
    if (epoch !== disk.epoch) return this.#fenced();
    assert(upToSeq <= disk.snapshotSeq, 'what no snapshot holds is not trimmed');
    disk.trimmedSeq = Math.max(disk.trimmedSeq, upToSeq);
    const kept = disk.entries.filter((entry) => entry.seq > disk.trimmedSeq);
    disk.entries.splice(0, disk.entries.length, ...kept);
    return { type: 'ok' };
  }

  async confirm(epoch: number): Promise<AppendResult> {
    return epoch === this.#disk.epoch ? { type: 'ok' } : this.#fenced();
  }

  async close(): Promise<void> {
    return;
  }

  #put(seq: number, epoch: number, payload: Uint8Array, nonce: string): void {
    this.#disk.entries.push({ seq, epoch, payload, nonce });
    this.#disk.tailSeq = seq;
    for (const listener of this.#disk.listeners) listener();
  }

  #fenced(): AppendResult {
    return { type: 'fenced', epoch: this.#disk.epoch };
  }
}
