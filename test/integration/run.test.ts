/** `mx8 run` as a person uses it: real processes, Ctrl-C, kill -9, resume, mistakes. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { bytesText } from '../../src/view/format.ts';
import { checkOutput } from '../support/check-output.ts';
import { type Mx8, until, Workbench } from '../support/mx8-process.ts';
import { descendants, stillRunning } from '../support/processes.ts';

const JOB = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));
const OTHER_JOB = fileURLToPath(new URL('../support/jobs/padded.job.ts', import.meta.url));
const DOOR = new URL('../../src/job/index.ts', import.meta.url).href;
const SMALL = ['--ram-gb', '1.5'];

/** The manifest that the output folder says it was made from. */
async function inputManifest(bench: Workbench, out: string): Promise<string> {
  const claim = JSON.parse(await readFile(join(out, '_mx8', 'job.json'), 'utf8')) as {
    readonly input_manifest_hash: string;
  };
  return bench.path('manifests', 'by-hash', claim.input_manifest_hash);
}

async function assertExactlyOnce(bench: Workbench, out: string, count: number): Promise<void> {
  const report = checkOutput(await inputManifest(bench, out), out);
  assert.deepEqual(
    { ...report },
    {
      inputs: count,
      rows: count,
      missing: [],
      repeated: [],
      foreign: [],
      altered: [],
      quarantined: 0,
    },
  );
}

function committed(mx8: Mx8): number {
  const lines = mx8
    .stdout()
    .split('\n')
    .filter((line) => line.includes('"run_progress"'));
  const last = lines.at(-1);
  if (last === undefined) return 0;
  return Number((JSON.parse(last) as { committed_samples: number }).committed_samples);
}

test('a job over a folder ends with every sample in the output once, and a summary', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 300);
  const out = bench.path('out');
  const ended = await bench.run([
    'run',
    JOB,
    '--data',
    data,
    '--out',
    out,
    '--nodes',
    '2',
    ...SMALL,
  ]);
  assert.equal(ended.code, 0, ended.stderr);
  await assertExactlyOnce(bench, out, 300);
  for (const word of ['complete', '300 committed', 'peak', 'sha256:', out, 'mx8 verify']) {
    assert(ended.stdout.includes(word), `the summary says "${word}":\n${ended.stdout}`);
  }
  const sizes = await Promise.all(
    (await readdir(data)).map(async (name) => (await stat(join(data, name))).size),
  );
  const read = bytesText(sizes.reduce((sum, size) => sum + size, 0));
  assert(ended.stdout.includes(`  read     ${read}\n`), `${read} were read:\n${ended.stdout}`);
  const verified = await bench.run(['verify', out]);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  // What is hinted at is the output as it is now; a plain link is what was pinned of it, which is said.
  const hint = /npx mx8 (verify \S+)/.exec(ended.stdout)?.[1] ?? '';
  assert.equal(hint, `verify ${out}@refresh`);
  const plain = await bench.run(['verify', out]);
  assert.match(
    plain.stdout,
    /snapshot: .* as it was pinned .* ago; .*@refresh reads it as it is now/,
  );

  const again = await bench.run(['run', JOB, '--data', data, '--out', out, ...SMALL]);
  assert.notEqual(again.code, 0);
  assert.match(again.stderr, /holds the finished output of job checksum-/);
  const resumed = await bench.run(['run', JOB, '--data', data, '--out', out, '--resume', ...SMALL]);
  assert.equal(resumed.code, 0, resumed.stderr);
  await assertExactlyOnce(bench, out, 300);
  const otherJob = await bench.run(['run', OTHER_JOB, '--out', out, '--resume', ...SMALL]);
  assert.match(otherJob.stderr, /holds the output of job checksum, not of padded/);
  const otherData = ['--data', bench.path('elsewhere'), '--out', out, '--resume', ...SMALL];
  const mixed = await bench.run(['run', JOB, ...otherData]);
  assert.match(mixed.stderr, /holds the output of input .*, not of .*elsewhere/);
});

test('the output does not say with which signature its input was read, and another one is the same input', async () => {
  await using bench = await Workbench.create();
  const [out, data] = [bench.path('out'), bench.path('in?sig=')];
  for (const signature of ['hunter2', 'hunter3']) {
    await mkdir(`${data}${signature}`);
    await writeFile(join(`${data}${signature}`, 'a.txt'), 'a');
  }
  const run = (signature: string, ...more: readonly string[]): ReturnType<Workbench['run']> =>
    bench.run(['run', JOB, '--data', `${data}${signature}`, '--out', out, ...more, ...SMALL]);
  const ended = await run('hunter2');
  assert.equal(ended.code, 0, ended.stderr);
  const claim = await readFile(join(out, '_mx8', 'job.json'), 'utf8');
  assert.match(claim, /"input": ".*\?sig=\[redacted\]"/);
  assert.doesNotMatch(claim + ended.stdout + ended.stderr, /hunter2/);
  const again = await run('hunter3', '--resume');
  assert.equal(again.code, 0, again.stderr);
});

test('a second run on an output in work is refused, and the first goes on', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 200);
  const out = bench.path('out');
  const args = ['run', JOB, '--data', data, '--out', out, '--json', ...SMALL];
  const first = bench.start(args, { TEST_PAUSE_MS: '300' });
  await until('some samples are committed', () => committed(first) > 0);
  const second = await bench.run(['run', JOB, '--out', out, '--resume', ...SMALL]);
  assert.match(second.stderr, /another process is working on the output/);
  assert.equal((await first.ended).code, 0);
  await assertExactlyOnce(bench, out, 200);
});

test('Ctrl-C stops within two seconds, says how to go on, and --resume repeats nothing', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 400);
  const out = bench.path('out');
  const args = ['run', JOB, '--data', data, '--out', out, '--nodes', '2', '--json', ...SMALL];
  const mx8 = bench.start([...args, '--block-size', '16'], { TEST_PAUSE_MS: '60' });
  await until('some samples are committed', () => committed(mx8) > 40);
  const family = descendants(mx8.pid).map((entry) => entry.pid);
  assert(family.length >= 4, 'two agents with a worker each');
  const stopMs = performance.now();
  mx8.child.kill('SIGINT');
  const ended = await mx8.ended;
  const tookMs = performance.now() - stopMs;
  assert.equal(ended.code, 130, ended.stderr);
  // The promise is 2 s; the machine that tests run on is shared.
  assert(tookMs < 4000, `stopped after ${tookMs} ms`);
  assert.match(ended.stdout + ended.stderr, /go on with: npx mx8 run .* --resume/);
  await until('nothing is left running', () => stillRunning(family).length === 0, 3000);
  const before = await committedLines(out);
  assert(before.length > 0 && before.length < 400);

  const resumed = await bench.run(['run', JOB, '--out', out, '--nodes', '3', '--resume', ...SMALL]);
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.doesNotMatch(resumed.stderr, /job_code_changed/);
  await assertExactlyOnce(bench, out, 400);
  const after = new Set(await committedLines(out));
  assert(
    before.every((line) => after.has(line)),
    'what was committed stays as it was',
  );
});

test('kill -9 of the whole run leaves nothing behind, and --resume finishes the job', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 400);
  const out = bench.path('out');
  const args = ['run', JOB, '--data', data, '--out', out, '--nodes', '2', '--json', ...SMALL];
  const mx8 = bench.start([...args, '--block-size', '16'], { TEST_PAUSE_MS: '40' });
  await until('some samples are committed', () => committed(mx8) > 40);
  const family = descendants(mx8.pid).map((entry) => entry.pid);
  mx8.child.kill('SIGKILL');
  await mx8.ended;
  await until(
    'agents and workers end with their supervisor',
    () => stillRunning(family).length === 0,
    10_000,
  );
  const resumed = await bench.run(['run', JOB, '--out', out, '--resume', ...SMALL]);
  assert.equal(resumed.code, 0, resumed.stderr);
  await assertExactlyOnce(bench, out, 400);
});

test('workers and agents that are killed in mid-run cost nothing but time', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 400);
  const out = bench.path('out');
  const args = ['run', JOB, '--data', data, '--out', out, '--nodes', '2', '--json', ...SMALL];
  const mx8 = bench.start([...args, '--block-size', '16', '--lease-ttl-ms', '2000'], {
    // Long enough for some to be left when the second one is killed: progress is told once a second.
    TEST_PAUSE_MS: '100',
  });
  await until('some samples are committed', () => committed(mx8) > 40);
  const workers = descendants(mx8.pid).filter((entry) => entry.command.includes('worker-main'));
  assert(workers[0] !== undefined, 'there is a worker');
  process.kill(workers[0].pid, 'SIGKILL');
  await until('more is committed', () => committed(mx8) > 120);
  const agents = descendants(mx8.pid).filter((entry) => entry.parentPid === mx8.pid);
  assert(agents[0] !== undefined, 'there is an agent');
  process.kill(agents[0].pid, 'SIGKILL');
  const ended = await mx8.ended;
  assert.equal(ended.code, 0, ended.stderr);
  await assertExactlyOnce(bench, out, 400);
  // Its supervisor saw it die: nobody waited for its leases to run out.
  assert.match(ended.stdout + ended.stderr, /node_died/);
  assert.doesNotMatch(ended.stdout + ended.stderr, /lease_expired/);
});

test('a file that was cut after pinning fails the job by its name, or is set aside', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 5);
  const pinned = await bench.run(['resolve', data]);
  assert.equal(pinned.code, 0, pinned.stderr);
  await writeFile(join(data, '00003.txt'), 'sample 3');
  const out = bench.path('out');
  const failed = await bench.run(['run', JOB, '--data', data, '--out', out, ...SMALL]);
  assert.equal(failed.code, 3, failed.stderr);
  assert.match(
    failed.stderr,
    /Sample 3 in .*00003\.txt has 8 bytes, but had 180 when it was pinned/,
  );
  assert.match(failed.stderr, /\w; \d of 5 samples are committed; go on with: /);
  const aside = ['--resume', '--on-error', 'quarantine', ...SMALL];
  const ended = await bench.run(['run', JOB, '--out', out, ...aside]);
  assert.equal(ended.code, 0, ended.stderr);
  const quarantine = await readFile(join(out, '_mx8', 'quarantine.jsonl'), 'utf8');
  assert.match(quarantine, /"code":"sample_changed"/);
  const verified = await bench.run(['verify', data]);
  assert.equal(verified.code, 3);
  assert.match(verified.stdout, /sample 3: resized: /);
});

test('--resume with another code goes on, and says that the output has rows of both', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 20);
  const out = bench.path('out');
  const path = bench.path('mended.job.ts');
  const write = (process: string): Promise<void> =>
    writeFile(
      path,
      `import { defineJob, jsonl } from '${DOOR}';\nexport default defineJob({ batch: 2, retries: 0, process: ${process}, output: jsonl() });\n`,
    );
  const rows = '(batch) => Array.from(batch, ({ id }) => ({ id }))';
  await write(
    `(batch) => { if (batch.at(0).id >= 10) throw new Error('bug'); return (${rows})(batch); }`,
  );
  const args = ['run', path, '--data', data, '--out', out, '--block-size', '2', ...SMALL];
  const failed = await bench.run(args);
  assert.match(failed.stderr, /bug/);
  await write(rows);
  const mended = await bench.run([...args, '--resume']);
  assert.equal(mended.code, 0, mended.stderr);
  assert.match(
    mended.stderr,
    /mended\.job\.ts is not what job mended-\w+ began with: what is committed stays/,
  );
  assert.match(mended.stderr, /"event":"job_code_changed"/);
  // Nothing is made any more: there is nothing to say.
  const complete = await bench.run([...args, '--resume']);
  assert.equal(complete.code, 0, complete.stderr);
  assert.doesNotMatch(complete.stderr, /job_code_changed/);
});

test('mistakes get a sentence that names what is wrong, and nothing is written', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 3);
  const job = async (name: string, text: string): Promise<string> => {
    const path = bench.path(`${name}.job.ts`);
    await writeFile(path, text);
    return path;
  };
  const silent = await job('silent', 'export const nothing = 1;\n');
  const throwing = await job('throwing', 'throw new Error("no such luck");\n');
  const inside = await job(
    'inside',
    `import { defineJob, jsonl } from '${DOOR}';\nexport default defineJob({ batch: 1, process: () => [], output: jsonl(${JSON.stringify(join(data, 'out'))}) });\n`,
  );
  const plain = bench.path('plain');
  await mkdir(plain);
  await writeFile(join(plain, 'package.json'), '{ "type": "commonjs" }');
  const common = join(plain, 'common.job.ts');
  await writeFile(common, await readFile(inside));
  const foreign = bench.path('foreign');
  await mkdir(foreign);
  await writeFile(join(foreign, 'thesis.txt'), 'mine');
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['run', bench.path('missing.job.ts')], /missing\.job\.ts .*no such file/],
    [['run', silent, '--data', data, '--out', 'x'], /silent\.job\.ts .*no default/],
    [['run', throwing, '--data', data, '--out', 'x'], /throwing\.job\.ts .*no such luck/],
    [['run', common, '--data', data, '--out', 'x'], /common\.job\.ts .*"type": "module".*\.mts/],
    [['run', JOB, '--out', 'x'], /--data LINK/],
    [['run', JOB, '--data', data], /--out DIR/],
    [['run', JOB, '--data', bench.path('nowhere'), '--out', 'x'], /nowhere/],
    [['run', JOB, '--data', data, '--out', foreign], /thesis\.txt/],
    [['run', JOB, '--data', data, '--out', 'x', '--resume'], /nothing to resume/],
    [
      ['run', JOB, '--data', data, '--out', join(data, 'out')],
      /in\/out lies in the input folder .*in: .*--out/,
    ],
    [['coordinator', inside, '--data', data], /in\/out lies in the input folder/],
    [['submit', inside, '--data', data], /in\/out lies in the input folder/],
    [['agent', bench.path('missing.job.ts'), '--out', 'x'], /missing\.job\.ts .*no such file/],
    [
      ['run', JOB, '--data', data, '--out', 'x', '--ram-gb', '0.25'],
      /--ram-gb 0\.25 is too little/,
    ],
    [['run', JOB, '--data', data, '--out', 'x', '--nodes', 'two'], /--nodes/],
    [['run', JOB, '--data', data, '--out', 'x', '--node', '2'], /did you mean --nodes/],
  ];
  for (const [args, sentence] of cases) {
    const ended = await bench.run(args);
    assert(ended.code !== 0 && ended.code !== null, `${args.join(' ')} is refused`);
    assert.match(ended.stderr, sentence, args.join(' '));
    assert.doesNotMatch(ended.stderr, /\n\s+at /, `no stack for ${args.join(' ')}`);
  }
  assert.equal(await readFile(join(foreign, 'thesis.txt'), 'utf8'), 'mine');
  assert.equal((await readdir(data)).length, 3, 'nothing was written into the input');
});

async function committedLines(out: string): Promise<string[]> {
  const lines: string[] = [];
  for (const name of await readdir(out)) {
    if (!name.endsWith('.jsonl')) continue;
    lines.push(
      ...(await readFile(join(out, name), 'utf8')).split('\n').filter((line) => line !== ''),
    );
  }
  return lines;
}
