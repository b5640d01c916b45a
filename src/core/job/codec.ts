/**
 * The bytes of log entries and snapshots. Both carry a version: an older one is read, a newer one
 * refused, an unreadable one refused with what is wrong with it.
 *
 * An entry is UTF-8 JSON: `{"v":1,"r":[records]}`; a seed is a decimal string in it. A snapshot is a
 * JSON header with everything small, followed by the raw columns that grow with the job (block states,
 * committed pieces), so that a million ranges cost one copy and not a million objects.
 */
import { must } from '../base/assert.ts';
import { Mx8Error } from '../base/errors.ts';
import {
  compareLeasePositions,
  type JobId,
  type LeaseId,
  monoMs,
  type NodeId,
  parseLeaseId,
} from '../base/units.ts';
import {
  CoordinatorState,
  type FinishedLease,
  IDLE_STATS,
  JobState,
  type LeaseState,
  type MutableCounters,
  type MutableElastic,
  type NodeState,
} from './job-state.ts';
import { type Tuning, UNTUNED } from './operations.ts';
import { Pace } from './pace.ts';
import type { JobSpec, NodeCaps } from './protocol.ts';
import type { JobRecord } from './records.ts';
import { WorkLedger } from './work-ledger.ts';

/** Version of entries and snapshots that this code writes; it reads all from 1 to this. */
export const FORMAT_VERSION = 4;

/** Numbers of each lease in `leaseNumbers`. */
const LEASE_NUMBERS = 5;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export function encodeRecords(records: readonly JobRecord[]): Uint8Array {
  return encoder.encode(JSON.stringify({ v: FORMAT_VERSION, r: records.map(recordToJson) }));
}

export function decodeRecords(bytes: Uint8Array): readonly JobRecord[] {
  const entry = parse(bytes, 'a log entry');
  checkVersion(entry['v'], 'a log entry');
  const records = entry['r'];
  if (!Array.isArray(records)) throw invalid('a log entry holds no list of records');
  return records.map(recordFromJson);
}

/** JSON has no bigint: a spec's seed is written as text. Other records go as they are. */
function recordToJson(record: JobRecord): unknown {
  return record.type === 'job_created' ? { ...record, spec: specToJson(record.spec) } : record;
}

function specToJson(spec: JobSpec): unknown {
  return { ...spec, seed: spec.seed.toString() };
}

/** What this code wrote is trusted (the store checks its bytes); only the seed changes its type. */
function recordFromJson(value: JobRecord): JobRecord {
  return value.type === 'job_created' ? { ...value, spec: specFromJson(value.spec) } : value;
}

function specFromJson(spec: JobSpec): JobSpec {
  return { ...spec, seed: BigInt(spec.seed) };
}

// ---- snapshots ---------------------------------------------------------------------------------

interface JobHeader {
  readonly spec: JobSpec;
  /** Absent before version 4. */
  readonly token?: string | null;
  readonly completedUnixMs?: number | null;
  readonly adoptedFrom: JobId | null;
  readonly phase: JobState['phase'];
  readonly failure: JobState['failure'];
  readonly ready: boolean;
  /** Absent in version 1. */
  readonly paused?: boolean;
  readonly tuning?: Tuning;
  readonly nodes: readonly {
    readonly id: NodeId;
    readonly rank: number;
    readonly instance: string | null;
    readonly caps: NodeCaps;
    /** Absent in version 1. */
    readonly draining?: boolean;
    readonly tuning?: Tuning;
  }[];
  readonly leaseIds: readonly LeaseId[];
  /** By lease: index into nodes, start, end, cursor, start of the last commit. */
  readonly leaseNumbers: readonly number[];
  /** Each double and the lease that it doubles. Absent before version 3. */
  readonly doubles?: readonly (readonly [LeaseId, LeaseId])[];
  readonly finished: readonly (readonly [LeaseId, FinishedLease])[];
  readonly returned: readonly number[];
  readonly partial: readonly number[];
  readonly quarantinedCount: number;
  readonly pieceQuarantine: readonly (readonly [number, readonly number[]])[];
  readonly pieceNumbers: number;
  readonly outputRows: number;
  readonly outputBytes: number;
  /** Absent in snapshots of versions that did not count it. */
  readonly inputBytes?: number;
  readonly resumed: readonly number[] | null;
  readonly finalizer: JobState['finalizer'];
  readonly outputManifestHash: JobState['outputManifestHash'];
  readonly counters: MutableCounters;
  readonly elastic: MutableElastic;
}

/** Counters that no record moves: as good as the last snapshot, and left out of a state's identity. */
const SOFT_COUNTERS = [
  'registerTotal',
  'heartbeatTotal',
  'requestLeaseTotal',
  'resumeCheckpointRejectedTotal',
] as const;

/**
 * The state as bytes. With `durableOnly` what no record moves is left out, so that a state and its
 * replay have the same bytes.
 */
export function encodeSnapshot(
  state: CoordinatorState,
  options: { readonly durableOnly?: boolean } = {},
): Uint8Array {
  const durableOnly = options.durableOnly ?? false;
  const columns: Uint8Array[] = [];
  const jobs = [...state.jobs.values()].map((job) => {
    const work = job.work.dump();
    const pieces = job.pieces.dump();
    columns.push(work.blocks, bytesOf(pieces.columns));
    const header = jobHeader(job, work, pieces, durableOnly);
    const kept = durableOnly ? withoutSoft(header) : header;
    return { ...kept, spec: specToJson(kept.spec) };
  });
  const header = encoder.encode(JSON.stringify({ v: FORMAT_VERSION, jobs }));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, header.length);
  return concat([length, header, ...columns]);
}

function jobHeader(
  job: JobState,
  work: ReturnType<WorkLedger['dump']>,
  pieces: ReturnType<JobState['pieces']['dump']>,
  durableOnly: boolean,
): JobHeader {
  const index = new Map<NodeId, number>();
  const leases = [...job.leases.values()];
  if (durableOnly) leases.sort(byGrant);
  const nodes = [...job.nodes.values()].map((node) => {
    index.set(node.nodeId, index.size);
    const { nodeId: id, rank, instanceId: instance, caps, draining, tuning } = node;
    return { id, rank, instance, caps, draining, tuning };
  });
  return {
    spec: job.spec,
    token: job.token,
    completedUnixMs: job.completedUnixMs,
    adoptedFrom: job.adoptedFrom,
    phase: job.phase,
    failure: job.failure,
    ready: job.ready,
    paused: job.paused,
    tuning: job.tuning,
    nodes,
    leaseIds: leases.map((lease) => lease.leaseId),
    leaseNumbers: leases.flatMap((lease) => [
      must(index.get(lease.nodeId), 'a lease belongs to a node'),
      lease.start,
      lease.end,
      lease.cursor,
      lease.lastCommitStart,
    ]),
    doubles: leases.flatMap(({ leaseId, doubles }) =>
      doubles === null ? [] : [[leaseId, doubles] as const],
    ),
    finished: [...job.finished],
    returned: work.returned,
    partial: work.partial,
    quarantinedCount: work.quarantined,
    pieceQuarantine: pieces.quarantined,
    pieceNumbers: pieces.columns.length,
    outputRows: job.outputRows,
    outputBytes: job.outputBytes,
    inputBytes: job.inputBytes,
    resumed: job.resumed,
    finalizer: job.finalizer,
    outputManifestHash: job.outputManifestHash,
    counters: job.counters,
    elastic: job.elastic,
  };
}

/** The order of the leases is volatile; for a state's identity they stand in order of grant. */
function byGrant(a: LeaseState, b: LeaseState): number {
  const [first, second] = [parseLeaseId(a.leaseId), parseLeaseId(b.leaseId)];
  return compareLeasePositions(must(first, 'a lease id'), must(second, 'a lease id'));
}

function withoutSoft(header: JobHeader): JobHeader {
  const counters = { ...header.counters };
  for (const name of SOFT_COUNTERS) counters[name] = 0;
  return { ...header, counters };
}

/** The inverse of `encodeSnapshot`. Deadlines are unset until `takeOver`. */
export function decodeSnapshot(bytes: Uint8Array): CoordinatorState {
  return restoreSnapshot(readSnapshot(bytes));
}

/** A snapshot that was read: whatever a state may be made of, as often as one is needed. Never changed. */
export interface ReadSnapshot {
  readonly jobs: readonly JobHeader[];
  readonly columns: Uint8Array;
}

export function readSnapshot(bytes: Uint8Array): ReadSnapshot {
  if (bytes.length < 4) throw invalid(`a snapshot of ${bytes.length} bytes is too short`);
  const headerEnd = 4 + new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  if (headerEnd > bytes.length) throw invalid('a snapshot ends inside its header');
  const header = parse(bytes.subarray(4, headerEnd), 'a snapshot');
  checkVersion(header['v'], 'a snapshot');
  const jobs = (header['jobs'] as readonly JobHeader[]).map((raw) => ({
    ...raw,
    spec: specFromJson(raw.spec),
  }));
  return { jobs, columns: bytes.subarray(headerEnd) };
}

export function restoreSnapshot({ jobs, columns }: ReadSnapshot): CoordinatorState {
  const state = new CoordinatorState();
  let at = 0;
  const take = (length: number): Uint8Array => {
    if (at + length > columns.length) throw invalid('a snapshot ends inside its columns');
    at += length;
    return columns.subarray(at - length, at);
  };
  for (const header of jobs) {
    const job = restoreJob(header, take);
    state.jobs.set(job.spec.jobId, job);
  }
  if (at !== columns.length) throw invalid('a snapshot has bytes after its last column');
  return state;
}

function restoreJob(header: JobHeader, take: (length: number) => Uint8Array): JobState {
  const job = new JobState(header.spec, header.token ?? null);
  job.completedUnixMs = header.completedUnixMs ?? null;
  job.adoptedFrom = header.adoptedFrom;
  job.phase = header.phase;
  job.failure = header.failure;
  job.ready = header.ready;
  job.paused = header.paused ?? false;
  job.tuning = header.tuning ?? UNTUNED;
  job.outputRows = header.outputRows;
  job.outputBytes = header.outputBytes;
  job.inputBytes = header.inputBytes ?? 0;
  job.resumed = header.resumed;
  job.finalizer = header.finalizer;
  job.outputManifestHash = header.outputManifestHash;
  Object.assign(job.counters, header.counters);
  Object.assign(job.elastic, header.elastic);
  restoreNodes(job, header);
  const leased = restoreLeases(job, header);
  for (const [id, finished] of header.finished) job.finished.set(id, finished);
  const blocks = take(job.work.blockCount);
  const { returned, partial, quarantinedCount: quarantined } = header;
  job.work = WorkLedger.restore(job.spec, { blocks, returned, partial, quarantined }, leased);
  const columns = take(header.pieceNumbers * Float64Array.BYTES_PER_ELEMENT).slice();
  job.pieces.restore(new Float64Array(columns.buffer), header.pieceQuarantine);
  return job;
}

function restoreNodes(job: JobState, header: JobHeader): void {
  for (const node of header.nodes) {
    job.nodes.set(node.id, {
      nodeId: node.id,
      rank: node.rank,
      instanceId: node.instance,
      caps: node.caps,
      draining: node.draining ?? false,
      tuning: node.tuning ?? UNTUNED,
      leases: new Set<LeaseId>(),
      lastHeardMs: monoMs(0),
      disconnected: true,
      stats: IDLE_STATS,
      pace: new Pace(),
    });
  }
}

/** Returns how many samples the live leases hold. */
function restoreLeases(job: JobState, header: JobHeader): number {
  const { leaseIds, leaseNumbers } = header;
  const doubles = new Map(header.doubles ?? []);
  const doubledBy = new Map([...doubles].map(([id, lease]) => [lease, id]));
  const nodes = [...job.nodes.values()];
  const number = (at: number): number => must(leaseNumbers[at], 'a lease has all its numbers');
  let leased = 0;
  let at = 0;
  for (const leaseId of leaseIds) {
    const node = must(nodes[number(at)], 'a lease names a node of the snapshot');
    const cursor = number(at + 3);
    const lease: LeaseState = {
      leaseId,
      nodeId: node.nodeId,
      start: number(at + 1),
      end: number(at + 2),
      cursor,
      deliveredCursor: cursor,
      movedMs: monoMs(0),
      deadlineMs: monoMs(0),
      doubles: doubles.get(leaseId) ?? null,
      doubledBy: doubledBy.get(leaseId) ?? null,
      lastCommitStart: number(at + 4),
    };
    job.leases.set(leaseId, lease);
    node.leases.add(leaseId);
    if (lease.doubles === null) leased += lease.end - cursor;
    at += LEASE_NUMBERS;
  }
  for (const node of nodes) orderByGrant(node, job);
  return leased;
}

/** The leases of a job stand in another order, those of a node in that of their grants. */
function orderByGrant(node: NodeState, job: JobState): void {
  if (node.leases.size < 2) return;
  const leases = [...node.leases].map((id) => must(job.leases.get(id), 'a node holds live leases'));
  node.leases.clear();
  for (const { leaseId } of leases.sort(byGrant)) node.leases.add(leaseId);
}

// ---- pieces ------------------------------------------------------------------------------------

function parse(bytes: Uint8Array, what: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw invalid(
      `${what} is not readable: ${cause instanceof Error ? cause.message : 'bad text'}`,
    );
  }
  throw invalid(`${what} is not an object`);
}

function checkVersion(version: unknown, what: string): void {
  if (typeof version !== 'number') throw invalid(`${what} names no version`);
  if (version <= FORMAT_VERSION) return;
  throw new Mx8Error(
    'coordinator_state_newer',
    `this mx8 reads coordinator state up to version ${FORMAT_VERSION}, but ${what} was written as version ${version}; start a newer mx8`,
    { version },
  );
}

function invalid(why: string): Mx8Error {
  return new Mx8Error(
    'coordinator_state_invalid',
    `the coordinator's state cannot be used: ${why}`,
  );
}

function bytesOf(values: Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
