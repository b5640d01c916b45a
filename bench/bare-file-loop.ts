/** Entry of a thread: reads each of its files once with bare system calls whenever it is told to, and
 * touches the pages, as the consumer of `load()` does. */
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

import { touchPages } from './touch-pages.ts';

export interface FileLoopAnswer {
  readonly files: number;
}

const FILE_BYTES = 20 * 1024;
const FILES_PER_BUFFER = 64;

const files = workerData as readonly string[];
/** As large as a batch, used again and again; begun a little into a page, see `src/pipeline/limits.ts`. */
const buffer = new Uint8Array((FILES_PER_BUFFER + 1) * FILE_BYTES);

parentPort?.on('message', (passes: number) => {
  for (let pass = 0; pass < passes; pass += 1) {
    for (const [index, file] of files.entries()) {
      const fd = openSync(file, 'r');
      readSync(fd, buffer, 240 + (index % FILES_PER_BUFFER) * FILE_BYTES, FILE_BYTES, null);
      closeSync(fd);
      if ((index + 1) % FILES_PER_BUFFER === 0) touchPages(buffer);
    }
  }
  const answer: FileLoopAnswer = { files: files.length * passes };
  parentPort?.postMessage(answer);
});
