/**
 * What was done on a job before a world begins, by coordinators and nodes that are gone: most of it. It is decided
 * and encoded by the real code, once for each kind of job: worlds of one kind begin with the same bytes.
 */
import { jobId, monoMs, nodeId } from '../../../src/core/base/units.ts';
import { encodeRecords, encodeSnapshot, readSnapshot } from '../../../src/core/job/codec.ts';
import { type CoordinatorState, emptyState, step } from '../../../src/core/job/coordinator.ts';
import { encodeCheckpoint } from '../../../src/core/job/checkpoint.ts';
import type { Command, JobSpec, Lease, NodeCaps, Reply } from '../../../src/core/job/protocol.ts';
import type { JobRecord } from '../../../src/core/job/records.ts';
import type { LogStore } from '../../../src/ports/log-store.ts';
import { JobTwin } from '../truth/job-twin.ts';
import { keyOf } from '../truth/outputs.ts';
import type { Past, Slot } from '../truth/truth.ts';

export interface Midway {
  /** Ranges that nobody has begun. */
  readonly rangesLeft: number;
  /** The first node's process was killed, and the log says that it holds leases. */
  readonly isHeld: boolean;
}

export interface BegunJob extends Past {
  readonly staged: ReadonlySet<string>;
}

const NODES = 5;
/** Less than any node wants in a world that begins midway. */
const WANT = 2;
const RECORDS_PER_ENTRY = 120;
/** Ranges that a run before the former one left to do: more than are left to the world. */
const RESUMED_LEFT = 60;
const UNIX_MS = 1_699_999_000_000;
const CAPS: NodeCaps = {
  maxFetchConcurrency: 1,
  maxDecodeConcurrency: 1,
  maxInflightBytes: 1,
  maxRamBytes: 1,
};

/** The first entry. */
const CLAIM: Slot = { seq: 1, epoch: 1, nonce: 'former', payload: new Uint8Array(0) };

const begun: Map<string, BegunJob> = new Map<string, BegunJob>();

export function begunJob(spec: JobSpec, midway: Midway): BegunJob {
  const { seed, leaseTtlMs } = spec;
  // All else about such a job follows from its seed.
  const key = `${seed} ${leaseTtlMs}`;
  const known = begun.get(key);
  if (known !== undefined) return known;
  const made = new Former(spec, midway).work();
  begun.set(key, made);
  return made;
}

/** Has the real log write what was there before the world. */
export async function writePast(log: LogStore, past: Past, isTrimmed: boolean): Promise<void> {
  await log.claim(0, 1, 'former');
  for (const { slot } of past.slots.slice(1)) {
    await log.append(slot.seq, 1, slot.payload, slot.nonce);
  }
  if (!isTrimmed) return;
  await log.snapshot(past.slots.length, 1, past.snapshot.bytes);
  await log.trim(past.slots.length, 1);
}

/** The coordinator and the nodes of before, who do one thing after the other. */
class Former {
  readonly #spec: JobSpec;
  readonly #midway: Midway;
  readonly #state: CoordinatorState = emptyState();
  readonly #slots: { slot: Slot; records: readonly JobRecord[] }[] = [];
  #records: JobRecord[] = [];
  readonly #staged = new Set<string>();

  constructor(spec: JobSpec, midway: Midway) {
    this.#spec = spec;
    this.#midway = midway;
    this.#slots.push({ slot: CLAIM, records: [] });
  }

  work(): BegunJob {
    const { sampleCount, blockSize } = this.#spec;
    this.#ask({ type: 'create_job', spec: this.#spec });
    const resumeFrom = this.#checkpoint;
    for (let node = 0; node < NODES; node += 1) {
      this.#ask({ type: 'register', ...this.#from(node), caps: CAPS, resumeFrom });
    }
    let left = resumeFrom.length > 0 ? RESUMED_LEFT : Math.ceil(sampleCount / blockSize);
    for (let node = 0; left > this.#midway.rangesLeft; node = (node + 1) % NODES) {
      for (const lease of this.#lease(node)) {
        this.#report(node, lease, lease.range.end);
        left -= 1;
      }
    }
    for (let node = 0; node < NODES; node += 1) {
      // Begun and given back, or left to whoever finds that its node is gone.
      const [lease] = this.#lease(node);
      if (lease !== undefined && blockSize > 1) this.#report(node, lease, lease.range.start + 1);
      if (node > 0 || !this.#midway.isHeld) this.#ask({ type: 'leave', ...this.#from(node) });
    }
    this.#write();
    const bytes = encodeSnapshot(this.#state);
    const snapshot = { bytes, read: readSnapshot(bytes) };
    return { slots: this.#slots, snapshot, twin: this.#twin, staged: this.#staged };
  }

  /** Without outputs most was done in a run before that one: what it left to do is the end. */
  get #checkpoint(): Uint8Array {
    const { commitsOutputs, sampleCount, blockSize } = this.#spec;
    if (commitsOutputs) return new Uint8Array(0);
    const ranges = Math.ceil(sampleCount / blockSize);
    const done = [{ start: 0, end: (ranges - RESUMED_LEFT) * blockSize }];
    return encodeCheckpoint({ ...this.#spec, done });
  }

  /** By the meaning of the records, as in any world. */
  get #twin(): JobTwin {
    const fail = (name: string, text: string): never => {
      throw new Error(`what was before the world: ${name}: ${text}`);
    };
    const [, first] = this.#slots;
    if (first === undefined) return fail('records', 'there are none');
    const twin = new JobTwin(this.#spec, `1.${first.slot.seq}.0`, first.slot, fail);
    for (const { slot, records } of this.#slots) {
      records.forEach((record, index) => {
        if (record.type === 'job_created' || record.type === 'job_forgotten') return;
        twin.apply(record, `1.${slot.seq}.${index}`, slot);
      });
    }
    return twin;
  }

  #from(node: number): {
    jobId: JobSpec['jobId'];
    nodeId: ReturnType<typeof nodeId>;
    instanceId: string;
  } {
    return {
      jobId: jobId(this.#spec.jobId),
      nodeId: nodeId(`n${node}`),
      instanceId: `n${node}#before`,
    };
  }

  #lease(node: number): readonly Lease[] {
    const reply = this.#ask({
      type: 'request_lease',
      ...this.#from(node),
      want: WANT,
      held: [],
    });
    if (reply.type !== 'leases') throw new Error(`a node asks for leases and gets ${reply.type}`);
    return reply.leases;
  }

  #report(node: number, { leaseId, cursor: start }: Lease, end: number): void {
    const from = this.#from(node);
    const samples = end - start;
    if (!this.#spec.commitsOutputs) {
      const delivered = { deliveredSamples: samples, deliveredBytes: samples };
      this.#ask({ type: 'progress', ...from, leaseId, cursor: end, ...delivered });
      return;
    }
    const piece = { leaseId, start, end, rows: samples, bytes: samples, quarantined: [] };
    this.#staged.add(keyOf(piece));
    this.#ask({ type: 'commit', ...from, ...piece });
  }

  #ask(command: Command): Reply {
    const { records, reply } = step(this.#state, command, {
      nowMs: monoMs(0),
      nowUnixMs: UNIX_MS,
      epoch: 1,
      seq: this.#slots.length + 1,
      nextIndex: this.#records.length,
      relief: 'double',
    });
    if (reply.type === 'refused') throw new Error(`${command.type} is refused: ${reply.message}`);
    this.#records.push(...records);
    if (this.#records.length >= RECORDS_PER_ENTRY) this.#write();
    return reply;
  }

  #write(): void {
    const records = this.#records;
    this.#records = [];
    const payload = encodeRecords(records);
    const seq = this.#slots.length + 1;
    this.#slots.push({ slot: { seq, epoch: 1, nonce: `former/${seq}`, payload }, records });
  }
}
