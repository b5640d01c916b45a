/**
 * A log that several coordinators of one machine share, as they share a SQLite file: each operation is
 * one atomic, durable transaction. The disk is slow for a while, or a write fails and nobody knows
 * whether it is there.
 */
import { Mx8Error } from '../../../src/core/base/errors.ts';
import { MemoryLog, MemoryLogDisk } from '../../../src/log/memory-log.ts';
import type {
  AppendResult,
  ClaimResult,
  FollowedLog,
  LoadedLog,
  LogStore,
} from '../../../src/ports/log-store.ts';
import type { Past, Truth } from '../truth/truth.ts';
import { writePast } from './midway.ts';
import type { Process } from './process.ts';
import type { StoreWay } from './store-way.ts';
import type { World } from './world.ts';

/** How long it may take until a standby hears of new entries; what comes meanwhile it reads with them. */
const NEWS_MS = 400;

export class OneMachine {
  readonly disk: MemoryLogDisk = new MemoryLogDisk();
  readonly world: World;
  readonly way: StoreWay;
  readonly truth: Truth;
  /** Bits of the phase of the process that asks, for coverage. */
  phasesAt: (place: number) => number = () => 0;

  constructor(world: World, way: StoreWay, truth: Truth) {
    this.world = world;
    this.way = way;
    this.truth = truth;
  }

  get snapshot(): { readonly seq: number; readonly bytes: Uint8Array } | null {
    const { snapshot, snapshotSeq } = this.disk;
    return snapshot === null ? null : { seq: snapshotSeq, bytes: snapshot };
  }

  /** A copy of the log with the bytes of one entry damaged, opened without any way in between. */
  openDamaged(): { readonly log: LogStore; readonly seq: number } | null {
    const { chance } = this.world;
    const { snapshotSeq } = this.disk;
    const after = this.disk.entries.filter(
      ({ seq, payload }) => seq > snapshotSeq && payload.length > 0,
    );
    if (after.length === 0) return null;
    const damaged = chance.pick(after);
    const copy = Object.assign(new MemoryLogDisk(), this.disk, {
      entries: this.disk.entries.map((entry) => {
        if (entry !== damaged) return entry;
        // A checksum is the file's affair: here a record can only be torn.
        return {
          ...entry,
          payload: entry.payload.slice(0, chance.between(1, entry.payload.length - 1)),
        };
      }),
    });
    return { log: new MemoryLog(copy), seq: damaged.seq };
  }

  open(process: Process): LogStore {
    return new OneMachineLog(this, process);
  }

  /** What was there before the world, with its snapshot or without. */
  async recall(past: Past, isTrimmed: boolean): Promise<void> {
    await writePast(new MemoryLog(this.disk), past, isTrimmed);
    this.truth.trimmedSeq = this.disk.trimmedSeq;
  }
}

class OneMachineLog implements LogStore {
  readonly #machine: OneMachine;
  readonly #process: Process;
  /** Does each transaction at once, when it is called. */
  readonly #log: MemoryLog;

  constructor(machine: OneMachine, process: Process) {
    this.#machine = machine;
    this.#process = process;
    this.#log = new MemoryLog(machine.disk);
  }

  load(): Promise<LoadedLog> {
    return this.#call(() => this.#log.load());
  }

  follow(afterSeq: number): Promise<FollowedLog> {
    return this.#call(() => this.#log.follow(afterSeq));
  }

  watch(onTail: () => void): () => void {
    const { way } = this.#machine;
    let isPlanned = false;
    return this.#log.watch(() => {
      if (isPlanned) return;
      isPlanned = true;
      way.toProcess(this.#process, this.#machine.world.chance.between(1, NEWS_MS), () => {
        isPlanned = false;
        onTail();
      });
    });
  }

  claim(tailSeq: number, epoch: number, who: string): Promise<ClaimResult> {
    return this.#write(who, () => this.#log.claim(tailSeq, epoch, who));
  }

  append(seq: number, epoch: number, payload: Uint8Array, nonce: string): Promise<AppendResult> {
    return this.#write(null, () => this.#log.append(seq, epoch, payload, nonce));
  }

  snapshot(upToSeq: number, epoch: number, state: Uint8Array): Promise<AppendResult> {
    return this.#write(null, () => this.#log.snapshot(upToSeq, epoch, state));
  }

  trim(upToSeq: number, epoch: number): Promise<AppendResult> {
    return this.#write(null, () => this.#log.trim(upToSeq, epoch));
  }

  confirm(epoch: number): Promise<AppendResult> {
    return this.#call(() => this.#log.confirm(epoch));
  }

  async close(): Promise<void> {
    return;
  }

  #call<T>(apply: () => Promise<T>): Promise<T> {
    return this.#machine.way.call(this.#process, apply);
  }

  #write<T>(claimant: string | null, apply: () => Promise<T>): Promise<T> {
    const { world } = this.#machine;
    return this.#call(() => {
      const isBroken = world.isFaulty && world.chance.happens(world.scene.rates.storeWriteFailed);
      if (!isBroken) return this.#apply(claimant, apply);
      world.coverage.count('store write failed', this.#machine.phasesAt(this.#process.place));
      // The one who asked dies of it in any case; what it asked for may be there all the same.
      if (world.chance.happens(500)) this.#apply(claimant, apply).catch(() => null);
      throw new Mx8Error('coordinator_state_write_failed', 'the disk failed at a write', {});
    });
  }

  #apply<T>(claimant: string | null, apply: () => Promise<T>): Promise<T> {
    const { disk, truth } = this.#machine;
    const before = disk.entries.at(-1);
    const answer = apply();
    const last = disk.entries.at(-1);
    if (last !== before && last !== undefined) truth.landed(last, claimant);
    truth.trimmedSeq = disk.trimmedSeq;
    return answer;
  }
}
