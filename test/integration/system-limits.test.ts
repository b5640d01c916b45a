/** What is said when the system gives a process too little: files, sizes of files, time to end in. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import test from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Workbench } from '../support/mx8-process.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const JOB = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));

/** A coordinator under `ulimit OPTION VALUE`: what it said at its end. */
async function coordinatorUnder(limit: string): Promise<{ code: number | null; text: string }> {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 4);
  const args = ['coordinator', JOB, '--data', data, '--bind', '127.0.0.1:0'];
  const ended = spawnSync(
    'bash',
    ['-c', `ulimit ${limit}; exec "$0" "$@"`, process.execPath, MAIN, ...args, '--state', 'state'],
    {
      cwd: bench.folder,
      encoding: 'utf8',
      timeout: 20_000,
      env: {
        ...process.env,
        MX8_MANIFEST_STORE_ROOT: bench.path('manifests'),
        MX8_HTTP_BIND_ADDR: 'off',
        // Its files would count as well.
        NODE_DISABLE_COMPILE_CACHE: '1',
      },
    },
  );
  return { code: ended.status, text: ended.stderr };
}

test('a limit on open files is said as what it is, wherever it is met', async () => {
  for (const count of [24, 25]) {
    const { code, text } = await coordinatorUnder(`-n ${count}`);
    assert.match(text, /too many files are open in this process/, `${count}: ${text}`);
    assert.match(text, /ulimit -n/);
    assert.doesNotMatch(text, /is damaged|this is a bug/);
    assert.equal(code, 1);
  }
});

test('a limit on the sizes of files is no damage of the state', async () => {
  const { code, text } = await coordinatorUnder('-f 16');
  assert.match(text, /files of at most 16384 bytes.*ulimit -f/, text);
  assert.match(text, /coordinator_state_unusable|coordinator_state_write_failed/);
  assert.doesNotMatch(text, /is damaged|this is a bug/);
  assert.equal(code, 1);
});

test('agents that need long to be gone after they ended get no signal and no warning', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 8);
  const slow = bench.path('slow-end.mjs');
  await writeFile(
    slow,
    `if (process.argv[2] === 'agent') process.on('exit', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500));`,
  );
  const args = ['run', JOB, '--data', data, '--out', bench.path('out'), '--nodes', '2'];
  const ended = await bench.run([...args, '--ram-gb', '1.5'], {
    NODE_OPTIONS: `--import ${pathToFileURL(slow).href}`,
    MX8_LOG_FORMAT: 'json',
  });
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(ended.stderr.match(/"agent_exited".*"code":0,"signal":null/g)?.length, 2);
  assert.doesNotMatch(ended.stderr, /SIGKILL|"level":"(warn|error)"/);
});
