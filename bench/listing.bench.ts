/**
 * `mx8 resolve` of millions of objects of a store (`--objects`), as the process that it is: how fast, and in how much
 * memory. And `load()` with streaming of the same: when the first batch comes, in the process that lists and in others, and
 * in how much memory.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

import { Workbench } from '../test/support/mx8-process.ts';
import { ANSWER_MS, FOLDERS, FOLDER_OBJECTS, PAGE_KEYS } from './listing-server.ts';
import { peakRssBytes } from './peak-rss.ts';
import { type BenchOptions, type BenchRow, type Benchmark, benchRow } from './report.ts';
import type { FirstBatch, StreamingFigures } from './streaming-reader.ts';

/** `--objects` says another number: of ten million all of it takes five minutes. */
const OBJECTS_DEFAULT = 2_000_000;
const LOOK_MS = 200;
const MIB = 1024 ** 2;

export const benchmark: Benchmark = { name: 'listing', run };

async function run({ objects = OBJECTS_DEFAULT }: BenchOptions): Promise<readonly BenchRow[]> {
  await using bench = await Workbench.create();
  const server = fork(new URL('./listing-server.ts', import.meta.url), [String(objects)]);
  try {
    const [port] = (await once(server, 'message')) as unknown as readonly [number];
    const endpoint = `http://127.0.0.1:${port}`;
    const bareS = await bareListing(endpoint, objects);
    const startMs = performance.now();
    const resolving = bench.start(
      ['resolve', 's3://bench/train/@refresh'],
      environmentOf(endpoint),
    );
    const peakBytes = peakOf(resolving.child);
    const { code, stdout, stderr } = await resolving.ended;
    const seconds = (performance.now() - startMs) / 1000;
    if (code !== 0 || !stdout.includes(objects.toLocaleString('en'))) throw new Error(stderr);
    return [
      ...(await streamingRows(bench, endpoint, objects)),
      await folderRow(bench, endpoint),
      benchRow({
        name: `listing: resolve of ${objects.toLocaleString('en')} objects`,
        ours: objects / seconds,
        limit: objects / bareS,
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

/** One process lists and reads, a second one follows it, and a third comes when all is pinned. */
async function streamingRows(
  bench: Workbench,
  endpoint: string,
  objects: number,
): Promise<readonly BenchRow[]> {
  const first = new Reader(bench, endpoint);
  const { firstBatchMs } = await first.begun;
  const second = new Reader(bench, endpoint);
  const followedMs = (await second.begun).firstBatchMs;
  const all = [await first.ended, await second.ended, await new Reader(bench, endpoint).ended];
  const [lister, , later] = all;
  if (lister === undefined || later === undefined) throw new Error('nobody read');
  for (const { samples, manifestHash } of all) {
    if (samples !== objects) throw new Error(`${samples} samples were listed`);
    if (manifestHash !== lister.manifestHash) throw new Error('there are two snapshots');
  }
  const text = objects.toLocaleString('en');
  const pinnedS = lister.pinnedMs / 1000;
  const atMost3 = { limit: null, unit: 's', target: { atMost: 3 } };
  return [
    benchRow({
      ...{
        ...atMost3,
        name: 'listing: streaming, from the start of the process to the first batch',
      },
      ours: firstBatchMs / 1000,
      note: `all of the ${text} objects were listed and pinned after ${pinnedS.toFixed(1)} s`,
    }),
    benchRow({
      ...{ ...atMost3, name: 'listing: streaming, the same of a second process meanwhile' },
      ours: followedMs / 1000,
      note: 'which lists nothing: it reads what the first one has listed',
    }),
    benchRow({
      ...{ ...atMost3, name: 'listing: streaming, the same of a third one afterwards' },
      ours: later.firstBatchMs / 1000,
      note: `of the pinned snapshot, ${(later.peakRssBytes / MIB).toFixed(0)} MiB`,
    }),
    benchRow({
      name: 'listing: streaming, peak RSS with 64 MiB in flight',
      ours: Math.max(...all.map(({ peakRssBytes }) => peakRssBytes)) / MIB,
      limit: null,
      unit: 'MiB',
      target: { atMost: 512 },
      note: `the largest of the processes, which take a batch now and then while ${text} objects are listed, and 100 afterwards`,
    }),
  ];
}

class Reader {
  readonly begun: Promise<FirstBatch>;
  readonly ended: Promise<StreamingFigures>;

  constructor(bench: Workbench, endpoint: string) {
    const child = fork(
      new URL('./streaming-reader.ts', import.meta.url),
      ['s3://bench/train/', bench.path('streamed')],
      { env: { ...process.env, ...environmentOf(endpoint) } },
    );
    const died = once(child, 'exit').then(([code]) => {
      throw new Error(`a reader ended with ${String(code)} before it told what it saw`);
    });
    died.catch(() => undefined);
    const told = async (): Promise<unknown> => {
      const [message] = (await Promise.race([once(child, 'message'), died])) as readonly unknown[];
      return message;
    };
    this.begun = told() as Promise<FirstBatch>;
    this.ended = this.begun.then(told) as Promise<StreamingFigures>;
    this.ended.catch(() => undefined);
  }
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
async function bareListing(endpoint: string, objects: number): Promise<number> {
  const pages = Math.ceil(objects / PAGE_KEYS);
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
      // Of one that has ended, but was not waited for yet, the kernel says nothing.
      peakBytes = Math.max(peakBytes, peakRssBytes(child.pid ?? 0) || 0);
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
