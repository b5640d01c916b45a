/**
 * `mx8 resolve` of ten million objects of a store, as the process that it is: how fast, and in how much memory. And
 * `load()` with streaming, of a million: when the first batch comes.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

import { Workbench } from '../test/support/mx8-process.ts';
import {
  ANSWER_MS,
  FOLDERS,
  FOLDER_OBJECTS,
  OBJECTS,
  PAGE_KEYS,
  STREAMED_OBJECTS,
} from './listing-server.ts';
import { type BenchRow, type Benchmark, benchRow } from './report.ts';
import type { StreamingFigures } from './streaming-reader.ts';

const LOOK_MS = 200;
const MIB = 1024 ** 2;

export const benchmark: Benchmark = { name: 'listing', run };

async function run(): Promise<readonly BenchRow[]> {
  await using bench = await Workbench.create();
  const server = fork(new URL('./listing-server.ts', import.meta.url));
  try {
    const [port] = (await once(server, 'message')) as unknown as readonly [number];
    const endpoint = `http://127.0.0.1:${port}`;
    const bareS = await bareListing(endpoint);
    const startMs = performance.now();
    const resolving = bench.start(
      ['resolve', 's3://bench/train/@refresh'],
      environmentOf(endpoint),
    );
    const peakBytes = peakOf(resolving.child);
    const { code, stdout, stderr } = await resolving.ended;
    const seconds = (performance.now() - startMs) / 1000;
    if (code !== 0 || !stdout.includes(OBJECTS.toLocaleString('en'))) throw new Error(stderr);
    return [
      ...(await streamingRows(bench, endpoint)),
      await folderRow(bench, endpoint),
      benchRow({
        name: 'listing: resolve of 10 million objects',
        ours: OBJECTS / seconds,
        limit: OBJECTS / bareS,
        unit: 'objects/s',
        target: null,
        note: 'limit: fetching the same pages one after the other and looking at nothing',
      }),
      benchRow({
        name: 'listing: peak RSS of that',
        ours: (await peakBytes) / MIB,
        limit: null,
        unit: 'MiB',
        target: { atMost: 512 },
        note: 'the whole process',
      }),
    ];
  } finally {
    server.disconnect();
  }
}

async function streamingRows(bench: Workbench, endpoint: string): Promise<readonly BenchRow[]> {
  const file = new URL('./streaming-reader.ts', import.meta.url);
  const reader = fork(file, ['s3://bench/stream/', bench.path('streamed')], {
    env: { ...process.env, ...environmentOf(endpoint) },
  });
  const [figures] = (await once(reader, 'message')) as unknown as readonly [StreamingFigures];
  const { firstBatchMs, pinnedMs, samples, peakRssBytes } = figures;
  if (samples !== STREAMED_OBJECTS) throw new Error(`${samples} samples were listed`);
  return [
    benchRow({
      name: 'listing: streaming, from the start of the process to the first batch',
      ours: firstBatchMs / 1000,
      limit: null,
      unit: 's',
      target: { atMost: 3 },
      note: `all of the ${STREAMED_OBJECTS.toLocaleString('en')} objects were listed and pinned after ${(pinnedMs / 1000).toFixed(1)} s`,
    }),
    benchRow({
      name: 'listing: streaming, peak RSS with 64 MiB in flight',
      ours: peakRssBytes / MIB,
      limit: null,
      unit: 'MiB',
      target: { atMost: 512 },
      note: 'the whole process, with a consumer that takes one batch while all is listed',
    }),
  ];
}

/** Folders beside each other, where each answer takes a while. */
async function folderRow(bench: Workbench, endpoint: string): Promise<BenchRow> {
  const startMs = performance.now();
  const { code, stderr } = await bench.run(
    ['resolve', 's3://bench/deep/'],
    environmentOf(endpoint),
  );
  const seconds = (performance.now() - startMs) / 1000;
  if (code !== 0) throw new Error(stderr);
  return benchRow({
    name: `listing: resolve of ${FOLDERS} folders, ${ANSWER_MS} ms an answer`,
    ours: (FOLDERS * FOLDER_OBJECTS) / seconds,
    limit: PAGE_KEYS / (ANSWER_MS / 1000),
    unit: 'objects/s',
    target: null,
    note: 'not a limit: one answer after the other, without looking at it',
  });
}

function environmentOf(endpoint: string): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
  };
}

/** Seconds that the pages alone take; a part of them stands for all. */
async function bareListing(endpoint: string): Promise<number> {
  const pages = OBJECTS / 1000;
  const sampled = Math.ceil(pages / 10);
  const startMs = performance.now();
  for (let page = 0; page < sampled; page += 1) {
    const query = `list-type=2&prefix=train%2F&continuation-token=${page * 1000}`;
    await (await fetch(`${endpoint}/bench?${query}`)).arrayBuffer();
  }
  return (((performance.now() - startMs) / 1000) * pages) / sampled;
}

/** The high-water mark of its memory, looked at until it ends. */
async function peakOf(child: ChildProcess): Promise<number> {
  let peakBytes = 0;
  while (child.exitCode === null && child.signalCode === null) {
    try {
      const status = readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8');
      const found = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
      peakBytes = Math.max(peakBytes, Number(found ?? 0) * 1024);
    } catch (error) {
      // It ended while we looked.
      if (!(error instanceof Error)) throw error;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_MS);
    });
  }
  return peakBytes;
}
