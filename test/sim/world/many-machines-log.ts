/**
 * A log of several machines: the real slot protocol over a store in etcd's model. Requests and answers
 * get lost, requests land long after their sender has given up, the store refuses for a while, watches
 * tell late or nothing. What becomes durable is read from the store's own changes, not from the protocol.
 */
import {
  KvError,
  type KvChange,
  type KvRange,
  type KvStore,
  type KvTransacted,
  type KvTransaction,
} from '../../../src/ports/kv-store.ts';
import type { LogStore } from '../../../src/ports/log-store.ts';
import type { Election } from '../../../src/ports/election.ts';
import { KvElection } from '../../../src/log/kv-election.ts';
import { SlotLog } from '../../../src/log/slot-log.ts';
import { FakeClock } from '../../../src/testing/fake-clock.ts';
import { MemoryKv, MemoryKvDisk } from '../../../src/testing/memory-kv.ts';
import type { Past, Truth } from '../truth/truth.ts';
import type { Chance } from './chance.ts';
import type { FaultName } from './coverage.ts';
import { writePast } from './midway.ts';
import { STORE_PLACE } from './network.ts';
import { Process } from './process.ts';
import type { StoreWay } from './store-way.ts';
import type { World } from './world.ts';

const PREFIX = 'mx8/';
const ELECTION_PREFIX = 'mx8-election/';
/** Shorter than the leader's TTL less its margin. */
const GIVE_UP_MS = 750;
const NEWS_MS = 400;
const HEAD_BYTES = 16;

const decoder = new TextDecoder();

export class ManyMachines {
  /** Its leases end by a clock of its own. */
  readonly disk: MemoryKvDisk;
  readonly world: World;
  readonly way: StoreWay;
  readonly truth: Truth;
  /** The last snapshot that was made to count; null before the first. */
  snapshot: { readonly seq: number; readonly bytes: Uint8Array } | null = null;
  #isRecalling = false;
  phasesAt: (place: number) => number = () => 0;
  /** Told when a process has asked something that nobody will answer. */
  onSilence: (process: Process) => void = () => undefined;

  constructor(world: World, way: StoreWay, truth: Truth) {
    this.world = world;
    this.way = way;
    this.truth = truth;
    this.disk = new MemoryKvDisk({ clock: new Process(world, 'store', STORE_PLACE) });
    this.disk.listen((changes) => this.#observe(changes));
  }

  /** A copy of the log with the bytes of one entry damaged, opened without any way in between. */
  openDamaged(clock: Process): { readonly log: LogStore; readonly seq: number } | null {
    const { chance } = this.world;
    const { pairs } = this.disk.range(PREFIX, `${PREFIX}~`);
    const snapshotSeq = this.snapshot?.seq ?? 0;
    const slots = pairs.filter(({ key }) => seqOf(key) > snapshotSeq);
    if (slots.length === 0) return null;
    const damaged = chance.pick(slots);
    const copy = new MemoryKvDisk();
    for (const pair of pairs) {
      const value = pair === damaged ? damage(chance, pair.value) : pair.value;
      copy.transact({ compares: [], then: [{ type: 'put', key: pair.key, value }], else: [] });
    }
    const log = this.#slotLog(new MemoryKv({ disk: copy }), clock);
    return { log, seq: seqOf(damaged.key) };
  }

  openElection(process: Process, ttlMs: number): Election {
    const kv = new SimKv(this, process);
    return new KvElection({ kv, prefix: ELECTION_PREFIX, ttlMs, clock: process });
  }

  /** Somebody's lead ends, and it does not know. */
  takeLead(): void {
    const key = `${ELECTION_PREFIX}election/leader`;
    this.disk.transact({ compares: [], then: [{ type: 'delete', key }], else: [] });
  }

  open(process: Process): LogStore {
    return this.#slotLog(new SimKv(this, process), process);
  }

  /** What was there before the world, with its snapshot or without. */
  async recall(past: Past, isTrimmed: boolean): Promise<void> {
    const transactions = await transactionsOf(past, isTrimmed);
    this.#isRecalling = true;
    for (const transaction of transactions) this.disk.transact(transaction);
    this.#isRecalling = false;
    if (!isTrimmed) return;
    this.truth.trimmedSeq = past.slots.length;
    this.snapshot = { seq: past.slots.length, bytes: past.snapshot.bytes };
  }

  #slotLog(kv: KvStore, process: Process): LogStore {
    const { chance } = this.world;
    return new SlotLog({
      kv,
      prefix: PREFIX,
      clock: process,
      random: { fraction: () => chance.below(1000) / 1000, bytes: (count) => chance.bytes(count) },
      giveUpAfterMs: GIVE_UP_MS,
    });
  }

  #observe(changes: readonly KvChange[]): void {
    if (this.#isRecalling) return;
    const epoch = changes.find(({ type, key }) => type === 'put' && key === `${PREFIX}epoch`);
    const claimant = epoch === undefined ? null : String(markOf(epoch.value)['holder']);
    for (const { type, key, value } of changes) {
      if (type !== 'put' || !key.startsWith(PREFIX)) continue;
      const name = key.slice(PREFIX.length);
      if (name.startsWith('slot/')) this.#landed(Number(name.slice(5)), value, claimant);
      else if (name === 'trim') this.truth.trimmedSeq = Number(markOf(value)['seq']);
      else if (name === 'snapshot') this.#pointed(markOf(value));
    }
  }

  #landed(seq: number, value: Uint8Array, claimant: string | null): void {
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    const epoch = view.getUint16(8) * 2 ** 32 + view.getUint32(10);
    const at = HEAD_BYTES + view.getUint16(14);
    const nonce = decoder.decode(value.subarray(HEAD_BYTES, at));
    this.truth.landed({ seq, epoch, nonce, payload: value.subarray(at) }, claimant);
  }

  /** The pointer to a snapshot counts from now on: all that it names must be there. */
  #pointed(mark: Readonly<Record<string, unknown>>): void {
    const [seq, parts, length] = [
      Number(mark['seq']),
      Number(mark['parts']),
      Number(mark['bytes']),
    ];
    const folder = `${PREFIX}snap/${String(seq).padStart(16, '0')}/`;
    const prefix = `${folder}${encodeURIComponent(String(mark['nonce']))}/`;
    const { pairs } = this.disk.range(prefix, `${prefix}~`);
    const bytes = Buffer.concat(pairs.map((pair) => pair.value));
    if (pairs.length !== parts || bytes.length !== length) {
      this.world.fail('snapshots are whole', `${bytes.length} of ${length} bytes are there`);
      return;
    }
    this.snapshot = { seq, bytes: new Uint8Array(bytes) };
  }
}

/** What the slot protocol asked of its store, once for each past. */
const asked = new WeakMap<Past, Map<boolean, readonly KvTransaction[]>>();

async function transactionsOf(past: Past, isTrimmed: boolean): Promise<readonly KvTransaction[]> {
  let known = asked.get(past);
  if (known === undefined) {
    known = new Map();
    asked.set(past, known);
  }
  let transactions = known.get(isTrimmed);
  if (transactions === undefined) {
    transactions = await ask(past, isTrimmed);
    known.set(isTrimmed, transactions);
  }
  return transactions;
}

async function ask(past: Past, isTrimmed: boolean): Promise<readonly KvTransaction[]> {
  const all: KvTransaction[] = [];
  const clock = new FakeClock();
  const kv = new MemoryKv({
    disk: new MemoryKvDisk(),
    plan: (call) => {
      if (call.type === 'transact') all.push(call.transaction);
      return { type: 'apply' };
    },
  });
  const log = new SlotLog({
    kv,
    prefix: PREFIX,
    clock,
    random: { fraction: () => 0, bytes: (count) => new Uint8Array(count) },
    giveUpAfterMs: GIVE_UP_MS,
  });
  await writePast(log, past, isTrimmed);
  return all;
}

/** 0 for what is no slot. */
function seqOf(key: string): number {
  return key.startsWith(`${PREFIX}slot/`) ? Number(key.slice(PREFIX.length + 5)) : 0;
}

/** Torn, or one bit of it another. */
function damage(chance: Chance, value: Uint8Array): Uint8Array {
  if (chance.happens(300)) return value.slice(0, chance.below(value.length));
  const changed = value.slice();
  const at = chance.below(value.length);
  changed[at] = (changed[at] ?? 0) ^ (1 << chance.below(8));
  return changed;
}

function markOf(value: Uint8Array): Readonly<Record<string, unknown>> {
  const text = decoder.decode(value);
  return JSON.parse(text.slice(text.indexOf('{'))) as Readonly<Record<string, unknown>>;
}

class SimKv implements KvStore {
  readonly #machines: ManyMachines;
  readonly #process: Process;

  constructor(machines: ManyMachines, process: Process) {
    this.#machines = machines;
    this.#process = process;
  }

  transact(transaction: KvTransaction): Promise<KvTransacted> {
    return this.#call(() => this.#machines.disk.transact(transaction));
  }

  range(key: string, endKey: string | null, limit = 0): Promise<KvRange> {
    return this.#call(() => this.#machines.disk.range(key, endKey, limit));
  }

  grantLease(ttlMs: number): Promise<{ readonly leaseId: string; readonly ttlMs: number }> {
    return this.#call(() => ({ leaseId: this.#machines.disk.grantLease(ttlMs), ttlMs }));
  }

  renewLease(leaseId: string): Promise<boolean> {
    return this.#call(() => this.#machines.disk.renewLease(leaseId));
  }

  revokeLease(leaseId: string): Promise<void> {
    return this.#call(() => this.#machines.disk.expireLease(leaseId));
  }

  watch(
    key: string,
    endKey: string | null,
    onChanges: (changes: readonly KvChange[]) => void,
    onGap: () => void,
  ): () => void {
    const { disk, way, world } = this.#machines;
    let seen: KvChange[] = [];
    let isPlanned = false;
    return disk.listen((changes) => {
      const own = changes.filter((change) =>
        endKey === null ? change.key === key : change.key >= key && change.key < endKey,
      );
      if (own.length === 0) return;
      seen.push(...own);
      if (isPlanned) return;
      isPlanned = true;
      way.toProcess(this.#process, world.chance.between(1, NEWS_MS), () => {
        const news = seen;
        seen = [];
        isPlanned = false;
        if (world.isFaulty && world.chance.happens(100)) onGap();
        else onChanges(news);
      });
    });
  }

  async close(): Promise<void> {
    return;
  }

  #call<T>(apply: () => T): Promise<T> {
    const { world, way } = this.#machines;
    const { rates } = world.scene;
    if (world.isFaulty) {
      if (this.#strikes(rates.storeRequestLost, 'store request lost')) return this.#silence();
      if (this.#strikes(rates.storeRequestLate, 'store request late')) {
        way.toStore(this.#process, world.chance.between(50, 1500), () => quietly(apply));
        return this.#silence();
      }
      if (this.#strikes(rates.storeRefused, 'store refused')) {
        return way.call(this.#process, () => {
          throw new KvError('the store is busy', { isDecided: true, retryable: true });
        });
      }
      if (this.#strikes(rates.storeAnswerLost, 'store answer lost')) {
        way.toStore(this.#process, way.delayMs(), () => quietly(apply));
        return this.#silence();
      }
    }
    return way.call(this.#process, apply);
  }

  #strikes(permille: number, fault: FaultName): boolean {
    const { world, phasesAt } = this.#machines;
    if (!world.chance.happens(permille)) return false;
    world.coverage.count(fault, phasesAt(this.#process.place));
    return true;
  }

  /** Nobody answers: the client gives up after a while and does not know. */
  #silence<T>(): Promise<T> {
    const { world, onSilence } = this.#machines;
    onSilence(this.#process);
    return new Promise<T>((_resolve, reject) => {
      this.#process.later(world.chance.between(1, world.scene.silenceMs), () => {
        reject(new KvError('no answer came', { isDecided: false, retryable: true }));
      });
    });
  }
}

/** A call whose answer nobody gets. */
function quietly(apply: () => unknown): void {
  try {
    apply();
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
  }
}
