/** Samples that fail, workers that die or stand still: nothing is lost and nothing is silent. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import test from 'node:test';
import { AgentBench } from '../support/agent-bench.ts';

/** A job that says the text of each sample, and does something else at one of them. */
function jobWith(atSample7: string, batch = 4): string {
  return `
import { writeSync } from 'node:fs';
export default defineJob({
  batch: ${batch},
  retries: 1,
  async process(batch) {
    const rows = [];
    for (const sample of batch) {
      if (sample.id === 7) { ${atSample7} }
      rows.push(sample.text());
    }
    return rows;
  },
  output: jsonl(),
});`;
}

function allBut(count: number, ...missing: readonly number[]): string[] {
  const ids = Array.from({ length: count }, (_, id) => id).filter((id) => !missing.includes(id));
  return ids.map((id) => JSON.stringify(`text ${id}`));
}

interface Quarantined {
  readonly sample_id: number;
  readonly location: string;
  readonly code: string;
  readonly message: string;
}

function quarantined(bench: AgentBench): Quarantined[] {
  const lines = readFileSync(`${bench.out}/_mx8/quarantine.jsonl`, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Quarantined);
}

/** What is left of outputs that were begun. */
async function draftsIn(bench: AgentBench): Promise<string[]> {
  const names = await readdir(`${bench.out}/_mx8/staging`, { recursive: true });
  return names.filter((name) => name.includes('/'));
}

async function texts(bench: AgentBench): Promise<string[]> {
  return (await bench.rows()).map(({ text }) => text);
}

test('a sample that throws fails the job with its id, its file and the words of the error', async () => {
  await using bench = await AgentBench.create(20);
  const job = await bench.job(jobWith(`throw new RangeError('too wide');`));
  const agents = [await bench.agent('a', job), await bench.agent('b', job)];
  const outcomes = await Promise.all(agents.map((agent) => agent.done));
  for (const outcome of outcomes) {
    assert(outcome.type === 'failed');
    assert.equal(outcome.code, 'process_failed');
    assert.match(outcome.message, /sample 7 \(.*doc-0007\.txt\) failed \(tried 2 times\)/);
    assert.match(outcome.message, /RangeError: too wide \(at .*probe\.job\.ts:\d+:\d+\)/);
  }
  const snapshot = await bench.server.client.snapshot(bench.spec.jobId);
  assert.equal(snapshot.phase, 'failed');
});

test('a mended job goes on after resume and repeats no committed sample', async () => {
  await using bench = await AgentBench.create(20);
  const broken = await bench.agent('a', await bench.job(jobWith(`throw new Error('no');`)));
  assert.equal((await broken.done).type, 'failed');
  await bench.server.client.resumeJob(bench.spec.jobId);
  const mended = await bench.agent('b', await bench.job(jobWith('')));
  assert.equal((await mended.done).type, 'completed');
  assert.deepEqual(await texts(bench), allBut(20));
});

test('a sample that throws is quarantined with its error and the rest of its batch is kept', async () => {
  await using bench = await AgentBench.create(20);
  const job = await bench.job(jobWith(`throw new RangeError('too wide');`));
  const agent = await bench.agent('a', job, { onError: 'quarantine' });
  assert.equal((await agent.done).type, 'completed');
  assert.deepEqual(await texts(bench), allBut(20, 7));
  const [only, ...more] = quarantined(bench);
  assert.deepEqual(more, []);
  assert.equal(only?.sample_id, 7);
  assert.equal(only.code, 'process_failed');
  assert.match(only.location, /doc-0007\.txt$/);
  assert.match(only.message, /^RangeError: too wide/);
  const snapshot = await bench.server.client.snapshot(bench.spec.jobId);
  assert.equal(snapshot.samples.quarantined, 1);
});

test('a sample that fails once is tried again and kept', async () => {
  await using bench = await AgentBench.create(20);
  const once = `if (!globalThis.failed) { globalThis.failed = true; throw new Error('flaky'); }`;
  const agent = await bench.agent('a', await bench.job(jobWith(once)));
  assert.equal((await agent.done).type, 'completed');
  assert.deepEqual(await texts(bench), allBut(20));
});

test('a sample that ends the worker process is found and quarantined with the last words', async () => {
  await using bench = await AgentBench.create(20);
  const job = await bench.job(jobWith(`writeSync(2, 'goodbye\\n'); process.exit(3);`));
  const agent = await bench.agent('a', job, { onError: 'quarantine' });
  assert.equal((await agent.done).type, 'completed');
  assert.deepEqual(await texts(bench), allBut(20, 7));
  const [only] = quarantined(bench);
  assert.equal(only?.sample_id, 7);
  assert.match(only.location, /doc-0007\.txt$/);
  assert.equal(only.code, 'worker_crashed');
  assert.match(
    only.message,
    /2 times with sample 7 in hand: exit status 3; its last words: goodbye/,
  );
  assert(bench.lines.includes('[worker 0] goodbye\n'), 'what it printed is passed on');
});

test('a worker that ends is missed although a process that it started still holds its output', async () => {
  await using bench = await AgentBench.create(20);
  const [pidFile, overFile] = [bench.folder.join('child.pid'), bench.folder.join('child.over')];
  const leave = `
    const child = spawn('sh', ['-c', 'sleep 30; : > ${overFile}'], { stdio: 'inherit', detached: true });
    writeFileSync('${pidFile}', String(child.pid), { flag: 'wx' });
    writeSync(2, 'goodbye\\n');
    process.kill(process.pid, 'SIGKILL');`;
  const once = `if (!existsSync('${pidFile}')) { ${leave} }`;
  const imports = `import { spawn } from 'node:child_process'; import { existsSync, writeFileSync } from 'node:fs';`;
  const agent = await bench.agent('a', await bench.job(imports + jobWith(once)));
  assert.equal((await agent.done).type, 'completed');
  assert.equal(existsSync(overFile), false, 'nobody waited for that process');
  process.kill(-Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
  assert.deepEqual(await texts(bench), allBut(20));
  assert(bench.lines.includes('[worker 0] goodbye\n'), 'what was printed before is passed on');
});

for (const [what, code, sentence] of [
  [
    'a promise that is rejected and awaited by nobody',
    `const deep = (n) => n > 0 ? deep(n - 1) : Promise.reject(new RangeError('no such word: xyzzy'));
     deep(40); await new Promise((resolve) => setTimeout(resolve, 500));`,
    /^a promise that nobody awaits was rejected: RangeError: no such word: xyzzy \(at .*probe\.job\.ts:\d+:\d+\)$/,
  ],
  [
    'a promise that is rejected with no error',
    `Promise.reject('plain words'); await new Promise((resolve) => setTimeout(resolve, 500));`,
    /^a promise that nobody awaits was rejected: threw "plain words"$/,
  ],
  [
    'an error in a timer',
    `const deep = (n) => { if (n > 0) deep(n - 1); else throw new TypeError('late by far'); };
     setTimeout(() => deep(40)); await new Promise((resolve) => setTimeout(resolve, 500));`,
    /^nobody caught: TypeError: late by far \(at .*probe\.job\.ts:\d+:\d+\)$/,
  ],
] as const) {
  test(`${what} fails the job with its message and the sample in hand`, async () => {
    await using bench = await AgentBench.create(20);
    const agent = await bench.agent('a', await bench.job(jobWith(code)));
    const outcome = await agent.done;
    assert(outcome.type === 'failed');
    assert.equal(outcome.code, 'worker_crashed');
    const [before, words = ''] = outcome.message.split('exit status 1; its last words: ');
    assert.match(before ?? '', /with sample 7 in hand: $/);
    assert.match(words, sentence);
  });
}

test('a module that handles its own rejections keeps its worker', async () => {
  await using bench = await AgentBench.create(20);
  const own = `process.once('unhandledRejection', () => undefined); Promise.reject(new Error('mine'));
    await new Promise((resolve) => setTimeout(resolve, 50));`;
  const agent = await bench.agent('a', await bench.job(jobWith(own)));
  assert.equal((await agent.done).type, 'completed');
  assert.deepEqual(await texts(bench), allBut(20));
});

test('a sample that ends the worker process fails the job with its id', async () => {
  await using bench = await AgentBench.create(20);
  const agent = await bench.agent('a', await bench.job(jobWith('process.exit(3);')));
  const outcome = await agent.done;
  assert(outcome.type === 'failed');
  assert.equal(outcome.code, 'worker_crashed');
  assert.match(outcome.message, /with sample 7 in hand: exit status 3/);
});

test('a sample that never returns is killed with its worker, found and quarantined', async () => {
  await using bench = await AgentBench.create(12);
  // Above what starting a worker takes on a busy machine: that counts as standing still as well.
  const job = await bench.job(jobWith('for (;;) {}', 2));
  const agent = await bench.agent('a', job, { onError: 'quarantine', stallTimeoutMs: 2000 });
  assert.equal((await agent.done).type, 'completed');
  assert.deepEqual(await texts(bench), allBut(12, 7));
  const [only] = quarantined(bench);
  assert.equal(only?.code, 'process_stalled');
  assert.match(only.message, /within the stall budget of 2000 ms/);
});

test('a file that vanished after pinning fails the job, or is quarantined', async () => {
  for (const onError of ['fail', 'quarantine'] as const) {
    await using bench = await AgentBench.create(12);
    await rm(bench.folder.join('in/doc-0007.txt'));
    const agent = await bench.agent('a', await bench.job(jobWith('')), { onError });
    const outcome = await agent.done;
    if (onError === 'fail') {
      assert(outcome.type === 'failed');
      assert.equal(outcome.code, 'sample_missing');
      assert.match(outcome.message, /doc-0007\.txt/);
    } else {
      assert.equal(outcome.type, 'completed');
      assert.deepEqual(await texts(bench), allBut(12, 7));
      assert.deepEqual(
        quarantined(bench).map(({ sample_id, code }) => ({ sample_id, code })),
        [{ sample_id: 7, code: 'sample_missing' }],
      );
    }
  }
});

test('a module without a default export fails the job with its path', async () => {
  await using bench = await AgentBench.create(4);
  const agent = await bench.agent('a', await bench.job('export const job = 1;'));
  const outcome = await agent.done;
  assert(outcome.type === 'failed');
  assert.equal(outcome.code, 'job_module_invalid');
  assert.match(outcome.message, /probe\.job\.ts cannot be used: it exports job but no default/);
});

const unloadable: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'waits for ever at its top level',
    'await new Promise(() => setInterval(() => {}, 1000));',
    'job_module_invalid',
    /job module .*probe\.job\.ts did not finish loading within the stall budget of 300 ms/,
  ],
  [
    'never comes back from its top level',
    'for (;;) {}',
    'job_module_invalid',
    /job module .*probe\.job\.ts did not finish loading within the stall budget of 300 ms/,
  ],
  [
    'throws at its top level',
    `throw new RangeError('no vocabulary');`,
    'job_module_invalid',
    /probe\.job\.ts cannot be used: it does not load: RangeError: no vocabulary \(at .*probe\.job\.ts:2:7\)/,
  ],
  [
    'is no program',
    'const a = 1;\nexport default {',
    'job_module_invalid',
    /probe\.job\.ts cannot be used: it does not load: SyntaxError: .* \(at .*probe\.job\.ts:3\)/,
  ],
  [
    'imports what is not there',
    `import 'no-such-package-anywhere';`,
    'job_module_invalid',
    /probe\.job\.ts cannot be used: it does not load: .*no-such-package-anywhere/,
  ],
  [
    'ends the process at its top level',
    `process.exit(4);`,
    'worker_crashed',
    /a worker could not be started with job module .*probe\.job\.ts: exit status 4/,
  ],
];
for (const [what, body, code, sentence] of unloadable) {
  test(`a module that ${what} fails the job with its path, as ${code}`, async () => {
    await using bench = await AgentBench.create(4);
    // Long enough to load one that can be loaded, where the words are those of the loading.
    const stallTimeoutMs = sentence.source.includes('300 ms') ? 300 : 30_000;
    const outcome = await (await bench.agent('a', await bench.job(body), { stallTimeoutMs })).done;
    assert(outcome.type === 'failed');
    assert.equal(outcome.code, code, outcome.message);
    assert.match(outcome.message, sentence);
    const { failure } = await bench.server.client.snapshot(bench.spec.jobId);
    assert.equal(failure?.code, code);
  });
}

test('an agent whose output folder lies in the input leaves, and the job goes on without it', async () => {
  await using bench = await AgentBench.create(4);
  await symlink(bench.folder.join('in'), bench.folder.join('alias'));
  const input = JSON.stringify(bench.folder.join('in'));
  const job = await bench.job(jobWith('', 2).replace('batch:', `input: ${input}, batch:`));
  const out = bench.folder.join('alias/deep/out');
  const wrong = await bench.agent('a', job, { work: { type: 'job', jobFile: job, out } });
  const outcome = await wrong.done;
  assert(outcome.type === 'failed');
  assert.equal(outcome.code, 'flag_invalid');
  assert.match(outcome.message, /output folder .*in\/deep\/out lies in the input folder/);
  assert.equal(existsSync(bench.folder.join('in/deep')), false);
  const right = await bench.agent('b', job);
  assert.equal((await right.done).type, 'completed');
});

test('a worker that passes its memory cap ends the job with the cap and what to turn down', async () => {
  await using bench = await AgentBench.create(4);
  const hoard = `globalThis.hoard = []; for (;;) {
    globalThis.hoard.push(Buffer.alloc(2 ** 22, 1));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }`;
  const job = await bench.job(jobWith('', 1).replace('for (const', `${hoard} for (const`));
  const agent = await bench.agent('a', job, { maxProcessRssBytes: 200 * 2 ** 20 });
  const outcome = await agent.done;
  assert(outcome.type === 'failed');
  assert.equal(outcome.code, 'rss_cap_exceeded');
  assert.match(outcome.message, /process rss \d+ exceeds max_process_rss_bytes 209715200/);
});

test('a runaway JavaScript heap ends the job with the cap it is a share of', async () => {
  await using bench = await AgentBench.create(4);
  const hoard = `const hoard = []; for (;;) hoard.push({ at: hoard.length, text: 'x' + hoard.length });`;
  const job = await bench.job(jobWith('', 1).replace('for (const', `${hoard} for (const`));
  const agent = await bench.agent('a', job, { maxProcessRssBytes: 160 * 2 ** 20 });
  const outcome = await agent.done;
  assert(outcome.type === 'failed');
  assert.equal(outcome.code, 'rss_cap_exceeded');
});

for (const [step, body] of [
  [
    'openPart',
    `async openPart(part) { await part.appendFile(() => 'x'); throw new Error('no licence'); }`,
  ],
  [
    'finish',
    `openPart: () => ({
      write() {},
      finish() { throw new Error('no licence'); },
      abort: () => new Promise((resolve) => setTimeout(resolve, 300)),
    })`,
  ],
]) {
  test(`a sink of the user's own that throws in ${step} fails the job with its words, as sink_failed`, async () => {
    await using bench = await AgentBench.create(4);
    const sink = `{ kind: 'own', dir: null, ${body} }`;
    const job = await bench.job(jobWith('').replace('output: jsonl()', `output: ${sink}`));
    const outcome = await (await bench.agent('a', job)).done;
    assert(outcome.type === 'failed');
    assert.equal(outcome.code, 'sink_failed', outcome.message);
    assert.match(
      outcome.message,
      /the sink "own" of the job failed in \w+\(\) .* Error: no licence \(at .*probe\.job\.ts:\d+:\d+\)/,
    );
    assert.deepEqual(await draftsIn(bench), []);
  });
}

test('a full disk fails the job with a sentence that says so', async (t) => {
  const tmpfs = 'mount -t tmpfs -o size=96k none "$0" && exec "$@"';
  const namespace = ['--user', '--map-root-user', '--mount', 'sh', '-c'];
  if (spawnSync('unshare', [...namespace, tmpfs, tmpdir(), 'true']).status !== 0) {
    t.skip('this machine lets nobody but root mount a file system');
    return;
  }
  await using bench = await AgentBench.create(64);
  const big = `export default defineJob({
    batch: 1,
    process: (batch) => [{ data: new Uint8Array(16_384).fill(1) }],
    output: files(),
  });`;
  await mkdir(bench.out);
  const agent = bench.agentCommand('a', await bench.job(big));
  const child = spawn('unshare', [...namespace, tmpfs, bench.out, ...agent], { stdio: 'ignore' });
  await once(child, 'exit');
  const snapshot = await bench.server.client.snapshot(bench.spec.jobId);
  assert.equal(snapshot.phase, 'failed');
  assert.equal(snapshot.failure?.code, 'output_write_failed');
  assert.match(snapshot.failure.message, /could not \w+.* the disk is full; free some space/);
  assert(snapshot.samples.committed < 64);
});
