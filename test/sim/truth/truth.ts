/**
 * What is durable, as nobody in the world can see it: every value of every slot at the moment it became
 * durable, the state that follows from them, and a plain twin of each job. Checkers compare what
 * coordinators say and do with this.
 */
import {
  decodeRecords,
  encodeRecords,
  type ReadSnapshot,
  readSnapshot,
  restoreSnapshot,
} from '../../../src/core/job/codec.ts';
import type { LogCodec } from '../../../src/coordinator/replica.ts';
import {
  applyEntry,
  type CoordinatorState,
  emptyState,
} from '../../../src/core/job/coordinator.ts';
import type { JobRecord } from '../../../src/core/job/records.ts';
import { monoMs } from '../../../src/core/base/units.ts';
import type { World } from '../world/world.ts';
import { JobTwin, type TwinLease } from './job-twin.ts';

/** In one world of so many the real code decodes each entry. */
const DECODING_WORLDS = 5;
/** More than there are writers, each with one entry under way. */
const ENCODED_MAX = 8;

export interface Slot {
  readonly seq: number;
  readonly epoch: number;
  readonly nonce: string;
  readonly payload: Uint8Array;
}

/** Of a log that was begun before the world: what it holds, and what follows from that. */
export interface Past {
  readonly slots: readonly { readonly slot: Slot; readonly records: readonly JobRecord[] }[];
  readonly snapshot: { readonly bytes: Uint8Array; readonly read: ReadSnapshot };
  readonly twin: JobTwin;
}

export interface LandedRecord {
  readonly record: JobRecord;
  readonly token: string;
  readonly epoch: number;
  /** Null for the creation of a job. */
  readonly twin: JobTwin | null;
}

/** Told of each record that became durable, before the twin knows of it. */
export type RecordListener = (landed: LandedRecord) => void;

export class Truth {
  readonly #world: World;
  readonly slots: Slot[] = [];
  /** By epoch: who claimed it, and when. */
  readonly claims: Map<number, { readonly who: string; readonly atMs: number }> = new Map<
    number,
    { readonly who: string; readonly atMs: number }
  >();
  /** Epochs that somebody was told to have won. */
  readonly winners: Set<number> = new Set<number>();
  /** Nonces of writes of which somebody was told that they are not in the log. */
  readonly denied: Set<string> = new Set<string>();
  readonly nonces: Set<string> = new Set<string>();
  state: CoordinatorState = emptyState();
  readonly jobs: Map<string, JobTwin> = new Map<string, JobTwin>();
  /** Jobs that were forgotten, in that order. */
  readonly past: JobTwin[] = [];
  /** Told of each write at the moment at which it became durable. */
  onLanded: (slot: Slot) => void = () => undefined;
  epoch = 0;
  trimmedSeq = 0;
  readonly #listeners: RecordListener[] = [];
  /**
   * How coordinators read the log: what is durable is decoded once, and in most worlds not even that, as the very
   * bytes were encoded here. A standby has a state when it takes over, or when somebody compares it.
   */
  readonly codec: LogCodec = {
    encodeRecords: (records) => this.#bytesOf(records),
    decodeRecords: (payload) => this.recordsOf(payload),
    decodeSnapshot: (bytes) => this.snapshotOf(bytes),
    isLate: true,
  };
  /** The snapshot that was read last. */
  #snapshot: { readonly bytes: Uint8Array; readonly read: ReadSnapshot } | null = null;
  /** What was encoded last and is not known to have landed, the oldest first. */
  readonly #encoded: { readonly payload: Uint8Array; readonly records: readonly JobRecord[] }[] =
    [];
  /** Of each payload in the log. */
  readonly #records: WeakMap<Uint8Array, readonly JobRecord[]> = new WeakMap<
    Uint8Array,
    readonly JobRecord[]
  >();

  constructor(world: World) {
    this.#world = world;
  }

  get tailSeq(): number {
    return this.slots.length;
  }

  onRecord(listener: RecordListener): void {
    this.#listeners.push(listener);
  }

  /** A write has become durable at slot `seq`. `claimant` is who claims with it, if it is a claim. */
  landed(slot: Slot, claimant: string | null): void {
    const world = this.#world;
    const there = this.slots[slot.seq - 1];
    if (there !== undefined) {
      if (!isSame(there, slot)) {
        world.fail(
          'one value per slot',
          `slot ${slot.seq} held ${there.nonce} and gets ${slot.nonce}`,
        );
      }
      return;
    }
    if (slot.seq !== this.tailSeq + 1) {
      world.fail('one value per slot', `slot ${slot.seq} follows slot ${this.tailSeq}`);
      return;
    }
    this.#checkEpoch(slot, claimant);
    if (this.denied.has(slot.nonce)) {
      world.fail('nothing denied lands', `${slot.nonce} landed at ${slot.seq} after it was denied`);
    }
    this.nonces.add(slot.nonce);
    this.slots.push(slot);
    world.mix(slot.seq, slot.epoch, world.nowMs);
    world.mixBytes(slot.payload);
    world.say(
      () => `slot ${slot.seq} epoch ${slot.epoch}: ${new TextDecoder().decode(slot.payload)}`,
    );
    if (slot.payload.length > 0) this.#apply(slot);
    this.onLanded(slot);
  }

  /** What was there before the world began. */
  recall({ slots, snapshot, twin }: Past): void {
    const world = this.#world;
    for (const { slot, records } of slots) {
      this.slots.push(slot);
      this.nonces.add(slot.nonce);
      this.epoch = slot.epoch;
      if (world.scene.seed % DECODING_WORLDS !== 0) this.#records.set(slot.payload, records);
    }
    this.claims.set(this.epoch, { who: slots[0]?.slot.nonce ?? '', atMs: world.nowMs });
    this.#snapshot = snapshot;
    this.state = restoreSnapshot(snapshot.read);
    const own = twin.copy((name, text) => world.fail(name, text));
    this.jobs.set(own.spec.jobId, own);
  }

  /** All jobs there ever were under this name: the one that is, and those before it. */
  ofName(job: string): readonly JobTwin[] {
    const present = this.jobs.get(job);
    const past = this.past.filter(({ spec }) => spec.jobId === job);
    return present === undefined ? past : [...past, present];
  }

  /** The one that a node was let in to. */
  ofToken(job: string, token: string | null): JobTwin | undefined {
    return this.ofName(job).find((twin) => twin.token === token);
  }

  /**
   * The job of that name, as a coordinator that answers in `epoch` knows it: what went with the last entry, or
   * with one of a later leader, is known to it yet. Null where the last entry made another of that name.
   */
  answeredFor(job: string, epoch: number): JobTwin | null | undefined {
    const present = this.jobs.get(job);
    const last = this.past.findLast(({ spec }) => spec.jobId === job);
    if (last === undefined || last.forgotten === null) return present;
    const isFresh = last.forgotten.seq === this.tailSeq;
    if (!isFresh && last.forgotten.epoch <= epoch) return present;
    if (present === undefined) return last;
    return isFresh || present.created.epoch <= epoch ? null : last;
  }

  /** Whatever job of that name it is, or was, of. */
  leaseOf(job: string, id: string): TwinLease | undefined {
    for (const twin of this.ofName(job)) {
      const lease = twin.leases.get(id);
      if (lease !== undefined) return lease;
    }
    return undefined;
  }

  /** The state after entry `seq`, from nothing. */
  #replayedTo(seq: number): CoordinatorState {
    const state = emptyState();
    for (const slot of this.slots) {
      if (slot.seq > seq) break;
      if (slot.payload.length === 0) continue;
      const records = this.recordsOf(slot.payload);
      applyEntry(state, { epoch: slot.epoch, seq: slot.seq, records }, monoMs(0));
    }
    return state;
  }

  /** The state after entry `seq`. */
  stateAt(seq: number): CoordinatorState {
    return seq === this.tailSeq ? this.state : this.#replayedTo(seq);
  }

  #bytesOf(records: readonly JobRecord[]): Uint8Array {
    const payload = encodeRecords(records);
    if (this.#world.scene.seed % DECODING_WORLDS === 0) return payload;
    this.#encoded.push({ payload, records });
    if (this.#encoded.length > ENCODED_MAX) this.#encoded.shift();
    return payload;
  }

  /** What the bytes that became durable say: what they were made of, or what the real code reads in them. */
  #landedRecords(payload: Uint8Array): readonly JobRecord[] {
    const at = this.#encoded.findIndex((one) => Buffer.compare(one.payload, payload) === 0);
    const [own] = at === -1 ? [] : this.#encoded.splice(at, 1);
    return own?.records ?? decodeRecords(payload);
  }

  /** What the bytes of an entry say. */
  recordsOf(payload: Uint8Array): readonly JobRecord[] {
    return this.#records.get(payload) ?? decodeRecords(payload);
  }

  /** A state of its own from the bytes of a snapshot. */
  snapshotOf(bytes: Uint8Array): CoordinatorState {
    const last = this.#snapshot;
    if (last !== null && Buffer.compare(last.bytes, bytes) === 0) return restoreSnapshot(last.read);
    const read = readSnapshot(bytes);
    this.#snapshot = { bytes, read };
    return restoreSnapshot(read);
  }

  #checkEpoch(slot: Slot, claimant: string | null): void {
    const world = this.#world;
    if (claimant !== null) {
      const before = this.claims.get(slot.epoch);
      if (before !== undefined) {
        world.fail('epochs grow', `${claimant} claims epoch ${slot.epoch} of ${before.who}`);
      }
      if (slot.epoch <= this.epoch) {
        world.fail('epochs grow', `epoch ${slot.epoch} is claimed after ${this.epoch}`);
      }
      this.claims.set(slot.epoch, { who: claimant, atMs: world.nowMs });
      this.epoch = Math.max(this.epoch, slot.epoch);
    } else if (slot.epoch !== this.epoch) {
      world.fail(
        'epochs grow',
        `slot ${slot.seq} is of epoch ${slot.epoch} in epoch ${this.epoch}`,
      );
    }
  }

  #apply(slot: Slot): void {
    const world = this.#world;
    try {
      const records = this.#landedRecords(slot.payload);
      this.#records.set(slot.payload, records);
      records.forEach((record, index) => this.#see(record, slot, index));
      if (world.violation !== null) return;
      applyEntry(this.state, { epoch: slot.epoch, seq: slot.seq, records }, monoMs(world.nowMs));
    } catch (error) {
      world.fail('replay', `slot ${slot.seq} cannot be replayed: ${String(error)}`);
    }
  }

  #see(record: JobRecord, slot: Slot, index: number): void {
    const token = `${slot.epoch}.${slot.seq}.${index}`;
    const twin = record.type === 'job_created' ? null : (this.jobs.get(record.job) ?? null);
    const landed = { record, token, epoch: slot.epoch, twin };
    for (const listener of this.#listeners) listener(landed);
    if (record.type === 'job_created') {
      const id = record.spec.jobId;
      if (this.jobs.has(id)) this.#world.fail('jobs are islands', `job ${id} is created twice`);
      const fail = (name: string, text: string): void => this.#world.fail(name, text);
      this.jobs.set(id, new JobTwin(record.spec, token, slot, fail));
      return;
    }
    if (twin === null) {
      this.#world.fail('jobs are islands', `${record.type} is of no job: ${record.job}`);
      return;
    }
    if (record.type === 'job_forgotten') {
      twin.forgotten = slot;
      this.jobs.delete(record.job);
      this.past.push(twin);
      return;
    }
    if (record.type === 'job_adopted') {
      this.jobs.delete(record.job);
      this.jobs.set(record.newJob, twin);
    }
    twin.apply(record, token, slot);
  }
}

function isSame(a: Slot, b: Slot): boolean {
  if (a === b || (a.payload === b.payload && a.nonce === b.nonce && a.epoch === b.epoch))
    return true;
  return a.nonce === b.nonce && a.epoch === b.epoch && Buffer.compare(a.payload, b.payload) === 0;
}
