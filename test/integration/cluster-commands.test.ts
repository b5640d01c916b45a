/** `mx8 coordinator`, `agent`, `submit` and `status` as separate processes, as on several machines. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { COMMANDS } from '../../src/cli/registry.ts';
import { checkOutput } from '../support/check-output.ts';
import { Workbench, until } from '../support/mx8-process.ts';
import type { Mx8 } from '../support/mx8-process.ts';
import { readText } from '../support/tidy/sources.ts';

const JOB = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));

interface Serving {
  readonly mx8: Mx8;
  readonly environment: { readonly MX8_COORD_URL: string };
  readonly manifestHash: string;
}

interface ServingLine {
  readonly event: string;
  readonly port: number;
  readonly job: { readonly job_id: string | null; readonly manifest_hash: string } | null;
}

/** A coordinator on a free port, with its state below the bench. */
async function serve(bench: Workbench, words: readonly string[]): Promise<Serving> {
  const own = ['--bind', '127.0.0.1:0', '--state', bench.path('state'), '--json'];
  const mx8 = bench.start(['coordinator', ...words, ...own]);
  await until('the coordinator serves', () => mx8.stdout().includes('\n'));
  const line = JSON.parse(mx8.stdout().split('\n')[0] ?? '') as ServingLine;
  return {
    mx8,
    environment: { MX8_COORD_URL: `http://127.0.0.1:${line.port}` },
    manifestHash: line.job?.manifest_hash ?? '',
  };
}

interface Status {
  readonly phase: string;
  readonly samples: { readonly committed: number };
  readonly spec: { readonly job_id: string; readonly block_size: number };
  readonly health: { readonly state: string; readonly reason: string };
}

async function statusOf(
  bench: Workbench,
  serving: Serving,
  words: readonly string[] = [],
): Promise<Status> {
  const ended = await bench.run(['status', '--json', ...words], serving.environment);
  assert.equal(ended.code, 0, ended.stdout + ended.stderr);
  return JSON.parse(ended.stdout) as Status;
}

test('a coordinator and two agents do a job, and each sample is in the output once', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 200);
  const out = bench.path('out');
  const serving = await serve(bench, [JOB, '--data', data, '--world-size', '2']);
  const waiting = await statusOf(bench, serving);
  assert.deepEqual([waiting.phase, waiting.health.state], ['running', 'stalled']);
  assert.match(waiting.health.reason, /No agent has registered yet/);

  const agents = ['a', 'b'].map((name) =>
    bench.start(['agent', JOB, '--out', out, '--node-id', name], serving.environment),
  );
  for (const agent of agents) {
    const ended = await agent.ended;
    assert.equal(ended.code, 0, ended.stderr);
  }
  const done = await statusOf(bench, serving);
  assert.deepEqual([done.phase, done.samples.committed], ['completed', 200]);
  const manifest = bench.path('manifests', 'by-hash', serving.manifestHash);
  const report = checkOutput(manifest, out);
  assert.deepEqual([report.rows, report.missing, report.repeated], [200, [], []]);

  serving.mx8.child.kill('SIGTERM');
  assert.equal((await serving.mx8.ended).code, 0);
});

test('an agent that starts before its coordinator waits for it', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 20);
  const first = await serve(bench, ['--data', data]);
  first.mx8.child.kill('SIGKILL');
  await first.mx8.ended;
  const agent = bench.start(['agent', '--node-id', 'early'], first.environment);
  // At its first attempt, which has no answer to wait for: with the address, and what it does about it.
  await until('the agent waits', () => agent.stderr().includes('"coordinator_wait"'));
  const said = JSON.parse(agent.stderr().match(/^.*"coordinator_wait".*$/m)?.[0] ?? '{}') as Record<
    string,
    string
  >;
  assert.equal(said['coord_url'], first.environment.MX8_COORD_URL);
  assert.match(said['message'] ?? '', /ECONNREFUSED/);
  assert.match(said['then'] ?? '', /asks again until a coordinator answers/);
  const bind = first.environment.MX8_COORD_URL.replace('http://', '');
  const second = bench.start([
    ...['coordinator', '--data', data, '--bind', bind, '--state', bench.path('state')],
  ]);
  const ended = await agent.ended;
  assert.equal(ended.code, 0, ended.stderr);
  second.child.kill('SIGINT');
  assert.equal((await second.ended).code, 0);
});

test('SIGTERM drains an agent, and another finishes what it gave back', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 400);
  const serving = await serve(bench, ['--data', data, '--block-size', '50']);
  const words = ['agent', '--batch-size', '10', '--sink-sleep-ms', '20'];
  const slow = bench.start([...words, '--node-id', 'slow'], serving.environment);
  await until('it has work', async () => (await statusOf(bench, serving)).samples.committed > 0);
  slow.child.kill('SIGTERM');
  const ended = await slow.ended;
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stderr, /"event":"agent_draining"/);
  const rest = await bench.run(['agent', '--node-id', 'next'], serving.environment);
  assert.equal(rest.code, 0, rest.stderr);
  assert.equal((await statusOf(bench, serving)).samples.committed, 400);
});

test('a coordinator and agents that are stopped end with 0 and other commands do not, as docs/cli.md says', async () => {
  const listed = [...readText('docs/cli.md').matchAll(/^- `(\d+)`: Stopped by (SIG\w+).*$/gm)];
  const says = listed.map(([line, code, signal]) => {
    const exempt = [...line.matchAll(/mx8 (\w+)(?=.* end with 0)/g)].map((match) => match[1]);
    return { code: Number(code), signal: signal as NodeJS.Signals, exempt };
  });
  const exempt = ['coordinator', 'agent'];
  const expected = [
    { code: 130, signal: 'SIGINT', exempt },
    { code: 143, signal: 'SIGTERM', exempt },
  ] as const;
  assert.deepEqual(says, expected);

  // SIGTERM of either is in the tests above.
  await using bench = await Workbench.create();
  const data = await bench.files('in', 100);
  const serving = await serve(bench, ['--data', data]);
  const words = ['agent', '--batch-size', '1', '--sink-sleep-ms', '100'];
  const agent = bench.start(words, serving.environment);
  const status = bench.start(['status', '--polls', '0'], serving.environment);
  await until(
    'it has work',
    () => serving.mx8.stderr().includes('lease_granted') && status.stdout() !== '',
  );
  const ends: (number | null)[] = [];
  for (const mx8 of [status, agent, serving.mx8]) {
    mx8.child.kill('SIGINT');
    ends.push((await mx8.ended).code);
  }
  assert.deepEqual(ends, [130, 0, 0]);
});

test('jobs are submitted, told apart by their ids, and left as they are the second time', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 30);
  const serving = await serve(bench, []);
  const none = await bench.run(['status'], serving.environment);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /the coordinator runs no job; submit one with mx8 submit/);

  const submit = (...words: string[]): ReturnType<Workbench['run']> =>
    bench.run(['submit', ...words], serving.environment);
  const first = await submit('--data', data, '--job-id', 'j1', '--block-size', '7');
  assert.match(
    first.stdout,
    /^job j1 submitted: 30 samples in blocks of 7\nmanifest_hash: \w{64}\n$/,
  );
  const again = await submit('--data', data, '--job-id', 'j1', '--block-size', '7');
  assert.match(again.stdout, /^job j1 was there already/);
  const other = await submit('--data', data, '--job-id', 'j1', '--block-size', '8');
  assert.equal(other.code, 1);
  assert.match(other.stderr, /job j1 exists with block_size 7, not 8 /);
  const wider = await submit('--data', data, '--job-id', 'j1', '--world-size', '3');
  assert.match(
    wider.stderr,
    /job j1 exists with world_size 1, not 3; min_world_size 1, not 3; block_size 7, not 1 /,
  );
  assert.match((await submit(JOB, '--data', data)).stdout, /^job checksum submitted/);

  const both = await bench.run(['status'], serving.environment);
  assert.match(both.stderr, /runs several jobs: .*j1/);
  const named = await statusOf(bench, serving, ['--job-id', 'j1']);
  assert.deepEqual([named.spec.job_id, named.spec.block_size], ['j1', 7]);
});

test('a completed job is forgotten, its output stays, and another of its name does not take it for its own', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 30);
  const out = bench.path('out');
  const serving = await serve(bench, ['--keep-jobs', '0', '--keep-jobs-days', '0']);
  const run = (...words: string[]): ReturnType<Workbench['run']> =>
    bench.run(words, serving.environment);
  const submit = async (): Promise<void> => {
    const { code, stdout } = await run('submit', JOB, '--data', data, '--job-id', 'nightly');
    assert.equal(code, 0);
    assert.match(stdout, /^job nightly submitted/);
  };
  await submit();
  const early = await run('forget', 'nightly');
  assert.equal(early.code, 1);
  assert.match(early.stderr, /job nightly is running, 0 of 30 samples done: .*\[job_in_use\]/);
  const agent = ['agent', JOB, '--job-id', 'nightly', '--out', out];
  const first = await run(...agent);
  assert.equal(first.code, 0, first.stderr);
  await until('it is forgotten', async () =>
    (await run('forget', 'nightly')).stderr.includes('[job_unknown]'),
  );
  assert(serving.mx8.stderr().includes('job_forgotten'));
  const manifest = readFileSync(`${out}/_mx8/manifest.tsv`, 'utf8');
  assert.equal(manifest.trim().split('\n').length, 31);

  await submit();
  const second = await run(...agent);
  assert.equal(second.code, 2, second.stderr);
  assert.match(second.stderr, /output of another job nightly: .*\[output_occupied\]/);
  assert.equal(readFileSync(`${out}/_mx8/manifest.tsv`, 'utf8'), manifest);
  await run('drain', '--job-id', 'nightly');
  const forgotten = await run('forget', 'nightly');
  assert.equal(
    forgotten.stdout,
    'job nightly: changed\n  job  draining, 0 of 30 samples done → forgotten; what it published stays\n',
  );
});

test('a node or lease that the coordinator does not know is a typing mistake, and not to be tried again', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 3);
  const serving = await serve(bench, ['--data', data, '--job-id', 'j']);
  const noNode = /--node: node worker-7 is not registered with job j; none is \[flag_invalid\]/;
  const noLease =
    /--lease: lease 3\.812\.0 of job j is not live; mx8 status lists those that are \[flag_invalid\]/;
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['release', '--node', 'worker-7'], noNode],
    [['drain', '--node', 'worker-7'], noNode],
    [['cap', '--node', 'worker-7', '--want', '1'], noNode],
    [['release', '--lease', '3.812.0'], noLease],
    [['release', '--lease', '3.812.0', '--dry-run'], noLease],
  ];
  for (const [words, sentence] of cases) {
    const ended = await bench.run(words, serving.environment);
    assert.equal(ended.code, 2, `mx8 ${words.join(' ')}: ${ended.stderr}`);
    assert.match(ended.stderr, sentence);
  }
  const words = ['drain', '--node', 'worker-7', '--json'];
  const { stdout } = await bench.run(words, serving.environment);
  const { retryable, details } = JSON.parse(stdout) as Record<string, unknown>;
  assert.equal(retryable, false);
  assert.deepEqual(details, { flag: '--node', answer: 'node_not_registered' });
});

test('mistakes get a sentence, an exit code, and no stack', async () => {
  await using bench = await Workbench.create();
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['statsu'], 2, /has no command "statsu"; did you mean mx8 status\?/],
    [['status', '--pol-ms', '5'], 2, /has no flag --pol-ms; did you mean --poll-ms\?/],
    [['coordinator', '--world-size', 'two'], 2, /--world-size says "two", but takes a whole/],
    [['coordinator', '--data', bench.path('nowhere')], 3, /nowhere/],
    [['coordinator', '--bind', '0.0.0.0:0', '--state', 'memory'], 2, /without TLS nothing auth/],
    [
      ['coordinator', '--state', '/proc/mx8'],
      2,
      /state folder \/proc\/mx8: the system makes no fo/,
    ],
    [['resolve', '.', '--manifest-store', '/proc/mx8'], 1, /makes no folders in \/proc.*_failed/s],
    [['pack', '.', '--out', '/proc/mx8/a'], 1, /folder \/proc\/mx8\/a: the system makes no fo/],
    [['submit'], 2, /mx8 submit needs JOB\.ts, --data LINK or both/],
    [['agent', bench.path('missing.job.ts')], 2, /there is no such file/],
    [
      ['status', '--coord-url', '127.0.0.1:1'],
      4,
      /no answer from the coordinator at 127\.0\.0\.1:1/,
    ],
    [
      ['status', '--coord-url', '127.0.0.1:1,127.0.0.1:2'],
      4,
      /no answer from any coordinator: 127\.0\.0\.1:1: .*ECONNREFUSED.*; 127\.0\.0\.1:2: .*ECONNREFUSED/,
    ],
  ];
  for (const [words, code, sentence] of cases) {
    const ended = await bench.run(words);
    assert.equal(ended.code, code, `mx8 ${words.join(' ')}: ${ended.stderr}`);
    assert.match(ended.stderr, sentence);
    assert.doesNotMatch(ended.stderr, /\n\s+at /);
  }
});

test('a port that is taken is named', async () => {
  await using bench = await Workbench.create();
  const serving = await serve(bench, []);
  const bind = serving.environment.MX8_COORD_URL.replace('http://', '');
  const second = await bench.run(['coordinator', '--bind', bind, '--state', 'memory']);
  assert.equal(second.code, 1);
  assert.match(
    second.stderr,
    new RegExp(`another program listens on ${bind.replaceAll('.', '\\.')}`),
  );
});

test('with --json a mistake is an object on stdout', async () => {
  await using bench = await Workbench.create();
  const ended = await bench.run(['status', '--json', '--coord-url', '127.0.0.1:1']);
  const error = JSON.parse(ended.stdout) as Record<string, unknown>;
  assert.deepEqual(
    [error['event'], error['code'], error['retryable']],
    ['error', 'coordinator_unavailable', true],
  );
});

test('every command says what it takes', async () => {
  await using bench = await Workbench.create();
  const overview = await bench.run(['--help']);
  const names = [...overview.stdout.matchAll(/^ {2}([a-z0-9]+) {2}/gm)].map((match) => match[1]);
  assert.deepEqual(names.length, COMMANDS.length);
  for (const name of names) {
    const help = await bench.run([name ?? '', '--help']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, new RegExp(`^Usage: mx8 ${name}`));
    assert.match(help.stdout, /MX8_LOG/);
  }
});

test('what a coordinator cannot do with any data it refuses before it lists them', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 3);
  for (const [words, code] of [
    [['--bind', '0.0.0.0:0'], 'insecure_bind'],
    [['--http-bind', '0.0.0.0:0'], 'insecure_bind'],
    [['--tls-cert', bench.path('none.pem')], 'flag_invalid'],
    [['--world-size', '2', '--min-world-size', '3'], 'caps_conflict'],
  ] as const) {
    const { stdout, stderr } = await bench.run(['coordinator', '--json', '--data', data, ...words]);
    assert.match(stdout, new RegExp(`"code":"${code}"`), words.join(' '));
    assert.doesNotMatch(stderr, /snapshot_/, words.join(' '));
  }
});
