/**
 * The control plane: durable operations through the writer loop on SQLite on disk, their latency, what
 * a million ranges cost, what heartbeats write, and a restart.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { IDLE_STATS } from '../src/core/job/job-state.ts';
import { rangeCost } from './range-cost.ts';
import { benchRow } from './report.ts';
import type { Benchmark, BenchRow } from './report.ts';
import { createJob, from, NODES, openBed, progress, takeLeases } from './writer-bed.ts';

const IN_FLIGHT = 256;

async function withFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'mx8-bench-'));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
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
  const bed = await openBed(join(folder, 'latency.sqlite'));
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
  const bed = await openBed(join(folder, 'heartbeat.sqlite'));
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
  const bed = await openBed(path);
  await createJob(bed.writer, 1_000_000);
  const leases = await takeLeases(bed.writer, 100_000);
  for (const lease of leases.slice(0, 1000))
    await bed.writer.submit(progress(lease, lease.cursor + 1));
  await bed.close();
  globalThis.gc?.();
  const beganMs = performance.now();
  const again = await openBed(path);
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

async function rateRows(folder: string): Promise<readonly BenchRow[]> {
  const cost = await rangeCost(folder);
  const rate = cost.operationsPerSecond;
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
      ours: cost.cpuRatio,
      limit: null,
      unit: '×',
      target: { atMost: 1.2 },
      note: `processor time, ${cost.snapshots} snapshots included; time passed × ${cost.wallRatio.toFixed(2)} (median)`,
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
