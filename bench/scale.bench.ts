/**
 * A manifest of a hundred million samples, with a coordinator, an agent and a reader as the processes that
 * they are: the memory they take, and how soon a batch is there. Needs 8 GB in the temporary folder and
 * some two minutes.
 */
import { fork } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { encodeHeader } from '../src/core/manifest/encode.ts';
import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';
import { FsManifestStore } from '../src/snapshots/index.ts';
import { Coordinators } from '../test/support/coordinators.ts';
import { until, Workbench } from '../test/support/mx8-process.ts';
import { descendants } from '../test/support/processes.ts';
import { median } from './median.ts';
import { peakRssBytes } from './peak-rss.ts';
import { type BenchRow, type Benchmark, benchRow } from './report.ts';
import type { ScaleFigures } from './scale-reader.ts';

const SAMPLES = 100_000_000;
const LINES_PER_CHUNK = 20_000;
const SAMPLE_BYTES = 1024;
const SAMPLES_PER_SHARD = 4096;
const SHARDS = 16;
const BLOCK_SIZE = 8192;
/** Reports of progress that the agent is to have made before its memory counts. */
const REPORTS_READ = 100;
const JOB_ID = 'scale';
const MIB = 1024 ** 2;
const MEMORY_TARGET = { atMost: 512 };

export const benchmark: Benchmark = { name: 'scale', run };

async function run(): Promise<readonly BenchRow[]> {
  await using bench = await Workbench.create();
  const data = bench.path('data');
  const shards = await makeShards(data);
  const writeMs = performance.now();
  const { hash } = await storeIn(bench.path('manifests')).put(linesOf(shards));
  const writtenS = (performance.now() - writeMs) / 1000;
  const link = `${data}@sha256:${hash}`;
  const job = ['--data', link, '--job-id', JOB_ID, '--block-size', String(BLOCK_SIZE)];
  const sizes = ['--world-size', '64', '--min-world-size', '1'];
  await using coordinators = await Coordinators.create(bench, 1, [...job, ...sizes]);
  const startMs = performance.now();
  const coordinator = coordinators.start(0);
  await coordinators.leader(60_000);
  const servingMs = performance.now() - startMs;
  const read = await readerFigures(link, coordinators.url);
  const agent = bench.start(['agent', '--job-id', JOB_ID, '--coord-url', coordinators.url]);
  await until('the agent has read for a while', () => hasRead(coordinators), 120_000);
  const workers = descendants(agent.pid).map(({ pid }) => peakRssBytes(pid) / MIB);
  const figures = [
    { name: 'a coordinator serves it', ours: servingMs, unit: 'ms', note: writtenNote(writtenS) },
    {
      name: 'first batch of a cold reader',
      ours: read.coldMs / 1000,
      unit: 's',
      target: { atMost: 3 },
      note: 'from the start of its process, which has no manifest',
    },
    {
      name: 'load() to first batch, warm process',
      ours: median(read.warmMs),
      unit: 'ms',
      target: { atMost: 100 },
      note: 'registration, lease, its slice of the manifest, and the reading',
    },
    { name: 'peak RSS of the coordinator', ours: peakRssBytes(coordinator.pid) / MIB, ...memory },
    {
      name: 'peak RSS of an agent',
      ours: peakRssBytes(agent.pid) / MIB,
      ...memory,
      note: `its largest worker has ${Math.max(...workers).toFixed(0)} MiB`,
    },
    { name: 'peak RSS of a reader', ours: read.peakRssBytes / MIB, ...memory },
  ];
  return figures.map((figure) =>
    benchRow({ limit: null, target: null, ...figure, name: `scale: ${figure.name}` }),
  );
}

const memory = { unit: 'MiB', target: MEMORY_TARGET, note: 'the whole process' } as const;

function writtenNote(seconds: number): string {
  return `${SAMPLES} samples, from the start of its process; writing, hashing and indexing them took ${seconds.toFixed(0)} s`;
}

async function makeShards(folder: string): Promise<readonly string[]> {
  await mkdir(folder);
  const bytes = randomFillSync(new Uint8Array(SAMPLES_PER_SHARD * SAMPLE_BYTES));
  const paths = Array.from({ length: SHARDS }, (_, index) => join(folder, `shard-${index}.bin`));
  for (const path of paths) await writeFile(path, bytes);
  return paths;
}

/** Canonical bytes of a manifest whose samples are parts of the shards, again and again. */
async function* linesOf(shards: readonly string[]): AsyncGenerator<Uint8Array> {
  yield encodeHeader();
  const places = shards.flatMap((shard) =>
    Array.from(
      { length: SAMPLES_PER_SHARD },
      (_, index) => `\t${shard}\t${index * SAMPLE_BYTES}\t${SAMPLE_BYTES}\t\n`,
    ),
  );
  for (let start = 0; start < SAMPLES; start += LINES_PER_CHUNK) {
    let text = '';
    for (let id = start; id < start + LINES_PER_CHUNK; id += 1) {
      text += `${id}${places[id % places.length] ?? ''}`;
    }
    yield Buffer.from(text, 'latin1');
  }
}

async function hasRead({ client }: Coordinators): Promise<boolean> {
  const [job] = await client.listJobs();
  return (job?.counters.progressTotal ?? 0) >= REPORTS_READ;
}

function readerFigures(link: string, coord: string): Promise<ScaleFigures> {
  const child = fork(join(import.meta.dirname, 'scale-reader.ts'), [link, coord, JOB_ID]);
  return new Promise((resolve, reject) => {
    child.on('message', (answer) => resolve(answer as ScaleFigures));
    child.on('exit', (code) => reject(new Error(`the reading process ended with ${code}`)));
  });
}

function storeIn(root: string): FsManifestStore {
  const events = { emit: () => undefined };
  return new FsManifestStore({ root, clock: nodeClock(), random: nodeRandom(), events });
}
