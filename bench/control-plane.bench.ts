/**
 * The control plane: durable operations through the writer loop on SQLite on disk, their latency, what
 * a million ranges cost, what heartbeats write, and a restart.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { Writer } from '../src/coordinator/writer.ts';
import { jobId, manifestHash, nodeId } from '../src/core/base/units.ts';
import { IDLE_STATS } from '../src/core/job/job-state.ts';
import type { Command, JobSpec, Lease, Reply } from '../src/core/job/protocol.ts';
import { SqliteLog } from '../src/log/sqlite-log.ts';
import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';
import { benchRow } from './report.ts';
import type { Benchmark, BenchRow } from './report.ts';

const JOB = jobId('bench');
const NODES = 8;
/** Samples in a range: many, so that a thousand ranges last as long as the measurement. */
const BLOCK = 65_536;
const IN_FLIGHT = 256;
const CAPS = {
  maxFetchConcurrency: 1,
  maxDecodeConcurrency: 1,
  maxInflightBytes: 1,
  maxRamBytes: 1,
};

interface Bed {
  readonly writer: Writer;
  readonly path: string;
  close(): Promise<void>;
}

async function open(path: string): Promise<Bed> {
  const log = new SqliteLog(path);
  const writer = new Writer({
    log,
    clock: nodeClock(),
    random: nodeRandom(),
    events: { emit: () => undefined },
    tickIntervalMs: 100,
    onFatal: (error) => {
      throw error;
    },
  });
  await writer.start();
  return {
    writer,
    path,
    close: async () => {
      await writer.stop();
      await log.close();
    },
  };
}

async function withFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'mx8-bench-'));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function from(node: number): {
  jobId: typeof JOB;
  nodeId: ReturnType<typeof nodeId>;
  instanceId: string;
} {
  return { jobId: JOB, nodeId: nodeId(`n${node}`), instanceId: `process-${node}` };
}

async function createJob(writer: Writer, ranges: number): Promise<void> {
  const spec: JobSpec = {
    jobId: JOB,
    manifestHash: manifestHash('00'.repeat(32)),
    sampleCount: ranges * BLOCK,
    blockSize: BLOCK,
    worldSize: NODES,
    minWorldSize: NODES,
    shuffle: true,
    seed: 1n,
    epoch: 0,
    leaseTtlMs: 600_000,
    heartbeatIntervalMs: 1000,
    commitsOutputs: false,
    adoptsFirstJobId: false,
  };
  await writer.submit({ type: 'create_job', spec });
  for (let node = 0; node < NODES; node += 1) {
    await writer.submit({
      type: 'register',
      ...from(node),
      caps: CAPS,
      resumeFrom: new Uint8Array(0),
    });
  }
}

async function takeLeases(writer: Writer, wanted: number): Promise<Lease[]> {
  const leases: Lease[] = [];
  while (leases.length < wanted) {
    const node = leases.length % NODES;
    const want = Math.min(1024, wanted - leases.length);
    const reply = await writer.submit({ type: 'request_lease', ...from(node), want, held: null });
    if (reply.type !== 'leases' || reply.leases.length === 0)
      throw new Error(JSON.stringify(reply));
    leases.push(...reply.leases);
  }
  return leases;
}

function progress(lease: Lease, cursor: number): Command {
  const node = Number(lease.nodeId.slice(1));
  return {
    type: 'progress',
    ...from(node),
    leaseId: lease.leaseId,
    cursor,
    deliveredSamples: cursor - lease.range.start,
    deliveredBytes: 0,
  };
}

/** Durable progress operations a second with 256 in flight, each moving a cursor by one sample. */
async function durableRate(folder: string, ranges: number, seconds: number): Promise<number> {
  const bed = await open(join(folder, `rate-${ranges}-${Math.round(performance.now())}.sqlite`));
  await createJob(bed.writer, ranges);
  // The order of a million blocks is worked out once, at the first lease: part of the restart's figure.
  await takeLeases(bed.writer, 1);
  const deadline = { atMs: Infinity };
  let done = 0;
  const flight = async (): Promise<void> => {
    let lease: Lease | undefined;
    let cursor = 0;
    while (performance.now() < deadline.atMs) {
      if (lease === undefined || cursor >= lease.range.end) {
        const node = done % NODES;
        const want = { type: 'request_lease', ...from(node), want: 1, held: null } as const;
        const reply: Reply = await bed.writer.submit(want);
        if (reply.type !== 'leases') throw new Error(JSON.stringify(reply));
        lease = reply.leases[0];
        if (lease === undefined) return;
        cursor = lease.cursor;
      }
      cursor += 1;
      const reply = await bed.writer.submit(progress(lease, cursor));
      if (reply.type !== 'accepted') throw new Error(JSON.stringify(reply));
      done += 1;
    }
  };
  const startMs = performance.now();
  deadline.atMs = startMs + seconds * 1000;
  await Promise.all(Array.from({ length: IN_FLIGHT }, flight));
  const rate = (done * 1000) / (performance.now() - startMs);
  await bed.close();
  return rate;
}

/** The same number of bytes in the same number of bare transactions: what SQLite and the disk allow. */
function bareRate(folder: string, seconds: number): number {
  const db = new DatabaseSync(join(folder, 'bare.sqlite'));
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  db.exec('CREATE TABLE entry (seq INTEGER PRIMARY KEY, payload BLOB NOT NULL)');
  const insert = db.prepare('INSERT INTO entry VALUES (?, ?)');
  const payload = new Uint8Array(IN_FLIGHT * 75).fill(7);
  const startMs = performance.now();
  let seq = 0;
  while (performance.now() - startMs < seconds * 1000) {
    seq += 1;
    db.exec('BEGIN IMMEDIATE');
    insert.run(seq, payload);
    db.exec('COMMIT');
  }
  const rate = (seq * IN_FLIGHT * 1000) / (performance.now() - startMs);
  db.close();
  return rate;
}

/** Median latency in ms of operations that come one by one, 1,000 a second. */
async function latencyP50(folder: string): Promise<number> {
  const bed = await open(join(folder, 'latency.sqlite'));
  await createJob(bed.writer, 1000);
  const [lease] = await takeLeases(bed.writer, 200);
  if (lease === undefined) throw new Error('no lease');
  const leases = await takeLeases(bed.writer, 200);
  const cursors = new Map(leases.map((one) => [one.leaseId, one.range.start]));
  const latencies: number[] = [];
  const startMs = performance.now();
  const waiting: Promise<void>[] = [];
  for (let sent = 0; sent < 3000;) {
    const due = Math.min(3000, Math.floor(performance.now() - startMs));
    for (; sent < due; sent += 1) {
      const one = leases[sent % leases.length];
      if (one === undefined) continue;
      const cursor = Math.min(one.range.end, (cursors.get(one.leaseId) ?? 0) + 1);
      cursors.set(one.leaseId, cursor);
      const beganMs = performance.now();
      waiting.push(
        bed.writer.submit(progress(one, cursor)).then(() => {
          latencies.push(performance.now() - beganMs);
        }),
      );
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(waiting);
  await bed.close();
  latencies.sort((a, b) => a - b);
  return latencies[latencies.length >> 1] ?? 0;
}

/** Bytes and entries that a thousand heartbeats add to the log. */
async function heartbeatWrites(folder: string): Promise<number> {
  const bed = await open(join(folder, 'heartbeat.sqlite'));
  await createJob(bed.writer, 1000);
  const before = bed.writer.figures.entriesAppended;
  const sizeBefore = (await stat(`${bed.path}-wal`)).size;
  for (let beat = 0; beat < 1000; beat += 1) {
    const command = {
      type: 'heartbeat',
      ...from(beat % NODES),
      stats: IDLE_STATS,
      sentAtUnixMs: 0,
    } as const;
    await bed.writer.submit(command);
  }
  const written = (await stat(`${bed.path}-wal`)).size - sizeBefore;
  const entries = bed.writer.figures.entriesAppended - before;
  await bed.close();
  return entries + written;
}

/** Milliseconds from opening the state to the first answer, with 1M ranges and 100,000 live leases. */
async function restart(folder: string): Promise<{ ms: number; rssBytes: number }> {
  const path = join(folder, 'restart.sqlite');
  const bed = await open(path);
  await createJob(bed.writer, 1_000_000);
  const leases = await takeLeases(bed.writer, 100_000);
  for (const lease of leases.slice(0, 1000))
    await bed.writer.submit(progress(lease, lease.cursor + 1));
  await bed.close();
  globalThis.gc?.();
  const beganMs = performance.now();
  const again = await open(path);
  const reply = await again.writer.submit({
    type: 'request_lease',
    ...from(1),
    want: 1,
    held: null,
  });
  const ms = performance.now() - beganMs;
  if (reply.type !== 'leases' || reply.leases.length !== 1) throw new Error(JSON.stringify(reply));
  const rssBytes = process.memoryUsage.rss();
  await again.close();
  return { ms, rssBytes };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

async function rateRows(folder: string): Promise<readonly BenchRow[]> {
  await durableRate(folder, 1000, 1);
  const rounds: { small: number; large: number }[] = [];
  for (let round = 0; round < 5; round += 1) {
    rounds.push({
      small: await durableRate(folder, 1000, 2),
      large: await durableRate(folder, 1_000_000, 2),
    });
  }
  const rate = median(rounds.map((round) => round.small));
  return [
    benchRow({
      name: 'durable progress, 256 in flight',
      ours: rate,
      limit: null,
      unit: 'ops/s',
      target: { atLeast: 50_000 },
      note: 'SQLite, synchronous=FULL, on disk',
    }),
    benchRow({
      name: 'durable progress against bare SQLite',
      ours: rate,
      limit: bareRate(folder, 2),
      unit: 'ops/s',
      target: null,
      note: 'limit: the same bytes in bare transactions of 256',
    }),
    benchRow({
      name: 'cost of an operation, 1M ranges to 1,000',
      ours: median(rounds.map((round) => round.small / round.large)),
      limit: null,
      unit: '×',
      target: { atMost: 1.2 },
      note: 'median of 5 alternating rounds; shuffled order',
    }),
  ];
}

async function singleRows(folder: string): Promise<readonly BenchRow[]> {
  const figure = (
    name: string,
    ours: number,
    unit: string,
    atMost: number,
    note: string,
  ): BenchRow => benchRow({ name, ours, limit: null, unit, target: { atMost }, note });
  const { ms, rssBytes } = await restart(folder);
  const p50 = await latencyP50(folder);
  const writes = await heartbeatWrites(folder);
  const rssMiB = rssBytes / 1024 ** 2;
  return [
    figure('durable progress at 1,000/s, p50', p50, 'ms', 1, '3,000 operations, one by one'),
    figure('log bytes and entries of 1,000 heartbeats', writes, 'bytes', 0, 'growth of the log'),
    figure('restart, 1M ranges, 100k live leases', ms, 'ms', 1000, 'to the first lease granted'),
    figure(
      'memory after that restart',
      rssMiB,
      'MiB',
      512,
      'in a process that also built the state',
    ),
  ];
}

async function run(): Promise<readonly BenchRow[]> {
  return withFolder(async (folder) => [...(await singleRows(folder)), ...(await rateRows(folder))]);
}

export const benchmark: Benchmark = { name: 'control plane', run };
