/**
 * Entry of a reader thread: reads what it is told to with synchronous calls, which cost a third of the
 * CPU of asynchronous ones for small files. `thread-handle.ts` starts it.
 */
import { closeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

import { must } from '../core/base/assert.ts';
import { ReadingCancelled, driveSync } from './drive-sync.ts';
import { GAP_BYTES_MAX } from './fill-extents.ts';
import { fill, measure } from './fill.ts';
import { OpenShards } from './open-shards.ts';
import type { ReadResult } from './read-job.ts';
import type { FromReader, ReaderThreadData, ToReader } from './reader-protocol.ts';

const port = must(parentPort, 'the reader runs in a thread of its own');
const cancel = new Int32Array((workerData as ReaderThreadData).cancel);
const scratch = new Uint8Array(GAP_BYTES_MAX);
const shards = new OpenShards();
const isCancelled = (): boolean => Atomics.load(cancel, 0) !== 0;

function send(message: FromReader, moved: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, moved);
}

function filled(order: Extract<ToReader, { type: 'fill' }>): ReadResult | null {
  const slab = new Uint8Array(order.slab);
  try {
    if (isCancelled()) return null;
    return driveSync(fill(order.job, slab, scratch, order.isHere), { slab, shards, isCancelled });
  } catch (error) {
    if (error instanceof ReadingCancelled) return null;
    throw error;
  }
}

port.on('message', (order: ToReader) => {
  switch (order.type) {
    case 'fill': {
      const result = filled(order);
      send({ type: 'filled', id: order.id, slab: order.slab, result }, [order.slab]);
      return;
    }
    case 'measure': {
      const slab = new Uint8Array(0);
      const sizes = driveSync(measure(order.paths), { slab, shards, isCancelled });
      send({ type: 'measured', id: order.id, sizes });
      return;
    }
    case 'rest':
      for (const fd of shards.drain()) closeSync(fd);
      send({ type: 'rested', id: order.id });
      return;
    default:
      order satisfies never;
  }
});
send({ type: 'ready' });
