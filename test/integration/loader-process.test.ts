/** What programs that use `load()` do as whole processes: end by themselves, or at the memory cap. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';

import { writeLooseFiles } from '../support/data-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { TemporaryFolder } from '../support/temporary-folder.ts';

let folder: TemporaryFolder;

before(async () => {
  folder = await temporaryFolder();
  writeLooseFiles(folder.join('loose'), new Array<number>(60).fill(300));
});

after(async () => {
  await folder[Symbol.asyncDispose]();
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a module that reads `link` with the library, as a user's program would. */
function runProgram(body: string): Promise<Ended> {
  const door = JSON.stringify(new URL('../../src/index.ts', import.meta.url).href);
  const code = `import { load } from ${door};\n${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  return new Promise((resolve) => {
    child.on('close', (exit) => resolve({ code: exit, stdout, stderr }));
  });
}

const settings = (): string =>
  JSON.stringify({ batchSize: 4, manifestStoreRoot: folder.join('store') });

test('process_rss_cap_fails_fast_when_too_small', async () => {
  const { code, stdout, stderr } = await runProgram(`
    const hoard = [];
    const options = { ...${settings()}, maxInflightBytes: 65536, maxRamBytes: 160 * 2 ** 20 };
    for await (const batch of load(${JSON.stringify(folder.join('loose'))}, options)) {
      // A job that keeps what it should not, until the cap is reached in the middle of the data.
      hoard.push(Buffer.alloc(32 * 2 ** 20, 1));
      await new Promise((resolve) => setTimeout(resolve, 60));
      console.log('batch', hoard.length);
    }
    console.log('went through');
  `);
  assert.notEqual(code, 0);
  assert.doesNotMatch(stdout, /went through/);
  assert.match(stderr, /process rss \d+ exceeds max_process_rss_bytes 167772160/);
  for (const knob of ['max_inflight_bytes', 'prefetch_batches', 'max_queue_batches']) {
    assert.match(stderr, new RegExp(`${knob} \\(now \\d+\\)`));
  }
});

test('a cap below what the process needs to start is refused before the first batch', async () => {
  const { code, stdout, stderr } = await runProgram(`
    const options = { ...${settings()}, maxInflightBytes: 65536, maxRamBytes: 20 * 2 ** 20 };
    for await (const batch of load(${JSON.stringify(folder.join('loose'))}, options)) console.log('a batch');
  `);
  assert.notEqual(code, 0);
  assert.equal(stdout, '');
  assert.match(stderr, /process rss \d+ exceeds max_process_rss_bytes 20971520/);
});

for (const [way, loop] of [
  ['ended its loop', 'seen += batch.sampleCount;'],
  ['broke out of its loop', 'seen += batch.sampleCount; break;'],
] as const) {
  test(`a program that ${way} exits by itself`, async () => {
    const { code, stdout } = await runProgram(`
      let seen = 0;
      for await (const batch of load(${JSON.stringify(folder.join('loose'))}, ${settings()})) { ${loop} }
      console.log(seen);
    `);
    assert.equal(code, 0);
    assert.equal(stdout.trim(), loop.includes('break') ? '4' : '60');
  });
}

test('a program that forgot its loader in the middle exits by itself', async () => {
  const { code, stdout } = await runProgram(`
    const loader = load(${JSON.stringify(folder.join('loose'))}, ${settings()});
    const { value } = await loader[Symbol.asyncIterator]().next();
    console.log(value.sampleCount);
  `);
  assert.equal(code, 0);
  assert.equal(stdout.trim(), '4');
});

test('a reader thread that nobody has asked anything does not keep a program alive', async () => {
  const handle = new URL('../../src/storage/thread-handle.ts', import.meta.url).href;
  const { code, stdout } = await runProgram(`
    const { ThreadHandle } = await import(${JSON.stringify(handle)});
    new ThreadHandle();
    const kept = process.getActiveResourcesInfo().filter((name) => name === 'MessagePort');
    console.log('kept by', kept);
    // Whatever would keep it is not waited for.
    setTimeout(() => process.exit(3), 5000).unref();
  `);
  assert.equal(stdout, 'kept by []\n');
  assert.equal(code, 0);
});
