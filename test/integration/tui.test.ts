/** `mx8 tui` against a real coordinator and two agents: printed, and in a real terminal. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { jobId } from '../../src/core/base/units.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import { GrpcCoordinatorClient } from '../../src/wire/grpc-coordinator-client.ts';
import { Workbench, until } from '../support/mx8-process.ts';
import type { Mx8 } from '../support/mx8-process.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const SAMPLES = 400;

interface Cluster {
  readonly coordinator: Mx8;
  readonly agents: readonly Mx8[];
  readonly url: string;
  readonly manifest: string;
}

/** A job that takes long enough to be looked at. */
async function startCluster(bench: Workbench, samples = SAMPLES): Promise<Cluster> {
  const data = await bench.files('in', samples);
  const own = ['--bind', '127.0.0.1:0', '--state', bench.path('state'), '--json'];
  const shape = ['--job-id', 'demo', '--block-size', '50', '--world-size', '2'];
  const coordinator = bench.start(['coordinator', '--data', data, ...shape, ...own]);
  await until('the coordinator serves', () => coordinator.stdout().includes('\n'));
  const line: unknown = JSON.parse(coordinator.stdout().split('\n')[0] ?? '');
  const { port, job } = line as { port: number; job: { manifest_hash: string } };
  const url = `http://127.0.0.1:${port}`;
  const agents = ['node-a', 'node-b'].map((name) =>
    bench.start(['agent', '--node-id', name, '--batch-size', '5', '--sink-sleep-ms', '500'], {
      MX8_COORD_URL: url,
    }),
  );
  const manifest = bench.path('manifests', 'by-hash', job.manifest_hash);
  const client = new GrpcCoordinatorClient({
    coordUrl: url,
    clock: nodeClock(),
    random: nodeRandom(),
  });
  await until('both nodes work', async () => {
    const { nodes, liveLeases } = await client.snapshot(jobId('demo'));
    return nodes.length === 2 && liveLeases.length > 0;
  });
  await client.close();
  return { coordinator, agents, url, manifest };
}

function tui(bench: Workbench, cluster: Cluster, ...words: string[]): ReturnType<Workbench['run']> {
  return bench.run(['tui', '--coord-url', cluster.url, '--job-id', 'demo', ...words]);
}

const POLLS = ['--headless-polls', '2', '--poll-ms', '200'];

/** The panels and fields of a printed poll, and which of them hold. */
function wordsOf(block: string): readonly string[] {
  const words = block.match(/^ {2}[a-z]+(?= )|[a-z][a-z0-9_]*=(?:true|false)?|\(cap/gm) ?? [];
  return [...new Set(words)].sort();
}

test('printed polls have every panel, and say what failed and how to go on', async () => {
  await using bench = await Workbench.create();
  const cluster = await startCluster(bench);

  const fine = await tui(bench, cluster, '--headless-polls', '6', '--poll-ms', '300');
  assert.equal(fine.code, 0, fine.stderr);
  assert.equal(fine.stdout.match(/^poll \d of 6 /gm)?.length, 6);
  for (const fact of [
    /job +demo {2}running\n/,
    /ready=true drained=false nodes=2\/2 active_leases=\d available_ranges=\d\n/,
    /leases_granted_total=\d+\n/,
    /ranges_requeued_total=0/,
    /node-a {2}rank=\d hb_age_ms=\d+ /,
    /\d+\.\d+\.\d+ {2}node-b {2}\[\d+, \d+\) cursor=\d+/,
    /manifest +\w{64} {2}400 samples from the coordinator\n {4}0 {2}\/.*00000\.txt\n/,
    /panels +job=ok nodes=ok leases=ok manifest=ok\n/,
  ]) {
    assert.match(fine.stdout, fact);
  }
  const documented = await readFile(new URL('../../docs/tui.md', import.meta.url), 'utf8');
  const sample = /```text\n(poll .*?)```/s.exec(documented)?.[1] ?? '';
  const [block = ''] = fine.stdout.trimEnd().split('\n\n').slice(-1);
  assert.deepEqual(wordsOf(sample), wordsOf(block), 'docs/tui.md shows what is printed');

  const json = await tui(
    bench,
    cluster,
    ...POLLS,
    '--json',
    '--search',
    '00123',
    '--rows-per-page',
    '3',
  );
  assert.equal(json.code, 0, json.stderr);
  const lines = json.stdout.trimEnd().split('\n');
  const last = JSON.parse(lines.at(-1) ?? '') as {
    counters: Record<string, number>;
    nodes: readonly { hb_age_ms: number }[];
    manifest: { rows: readonly { sample_id: number }[] };
  };
  assert.equal(lines.length, 2);
  assert.ok((last.counters['leases_granted_total'] ?? 0) >= 2);
  assert.equal(typeof last.nodes[0]?.hb_age_ms, 'number');
  assert.deepEqual(
    last.manifest.rows.map((row) => row.sample_id),
    [123],
  );

  const other = await tui(bench, cluster, ...POLLS, '--manifest-hash', 'ab'.repeat(32));
  assert.equal(other.code, 1);
  assert.match(
    other.stderr,
    /the panel manifest failed: --manifest-hash says abab.*--manifest-path FILE/,
  );

  const none = await tui(bench, cluster, ...POLLS, '--search', 'no such text');
  assert.equal(none.code, 1);
  assert.match(none.stderr, /the panel manifest stayed empty: no row has "no such text"/);
});

test('a copy of the manifest stands in for the coordinator, and is held to the job’s hash', async () => {
  await using bench = await Workbench.create();
  const cluster = await startCluster(bench);
  const same = await tui(bench, cluster, ...POLLS, '--manifest-path', cluster.manifest);
  assert.equal(same.code, 0, same.stderr);
  assert.match(same.stdout, new RegExp(`400 samples from ${cluster.manifest}\n`));

  // Not canonical: a comment, and the lines in another order.
  const [header = '', ...rows] = (await readFile(cluster.manifest, 'utf8'))
    .replace(/\n$/, '')
    .split('\n');
  const shuffled = bench.path('shuffled.tsv');
  await writeFile(shuffled, [header, '# a copy', ...rows.reverse(), ''].join('\n'));
  const converted = await tui(bench, cluster, ...POLLS, '--manifest-path', shuffled);
  assert.equal(converted.code, 0, converted.stderr);
  assert.match(converted.stdout, /400 samples from .*shuffled\.tsv\n {4}0 {2}\//);

  const short = bench.path('short.tsv');
  await writeFile(short, [header, ...rows.reverse().slice(0, 10), ''].join('\n'));
  const wrong = await tui(bench, cluster, ...POLLS, '--manifest-path', short);
  assert.equal(wrong.code, 1);
  assert.match(
    wrong.stderr,
    /the panel manifest failed: Job demo reads manifest \w{64}, but .*short\.tsv has \w{64}/,
  );

  const missing = await tui(bench, cluster, ...POLLS, '--manifest-path', bench.path('nowhere'));
  assert.equal(missing.code, 1);
  assert.match(
    missing.stderr,
    /Cannot read the manifest .*nowhere of --manifest-path: no such file/,
  );
});

test('without a coordinator the polls end with "try again", without a terminal it says what to do', async () => {
  await using bench = await Workbench.create();
  const away = await bench.run(['tui', '--coord-url', '127.0.0.1:1', '--headless-polls', '1']);
  assert.equal(away.code, 4);
  assert.match(away.stdout, /coordinator +away: no answer from the coordinator at 127\.0\.0\.1:1/);
  assert.match(away.stderr, /the panel job failed: no answer/);
  const blind = await bench.run(['tui', '--coord-url', '127.0.0.1:1']);
  assert.equal(blind.code, 2);
  assert.match(blind.stderr, /draws on a terminal.*--headless-polls N/);
});

/** A terminal of its own, gone when disposed. */
class Tmux implements Disposable {
  readonly #socket: string;

  constructor(socket: string, command: string) {
    this.#socket = socket;
    const shell = ['new-session', '-d', '-s', 's', '-x', '80', '-y', '24', 'sh'];
    this.#run('-f', '/dev/null', '-u', ...shell);
    this.type(`PS1='$ '; clear; ${command}; echo "ended with $?"`);
    this.press('Enter');
  }

  type(text: string): void {
    this.#run('send-keys', '-t', 's', '-l', text);
  }

  press(...keys: string[]): void {
    this.#run('send-keys', '-t', 's', ...keys);
  }

  resize(columns: number, rows: number): void {
    this.#run('resize-window', '-t', 's', '-x', String(columns), '-y', String(rows));
  }

  screen(): string {
    return this.#run('capture-pane', '-p', '-t', 's');
  }

  /** The screen once it matches; what it shows instead is in the error. */
  async shows(pattern: RegExp): Promise<string> {
    try {
      await until(`the screen shows ${pattern}`, () => pattern.test(this.screen()));
    } catch (error) {
      throw new Error(`${String(error)}; it shows:\n${this.screen()}`, { cause: error });
    }
    return this.screen();
  }

  [Symbol.dispose](): void {
    this.#run('kill-server');
  }

  #run(...words: string[]): string {
    return execFileSync('tmux', ['-S', this.#socket, ...words], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
  }
}

function tmuxMissing(): string | false {
  try {
    execFileSync('tmux', ['-V']);
    return false;
  } catch {
    return 'tmux is not installed; on Debian: apt-get install tmux';
  }
}

test('the screen in a real terminal', { skip: tmuxMissing() }, async () => {
  await using bench = await Workbench.create();
  const cluster = await startCluster(bench, 4000);
  const node = `${process.execPath} --disable-warning=ExperimentalWarning ${MAIN}`;
  using terminal = new Tmux(
    bench.path('tmux'),
    `${node} tui --coord-url ${cluster.url} --poll-ms 200 --stale-heartbeat-ms 1500`,
  );

  const overview = await terminal.shows(/job demo {2}running {2}● healthy/);
  assert.match(overview, /leases_granted_total \d/);
  assert.match(
    overview,
    /nodes 2\/2 {2}active_leases \d+ {2}available_ranges \d+ {2}drained no {2}ready yes/,
  );
  assert.match(overview, /node-a +\d/);

  terminal.press('2', 'Enter');
  const nodes = await terminal.shows(/autotune_pressure_milli/);
  assert.match(nodes, /node_id +rank +hb_age_ms +inflight +ram high water +rate/);

  terminal.press('4');
  await terminal.shows(/0 {2}[/…].*00000\.txt +whole file/);
  terminal.type('/00321');
  terminal.press('Enter');
  await terminal.shows(/row 321 of 4,000/);
  terminal.type('g42');
  terminal.press('Enter');
  await terminal.shows(/row 42 of 4,000/);

  terminal.resize(40, 10);
  await terminal.shows(/4 Manifest 4,000/);
  terminal.resize(120, 40);
  await terminal.shows(/5 Events \d/);

  const stopped = cluster.agents[0];
  stopped?.child.kill('SIGSTOP');
  terminal.press('2');
  await terminal.shows(/node-a +\d +STALE [\d,]+/);
  await terminal.shows(/▲ degraded[^]*Node node-a has not been heard of/);
  stopped?.child.kill('SIGCONT');
  await terminal.shows(/● healthy/);

  cluster.coordinator.child.kill('SIGKILL');
  await cluster.coordinator.ended;
  await terminal.shows(/■ no coordinator for \d/);
  const bind = cluster.url.replace('http://', '');
  const words = ['--data', bench.path('in'), '--job-id', 'demo', '--block-size', '50'];
  const state = ['--world-size', '2', '--bind', bind, '--state', bench.path('state')];
  bench.start(['coordinator', ...words, ...state]);
  await terminal.shows(/job demo {2}running {2}[●▲■] (healthy|degraded|stalled)/);
  terminal.press('5');
  await terminal.shows(/coordinator_back +it answers again/);

  terminal.press('q');
  await terminal.shows(/ended with 0/);
});

test('Ctrl-C and SIGTERM leave the terminal as it was', { skip: tmuxMissing() }, async () => {
  await using bench = await Workbench.create();
  const node = `${process.execPath} --disable-warning=ExperimentalWarning ${MAIN}`;
  const command = `stty -a > before; sh -c 'echo $$ > pid; exec ${node} tui --coord-url 127.0.0.1:1'`;
  using terminal = new Tmux(bench.path('tmux'), `cd ${bench.folder}; ${command}`);
  await terminal.shows(/no coordinator for/);
  terminal.press('C-c');
  const left = await terminal.shows(/ended with 130/);
  assert.doesNotMatch(left, /no coordinator for/, 'what was on the terminal before is back');
  terminal.type(`${command}; echo "and $?"; stty -a > after; echo done`);
  terminal.press('Enter');
  await terminal.shows(/no coordinator for/);
  process.kill(Number(await readFile(bench.path('pid'), 'utf8')), 'SIGTERM');
  await terminal.shows(/and 143\n/);
  await terminal.shows(/done\n/);
  assert.equal(
    await readFile(bench.path('after'), 'utf8'),
    await readFile(bench.path('before'), 'utf8'),
  );
});
