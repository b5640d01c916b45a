/**
 * The coordinator's log in etcd: fenced, durable operations a second through the writer loop, which puts
 * what waits into one entry, on one real member and on three; and the log's appends against bare puts of
 * as many bytes.
 */
import { Writer } from '../src/coordinator/writer.ts';
import { jobId, manifestHash, nodeId } from '../src/core/base/units.ts';
import type { JobSpec, Lease } from '../src/core/job/protocol.ts';
import { EtcdKv } from '../src/log/etcd/etcd-kv.ts';
import { SlotLog } from '../src/log/slot-log.ts';
import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';
import type { KvStore } from '../src/ports/kv-store.ts';
import { EtcdCluster } from '../test/support/etcd.ts';
import { benchRow } from './report.ts';
import type { Benchmark, BenchRow } from './report.ts';

const JOB = jobId('bench');
/** Samples in a range: many, so that the ranges outlast the measurement. */
const BLOCK = 1_000_000;
const SECONDS = 4;
const NODES = 64;
/** Leases, each with one report on its way: 4 and 64 for each node. */
const IN_FLIGHT = [256, 4096] as const;
const CAPS = {
  maxFetchConcurrency: 1,
  maxDecodeConcurrency: 1,
  maxInflightBytes: 1,
  maxRamBytes: 1,
};

interface Rate {
  readonly operations: number;
  readonly entries: number;
  readonly bytes: number;
}

function from(node: number): {
  jobId: typeof JOB;
  nodeId: ReturnType<typeof nodeId>;
  instanceId: string;
} {
  return { jobId: JOB, nodeId: nodeId(`n${node}`), instanceId: `process-${node}` };
}

/** Counts what the log writes. */
function counted(kv: KvStore): { readonly kv: KvStore; readonly written: { bytes: number } } {
  const written = { bytes: 0 };
  return {
    written,
    kv: {
      transact: (transaction) => {
        for (const operation of transaction.then) {
          if (operation.type === 'put') written.bytes += operation.value.length;
        }
        return kv.transact(transaction);
      },
      range: (...args) => kv.range(...args),
      grantLease: (ttlMs) => kv.grantLease(ttlMs),
      renewLease: (leaseId) => kv.renewLease(leaseId),
      revokeLease: (leaseId) => kv.revokeLease(leaseId),
      watch: (...args) => kv.watch(...args),
      close: () => kv.close(),
    },
  };
}

async function createJob(writer: Writer, ranges: number): Promise<readonly Lease[]> {
  const spec: JobSpec = {
    jobId: JOB,
    manifestHash: manifestHash('00'.repeat(32)),
    sampleCount: ranges * BLOCK,
    blockSize: BLOCK,
    worldSize: NODES,
    minWorldSize: NODES,
    shuffle: false,
    seed: 1n,
    epoch: 0,
    leaseTtlMs: 600_000,
    heartbeatIntervalMs: 1000,
    commitsOutputs: false,
    adoptsFirstJobId: false,
  };
  await writer.submit({ type: 'create_job', spec });
  const resumeFrom = new Uint8Array(0);
  for (let node = 0; node < NODES; node += 1) {
    await writer.submit({ type: 'register', ...from(node), caps: CAPS, resumeFrom });
  }
  const leases: Lease[] = [];
  for (let node = 0; node < NODES; node += 1) {
    const want = ranges / NODES;
    const reply = await writer.submit({ type: 'request_lease', ...from(node), want, held: null });
    if (reply.type !== 'leases' || reply.leases.length === 0) {
      throw new Error(JSON.stringify(reply));
    }
    leases.push(...reply.leases);
  }
  return leases;
}

/** Durable progress operations with that many in flight, each moving a cursor by one sample. */
async function durableRate(store: KvStore, prefix: string, inFlight: number): Promise<Rate> {
  const { kv, written } = counted(store);
  const [clock, random] = [nodeClock(), nodeRandom()];
  const log = new SlotLog({ kv, prefix, clock, random, giveUpAfterMs: 30_000 });
  const failed = Promise.withResolvers<never>();
  const writer = new Writer({
    log,
    clock,
    random,
    events: { emit: () => undefined },
    tickIntervalMs: 100,
    onFatal: failed.reject,
  });
  await writer.start();
  const leases = await createJob(writer, inFlight);
  const begun = { entries: writer.figures.entriesAppended, bytes: written.bytes };
  const startMs = performance.now();
  let operations = 0;
  const flight = async (lease: Lease): Promise<void> => {
    const node = Number(lease.nodeId.slice(1));
    for (let cursor = lease.range.start + 1; performance.now() - startMs < SECONDS * 1000;) {
      const reply = await writer.submit({
        type: 'progress',
        ...from(node),
        leaseId: lease.leaseId,
        cursor,
        deliveredSamples: cursor - lease.range.start,
        deliveredBytes: 0,
      });
      if (reply.type !== 'accepted') throw new Error(JSON.stringify(reply));
      operations += 1;
      cursor += 1;
    }
  };
  await Promise.race([Promise.all(leases.map(flight)), failed.promise]);
  const seconds = (performance.now() - startMs) / 1000;
  const entries = writer.figures.entriesAppended - begun.entries;
  const bytes = written.bytes - begun.bytes;
  await writer.stop();
  await log.close();
  return { operations: operations / seconds, entries: entries / seconds, bytes: bytes / entries };
}

/** Entries a second that the log appends, and bare puts of as many bytes, both one after the other. */
async function appendRates(
  kv: KvStore,
  prefix: string,
  bytes: number,
): Promise<{ readonly appends: number; readonly puts: number }> {
  const [clock, random] = [nodeClock(), nodeRandom()];
  const value = random.bytes(bytes);
  const log = new SlotLog({ kv, prefix, clock, random, giveUpAfterMs: 30_000 });
  await log.claim(0, 1, 'bench');
  let seq = 1;
  const append = async (): Promise<void> => {
    seq += 1;
    const { type } = await log.append(seq, 1, value, `n${seq}`);
    if (type !== 'ok') throw new Error(`entry ${seq} was ${type}`);
  };
  const put = async (): Promise<void> => {
    const bare = { type: 'put', key: `${prefix}bare/${seq}`, value } as const;
    await kv.transact({ compares: [], then: [bare], else: [] });
  };
  // In turns, so that both meet the same machine, however busy it is.
  const spentMs = { append: 0, put: 0 };
  const endMs = performance.now() + SECONDS * 1000;
  let turns = 0;
  for (; performance.now() < endMs; turns += 1) {
    const startMs = performance.now();
    await append();
    const middleMs = performance.now();
    await put();
    spentMs.append += middleMs - startMs;
    spentMs.put += performance.now() - middleMs;
  }
  await log.close();
  return { appends: (turns * 1000) / spentMs.append, puts: (turns * 1000) / spentMs.put };
}

async function rowsOn(members: number): Promise<readonly BenchRow[]> {
  await using cluster = await EtcdCluster.start({ members });
  const kv = new EtcdKv({
    endpoints: cluster.endpoints,
    clock: nodeClock(),
    callTimeoutMs: 20_000,
  });
  const rows: BenchRow[] = [];
  const name = members === 1 ? 'one etcd' : `${members} etcds`;
  // The first run warms up code and connections.
  await durableRate(kv, 'warm/', 256);
  for (const inFlight of IN_FLIGHT) {
    const rate = await durableRate(kv, `n${inFlight}/`, inFlight);
    const perEntry = rate.operations / rate.entries;
    const bytes = Math.round(rate.bytes);
    const { appends, puts } = await appendRates(kv, `a${inFlight}/`, bytes);
    rows.push(
      benchRow({
        name: `fenced durable progress on ${name}, ${inFlight} in flight`,
        ours: rate.operations,
        limit: null,
        unit: 'ops/s',
        target: { atLeast: 20_000 },
        note: `${Math.round(rate.entries)} entries/s of ${Math.round(perEntry)} operations`,
      }),
      benchRow({
        name: `fenced appends of ${bytes} bytes on ${name}`,
        ours: appends,
        limit: puts,
        unit: 'entries/s',
        target: { atLeast: 0.5 },
        note: 'limit: bare puts of the same bytes, in turns with the appends',
      }),
    );
  }
  await kv.close();
  return rows;
}

async function run(): Promise<readonly BenchRow[]> {
  return [...(await rowsOn(1)), ...(await rowsOn(3))];
}

export const benchmark: Benchmark = { name: 'etcd', run };
