/**
 * Reading from object stores: ranges over loopback HTTP into recycled memory, against curl in the same run
 * on the same server; and samples of packed shards, against our own rate of large ranges.
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { load } from '../src/index.ts';
import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';
import { HOST_LIMIT_BOUNDS } from '../src/core/transfer/host-limit.ts';
import type { HostLimitBounds } from '../src/core/transfer/host-limit.ts';
import { HttpPlace } from '../src/storage/http/http-place.ts';
import { RangeClient } from '../src/storage/http/range-client.ts';
import { benchRow } from './report.ts';
import type { BenchRow, Benchmark } from './report.ts';
import { OBJECT_BYTES } from './store-server.ts';
import type { StoresMemoryAnswer, StoresMemorySettings } from './stores-memory.ts';

const KIB = 1024;
const MIB = 1024 ** 2;
const ROUNDS = 5;
const SAMPLE_BYTES = 20 * KIB;
const ENTRY_BYTES = SAMPLE_BYTES + 512;

interface Figures {
  /** Bytes per second. */
  readonly rate: number;
  /** Of the client's process. */
  readonly cpuPerGb: number;
}

interface Shape {
  readonly rangeBytes: number;
  readonly inFlight: number;
  readonly count: number;
  readonly random: boolean;
}

const SHAPES = {
  large: { rangeBytes: 8 * MIB, inFlight: 4, count: 250, random: false },
  medium: { rangeBytes: MIB, inFlight: 4, count: 2_000, random: false },
  deep: { rangeBytes: 8 * MIB, inFlight: 24, count: 300, random: false },
  small: { rangeBytes: 64 * KIB, inFlight: 32, count: 12_000, random: true },
} as const satisfies Record<string, Shape>;

/** Where range number `index` begins. */
function startOf({ rangeBytes, random }: Shape, index: number): number {
  const ranges = OBJECT_BYTES / rangeBytes;
  return (random ? (index * 7_919) % ranges : index % ranges) * rangeBytes;
}

async function ours(
  url: string,
  shape: Shape,
  path = '/object',
  limit: HostLimitBounds = { start: shape.inFlight, min: shape.inFlight, max: shape.inFlight },
): Promise<Figures> {
  const { rangeBytes, inFlight, count } = shape;
  const ranges = new RangeClient({
    clock: nodeClock(),
    random: nodeRandom(),
    events: { emit: () => undefined },
    hostLimit: limit,
  });
  const place = new HttpPlace(ranges);
  let next = 0;
  const work = async (): Promise<void> => {
    const into = new Uint8Array(rangeBytes);
    for (let index = next++; index < count; index = next++) {
      const start = startOf(shape, index);
      const targets = [{ bytes: rangeBytes, into }];
      const range = { start, end: start + rangeBytes, targets, pinnedTag: 0, pinnedBytes: -1 };
      await place.readRange(`${url}${path}`, range);
    }
  };
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  await Promise.all(Array.from({ length: inFlight }, work));
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  await place.close();
  ranges.close();
  const bytes = count * rangeBytes;
  return { rate: bytes / seconds, cpuPerGb: (user + system) / 1e6 / (bytes / 1e9) };
}

/** The same ranges with curl, as many connections at a time, and what the shell says that it used. */
function curl(url: string, folder: string, shape: Shape): Figures {
  const { rangeBytes, inFlight, count } = shape;
  const lines: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const start = startOf(shape, index);
    lines.push(`url = "${url}/object"`, 'output = "/dev/null"');
    lines.push(`range = "${start}-${start + rangeBytes - 1}"`, 'silent', 'next');
  }
  lines.pop();
  const config = join(folder, 'curl.txt');
  writeFileSync(config, `parallel\nparallel-max = ${inFlight}\n${lines.join('\n')}\n`);
  const startMs = performance.now();
  const script = `curl --no-progress-meter -K "$0"; times`;
  const said = execFileSync('bash', ['-c', script, config], { encoding: 'utf8' });
  const seconds = (performance.now() - startMs) / 1000;
  const last = said.trim().split('\n').at(-1) ?? '';
  const cpu = [...last.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest),
    0,
  );
  const bytes = count * rangeBytes;
  return { rate: bytes / seconds, cpuPerGb: cpu / (bytes / 1e9) };
}

async function compared(
  url: string,
  folder: string,
  shape: Shape,
): Promise<readonly [Figures, Figures]> {
  await ours(url, { ...shape, count: Math.ceil(shape.count / 10) });
  const mine: Figures[] = [];
  const theirs: Figures[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    theirs.push(curl(url, folder, shape));
    mine.push(await ours(url, shape));
  }
  return [medians(mine), medians(theirs)];
}

function medians(figures: readonly Figures[]): Figures {
  const median = (values: readonly number[]): number =>
    values.toSorted((one, other) => one - other)[values.length >> 1] ?? 0;
  return {
    rate: median(figures.map(({ rate }) => rate)),
    cpuPerGb: median(figures.map(({ cpuPerGb }) => cpuPerGb)),
  };
}

/** Of samples in shards that the server makes up. */
function packedManifest(folder: string): string {
  const manifest = join(folder, 'packed.tsv');
  const perShard = Math.floor(OBJECT_BYTES / ENTRY_BYTES);
  const lines: string[] = [];
  for (let shard = 0; shard < 20; shard += 1) {
    for (let entry = 0; entry < perShard; entry += 1) {
      const offset = entry * ENTRY_BYTES + 512;
      lines.push(
        `${lines.length}\ts3://bucket/shard-${String(shard).padStart(5, '0')}.tar\t${offset}\t${SAMPLE_BYTES}\t`,
      );
    }
  }
  writeFileSync(manifest, `${lines.join('\n')}\n`);
  return manifest;
}

/** Bytes of samples per second that `load()` delivers from packed shards in a store. */
async function packedRate(
  url: string,
  folder: string,
  order: 'in order' | 'shuffled',
): Promise<number> {
  const manifest = packedManifest(folder);
  const loader = load(manifest, {
    batchSize: 256,
    maxInflightBytes: 64 * MIB,
    prefetchBatches: 4,
    shuffle: order === 'shuffled',
    manifestStoreRoot: join(folder, 'store'),
    stores: { s3: { endpointUrl: url, anonymous: true, forcePathStyle: true } },
  });
  await loader.open();
  const startMs = performance.now();
  let bytes = 0;
  for await (const batch of loader) bytes += batch.payload.length;
  return (bytes / (performance.now() - startMs)) * 1000;
}

/** Resident memory of a process that reads all samples once, beyond what is in flight. */
function memoryRow(url: string, folder: string, shuffle: boolean): BenchRow {
  const settings: StoresMemorySettings = {
    manifest: packedManifest(folder),
    storeRoot: join(folder, 'store'),
    url,
    batchSize: 256,
    shuffle,
    maxInflightBytes: 64 * MIB,
  };
  const script = join(import.meta.dirname, 'stores-memory.ts');
  const text = execFileSync(process.execPath, [script, JSON.stringify(settings)], {
    encoding: 'utf8',
  });
  const { peakBytes, inflightBytes } = JSON.parse(text) as StoresMemoryAnswer;
  return benchRow({
    name: `stores: peak memory beside the cap, ${shuffle ? 'shuffled' : 'in order'}`,
    ours: (peakBytes - settings.maxInflightBytes) / MIB,
    limit: null,
    unit: 'MiB',
    target: { atMost: 150 },
    note: `load() over s3:// in a process of its own; cap 64 MiB, of which ${Math.round(inflightBytes / MIB)} MiB were in flight`,
  });
}

async function rangeRows(
  url: string,
  folder: string,
): Promise<{ rows: BenchRow[]; largeRate: number }> {
  const [large, curlLarge] = await compared(url, folder, SHAPES.large);
  const [medium, curlMedium] = await compared(url, folder, SHAPES.medium);
  const [small, curlSmall] = await compared(url, folder, SHAPES.small);
  const rate = (
    name: string,
    mine: Figures,
    theirs: Figures,
    atLeast: number,
    note: string,
  ): BenchRow =>
    benchRow({
      name: `stores: ${name}`,
      ours: mine.rate / 1e9,
      limit: theirs.rate / 1e9,
      unit: 'GB/s',
      target: { atLeast },
      note,
    });
  const cpu = (name: string, mine: Figures, theirs: Figures): BenchRow =>
    benchRow({
      name: `stores: ${name}, CPU`,
      ours: mine.cpuPerGb,
      limit: theirs.cpuPerGb,
      unit: 'CPU-s/GB',
      target: { atMost: 2 },
      note: 'of the client’s process',
    });
  return {
    largeRate: large.rate,
    rows: [
      rate(
        '8 MiB ranges',
        large,
        curlLarge,
        0.7,
        '4 in flight over loopback; limit: curl --parallel in the same run',
      ),
      cpu('8 MiB ranges', large, curlLarge),
      rate('1 MiB ranges', medium, curlMedium, 0.7, '4 in flight'),
      cpu('1 MiB ranges', medium, curlMedium),
      rate('64 KiB random ranges', small, curlSmall, 0.6, '32 in flight'),
      cpu('64 KiB random ranges', small, curlSmall),
    ],
  };
}

/** Far away and failing now and then, against the same near and sound; with the limits of every day. */
async function farRow(url: string): Promise<BenchRow> {
  const near: number[] = [];
  const far: number[] = [];
  await ours(url, { ...SHAPES.deep, count: 50 });
  for (let round = 0; round < ROUNDS; round += 1) {
    near.push((await ours(url, SHAPES.deep, '/object', HOST_LIMIT_BOUNDS)).rate);
    far.push((await ours(url, SHAPES.deep, '/far/object', HOST_LIMIT_BOUNDS)).rate);
  }
  const median = (values: readonly number[]): number =>
    values.toSorted((one, other) => one - other)[values.length >> 1] ?? 0;
  return benchRow({
    name: 'stores: 8 MiB ranges, 50 ms away, 1 % refused',
    ours: median(far) / 1e9,
    limit: median(near) / 1e9,
    unit: 'GB/s',
    target: { atLeast: 0.8 },
    note: '24 in flight; limit: the same without delay and refusals',
  });
}

async function withServer<T>(body: (url: string) => Promise<T>): Promise<T> {
  const server: ChildProcess = fork(join(import.meta.dirname, 'store-server.ts'), { execArgv: [] });
  const [port] = (await once(server, 'message')) as [number];
  try {
    return await body(`http://127.0.0.1:${port}`);
  } finally {
    server.disconnect();
    await once(server, 'exit');
  }
}

export const benchmark: Benchmark = {
  name: 'stores',
  run: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mx8-bench-stores-'));
    try {
      return await withServer(async (url) => {
        const { rows, largeRate } = await rangeRows(url, folder);
        rows.push(await farRow(url));
        for (const order of ['in order', 'shuffled'] as const) {
          await packedRate(url, folder, order);
          const mine = await packedRate(url, folder, order);
          rows.push(
            benchRow({
              name: `stores: 20 KiB samples of shards, ${order}`,
              ours: mine / 1e9,
              limit: largeRate / 1e9,
              unit: 'GB/s',
              target: order === 'in order' ? { atLeast: 0.8 } : null,
              note: 'load() over s3://; limit: our rate of 8 MiB ranges',
            }),
          );
        }
        for (const shuffle of [false, true]) rows.push(memoryRow(url, folder, shuffle));
        return rows;
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
