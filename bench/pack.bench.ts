/**
 * Packing: small files of a folder into shards of a folder, against `tar` over the same folder and the `sync` of what
 * it wrote, as a pack is durable when it ends; and objects of a store into shards of that store, against curl, which
 * downloads as many bytes in parallel and then uploads as many.
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';
import { pack } from '../src/snapshots/index.ts';
import { OpenPlaces, STORE_DEFAULTS } from '../src/storage/places.ts';
import { median } from './median.ts';
import { PACK_OBJECT_BYTES, PACK_OBJECTS } from './pack-server.ts';
import { benchRow } from './report.ts';
import type { BenchRow, Benchmark } from './report.ts';

const ROUNDS = 5;
const FILES = 20_000;
const FILE_BYTES = 20 * 1024;
const SHARD_BYTES = 256 * 1024 ** 2;
const REQUESTS_AT_ONCE = 4;

async function secondsOf(work: () => unknown): Promise<number> {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / 1000;
}

function packed(input: string, output: string, places?: OpenPlaces): Promise<unknown> {
  const [clock, random] = [nodeClock(), nodeRandom()];
  return pack(input, output, { labels: 'none', shardBytes: SHARD_BYTES, clock, random, places });
}

async function folderRow(folder: string): Promise<BenchRow> {
  const input = join(folder, 'in');
  const bytes = Buffer.alloc(FILE_BYTES);
  for (let index = 0; index < FILES; index += 1) {
    const below = join(input, String(index % 16));
    if (index < 16) mkdirSync(below, { recursive: true });
    bytes.writeUInt32LE(index, 0);
    writeFileSync(join(below, `${String(index).padStart(6, '0')}.jpg`), bytes);
  }
  const [output, tar] = [join(folder, 'out'), join(folder, 'all.tar')];
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const tarSeconds = await secondsOf(() => {
      execFileSync('tar', ['cf', tar, '-C', folder, 'in']);
      execFileSync('sync', [tar]);
    });
    rmSync(tar);
    const seconds = await secondsOf(() => packed(input, output));
    rmSync(output, { recursive: true });
    // The first round is for the caches.
    if (round > 0) ours.push(FILES / seconds);
    if (round > 0) theirs.push(FILES / tarSeconds);
  }
  return benchRow({
    name: 'pack: files of 20 KiB, folder to folder',
    ours: median(ours),
    limit: median(theirs),
    unit: 'files/s',
    target: { atLeast: 0.7 },
    note: 'listed, packed, hashed, durable; limit: tar cf and sync of the same folder in the same run',
  });
}

/** As many bytes as are packed, several requests at a time; uploads are out of one file. */
function curl(way: 'down' | 'up', url: string, folder: string): void {
  const lines: string[] = [];
  for (let index = 0; index < PACK_OBJECTS; index += 1) {
    const name = way === 'down' ? `in/${String(index).padStart(4, '0')}.bin` : `up/${index}`;
    lines.push(`url = "${url}/bucket/${name}"`, 'silent', 'output = "/dev/null"');
    if (way === 'up') lines.push(`upload-file = "${join(folder, 'object')}"`);
    lines.push('next');
  }
  lines.pop();
  const config = join(folder, 'curl.txt');
  writeFileSync(config, `parallel\nparallel-max = ${REQUESTS_AT_ONCE}\n${lines.join('\n')}\n`);
  execFileSync('curl', ['--no-progress-meter', '-K', config]);
}

async function storeRow(folder: string): Promise<BenchRow> {
  const server: ChildProcess = fork(join(import.meta.dirname, 'pack-server.ts'), { execArgv: [] });
  const [port] = (await once(server, 'message')) as [number];
  const url = `http://127.0.0.1:${port}`;
  const s3 = { ...STORE_DEFAULTS.s3, endpointUrl: url, anonymous: true, forcePathStyle: true };
  const [clock, random] = [nodeClock(), nodeRandom()];
  const surroundings = { clock, random, events: { emit: () => undefined }, variables: {} };
  const places = new OpenPlaces({ ...STORE_DEFAULTS, s3 }, surroundings);
  writeFileSync(join(folder, 'object'), Buffer.alloc(PACK_OBJECT_BYTES, 'object'));
  const ours: number[] = [];
  const theirs: number[] = [];
  const bytes = PACK_OBJECTS * PACK_OBJECT_BYTES;
  try {
    for (let round = 0; round <= ROUNDS; round += 1) {
      const curlSeconds = await secondsOf(() => {
        curl('down', url, folder);
        curl('up', url, folder);
      });
      const seconds = await secondsOf(() =>
        packed('s3://bucket/in', `s3://bucket/out-${round}`, places),
      );
      if (round > 0) ours.push(bytes / seconds / 1e9);
      if (round > 0) theirs.push(bytes / curlSeconds / 1e9);
    }
  } finally {
    await places.close();
    server.disconnect();
    await once(server, 'exit');
  }
  return benchRow({
    name: 'pack: objects of 8 MiB, S3 to S3',
    ours: median(ours),
    limit: median(theirs),
    unit: 'GB/s',
    target: { atLeast: 0.7 },
    note: 'through one thread, to a server that keeps nothing; limit: curl --parallel downloads as much, then uploads it',
  });
}

export const benchmark: Benchmark = {
  name: 'pack',
  run: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mx8-bench-pack-'));
    try {
      return [await folderRow(folder), await storeRow(folder)];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
