/** Manifests: indexing loose files, checking ten million lines, opening a slice of them. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { encodeHeader, encodeRecords } from '../src/core/manifest/encode.ts';
import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';
import { FsManifestStore, resolveLink } from '../src/snapshots/index.ts';
import type { ChildFigures } from './manifest-child.ts';
import { benchRow } from './report.ts';
import type { Benchmark, BenchRow } from './report.ts';

const FOLDERS = 200;
const FILES = 200_000;
const LINES = 10_000_000;
const LINES_PER_CHUNK = 10_000;
const ROUNDS = 2;
const MIB = 1024 ** 2;

export const benchmark: Benchmark = { name: 'manifest', run: manifestBench };

export async function manifestBench(): Promise<BenchRow[]> {
  const folder = await mkdtemp(join(tmpdir(), 'mx8-bench-manifest-'));
  try {
    return [...(await indexRows(folder)), ...(await largeManifestRows(folder))];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function indexRows(folder: string): Promise<BenchRow[]> {
  const data = join(folder, 'data');
  makeFiles(data);
  const store = storeIn(join(folder, 'index-store'));
  const options = { store, clock: nodeClock(), events: { emit: () => undefined } };
  let oursMs = Infinity;
  let bareMs = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    bareMs = Math.min(bareMs, await spentMs(async () => expectFiles(bareCount(data))));
    oursMs = Math.min(
      oursMs,
      await spentMs(async () => {
        expectFiles((await resolveLink(`${data}@refresh`, options)).sampleCount);
      }),
    );
  }
  await rm(data, { recursive: true });
  const perSecond = (FILES * 1000) / oursMs;
  return [
    benchRow({
      name: 'index and resolve loose files',
      ours: perSecond,
      limit: (FILES * 1000) / bareMs,
      unit: 'files/s',
      target: null,
      note: `${FILES} files in ${FOLDERS} folders; limit: reading the folders and asking for each file's size`,
    }),
    benchRow({
      name: 'index and resolve, per minute',
      ours: perSecond * 60,
      limit: null,
      unit: 'files/min',
      target: { atLeast: 1_000_000 },
      note: 'the same run',
    }),
  ];
}

async function largeManifestRows(folder: string): Promise<BenchRow[]> {
  const root = join(folder, 'store');
  const { hash } = await storeIn(root).put(largeManifest());
  const bareBest = await bestOf('sha256', root, hash);
  const wholeBest = await bestOf('open', root, hash, async () => rm(join(root, 'index', hash)));
  const sliceBest = await bestOf('slice', root, hash);
  return [
    benchRow({
      name: 'hash and check a manifest',
      ours: perSecondOf(wholeBest.elapsedMs),
      limit: perSecondOf(bareBest.elapsedMs),
      unit: 'lines/s',
      target: null,
      note: `${LINES} lines; limit: SHA-256 of the same file and nothing else`,
    }),
    benchRow({
      name: 'hash and check, per second',
      ours: perSecondOf(wholeBest.elapsedMs),
      limit: null,
      unit: 'lines/s',
      target: { atLeast: 1_000_000 },
      note: 'the same run',
    }),
    benchRow({
      name: 'hash and check, peak RSS',
      ours: wholeBest.peakRssBytes / MIB,
      limit: null,
      unit: 'MiB',
      target: { atMost: 256 },
      note: `the whole process; one that only hashes has ${Math.round(bareBest.peakRssBytes / MIB)} MiB`,
    }),
    benchRow({
      name: 'open a slice of a manifest',
      ours: sliceBest.elapsedMs,
      limit: null,
      unit: 'ms',
      target: { atMost: 100 },
      note: `${sliceBest.samples} records from the middle of ${LINES}, in a process that just started`,
    }),
    benchRow({
      name: 'open a slice, memory',
      ours: sliceBest.grownBytes / MIB,
      limit: null,
      unit: 'MiB',
      target: { atMost: 32 },
      note: 'growth of peak RSS, code that is compiled meanwhile included',
    }),
  ];
}

/** Canonical bytes of `LINES` files, with paths like those of a photo collection. */
async function* largeManifest(): AsyncGenerator<Uint8Array> {
  yield encodeHeader();
  for (let start = 0; start < LINES; start += LINES_PER_CHUNK) {
    const records = Array.from({ length: LINES_PER_CHUNK }, (_, index) => ({
      sampleId: start + index,
      location: `/data/train/${(start / LINES_PER_CHUNK) % 1000}/image-${start + index}.jpg`,
      byteOffset: null,
      byteLength: null,
      decodeHint: '',
    }));
    yield encodeRecords(records);
  }
}

/** The best of some runs, each in a process of its own. */
async function bestOf(
  mode: string,
  root: string,
  hash: string,
  before: () => Promise<void> = async () => undefined,
): Promise<ChildFigures> {
  let best: ChildFigures | null = null;
  for (let round = 0; round < ROUNDS; round += 1) {
    await before();
    const child = join(import.meta.dirname, 'manifest-child.ts');
    const text = execFileSync(process.execPath, [child, mode, root, hash], { encoding: 'utf8' });
    const figures = JSON.parse(text) as ChildFigures;
    if (best === null || figures.elapsedMs < best.elapsedMs) best = figures;
  }
  if (best === null) throw new Error('no round was run');
  return best;
}

function makeFiles(data: string): void {
  for (let folder = 0; folder < FOLDERS; folder += 1) {
    const path = join(data, `class-${folder}`);
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < FILES / FOLDERS; file += 1) {
      closeSync(openSync(join(path, `image-${file}.jpg`), 'w'));
    }
  }
}

function bareCount(folder: string): number {
  let files = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) files += bareCount(path);
    else files += statSync(path).isFile() ? 1 : 0;
  }
  return files;
}

function expectFiles(count: number): void {
  if (count !== FILES) throw new Error(`${count} files were found, not ${FILES}`);
}

function perSecondOf(elapsedMs: number): number {
  return (LINES * 1000) / elapsedMs;
}

async function spentMs(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function storeIn(root: string): FsManifestStore {
  const events = { emit: () => undefined };
  return new FsManifestStore({ root, clock: nodeClock(), random: nodeRandom(), events });
}
