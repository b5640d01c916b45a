/** Coordinators that share a state in a real etcd of three: they die, etcd's own leader dies, the job ends. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { checkOutput } from '../support/check-output.ts';
import { EtcdCluster } from '../support/etcd.ts';
import { freePort } from '../support/free-port.ts';
import { type Mx8, until, Workbench } from '../support/mx8-process.ts';

const JOB = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));
const SAMPLES = 600;

interface ServingLine {
  readonly role: string;
  readonly job: { readonly manifest_hash: string };
}

function servingLine(mx8: Mx8): ServingLine {
  return JSON.parse(mx8.stdout().split('\n')[0] ?? '') as ServingLine;
}

test('a job outlives its coordinator and the leader of etcd, and each sample is in its output once', async (t) => {
  await using cluster = await EtcdCluster.start({ members: 3 });
  await using bench = await Workbench.create();
  const data = await bench.files('in', SAMPLES);
  const state = `etcd://${cluster.endpoints.join(',')}`;
  const ports = [await freePort(), await freePort()];
  const coordinate = async (port: number): Promise<Mx8> => {
    const words = ['--data', data, '--state', state, '--bind', `127.0.0.1:${port}`, '--json'];
    const mx8 = bench.start(['coordinator', JOB, ...words, '--block-size', '20']);
    await until('it serves', () => mx8.stdout().includes('\n') || mx8.child.exitCode !== null);
    assert.equal(mx8.child.exitCode, null, mx8.stderr());
    return mx8;
  };
  const [first, second] = [await coordinate(ports[0] ?? 0), await coordinate(ports[1] ?? 0)];
  const { manifest_hash: manifestHash } = servingLine(first).job;
  const environment = {
    MX8_COORD_URL: ports.map((port) => `http://127.0.0.1:${port}`).join(','),
    TEST_PAUSE_MS: '60',
  };
  const agent = bench.start(['agent', JOB, '--out', bench.path('out')], environment);
  const committed = async (): Promise<number> => {
    const { code, stdout } = await bench.run(['status', '--json'], environment);
    if (code !== 0) return 0;
    return (JSON.parse(stdout) as { samples: { committed: number } }).samples.committed;
  };
  let before = 0;
  await until('work is done', async () => (before = await committed()) > 0);
  first.child.kill('SIGKILL');
  await until('work goes on', async () => (await committed()) > before);
  assert.equal(second.child.exitCode, null, second.stderr());
  const again = await coordinate(ports[0] ?? 0);
  await (await cluster.leader()).kill();
  await sleep(500);
  // Who leads is asked to end in an orderly way; the other, back on the first address, takes over.
  second.child.kill('SIGTERM');
  assert.equal((await second.ended).code, 0, second.stderr());
  const ended = await agent.ended;
  assert.equal(ended.code, 0, ended.stderr);
  const report = checkOutput(bench.path('manifests', 'by-hash', manifestHash), bench.path('out'));
  assert.deepEqual(
    [report.rows, report.missing, report.repeated, report.altered],
    [SAMPLES, [], [], []],
  );
  again.child.kill('SIGTERM');
  assert.equal((await again.ended).code, 0, again.stderr());
  t.diagnostic(`${before} of ${SAMPLES} were committed at the kill`);
});

test('a coordinator whose etcd is not fit ends with a sentence', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 3);
  const start = (...words: readonly string[]): Promise<{ code: number | null; stderr: string }> =>
    bench.run(['coordinator', '--data', data, '--bind', '127.0.0.1:0', ...words]);
  const away = await start('--state', 'etcd://127.0.0.1:1');
  assert.match(away.stderr, /no member of etcd answers \(127\.0\.0\.1:1: connect ECONNREFUSED/);
  assert.ok(away.code !== 0 && away.code !== null);
  const odd = await start('--state', 'etcd://me:secret@127.0.0.1:1');
  assert.match(odd.stderr, /etcd:\/\/host:2379/);
  assert.doesNotMatch(odd.stderr, /secret/);
  const halfway = await start('--state', 'etcd://127.0.0.1:1', '--etcd-user', 'me');
  assert.match(halfway.stderr, /--etcd-user needs --etcd-password-file/);
});

test('a coordinator whose etcd hangs is said to run, by every command, and leads on without a restart', async () => {
  await using cluster = await EtcdCluster.start({ members: 1 });
  await using bench = await Workbench.create();
  const data = await bench.files('in', 3);
  const port = await freePort();
  const state = ['--state', `etcd://${cluster.endpoints.join(',')}`];
  const words = ['--data', data, ...state, '--bind', `127.0.0.1:${port}`, '--json'];
  const coordinator = bench.start(['coordinator', JOB, ...words, '--http-bind', '127.0.0.1:0']);
  await until('it serves', () => coordinator.stdout().includes('\n'));
  const { url } = JSON.parse(coordinator.stdout().split('\n')[0] ?? '') as { url: string };
  const environment = { MX8_COORD_URL: `http://127.0.0.1:${port}` };
  const [member] = cluster.members;
  assert.ok(member !== undefined);
  process.kill(member.pid, 'SIGSTOP');
  try {
    const runs =
      /the coordinator at 127\.0\.0\.1:\d+ runs, but the store of its state does not answer/;
    await until('it has lost the lead', async () =>
      runs.test((await bench.run(['status'], environment)).stderr),
    );
    const names =
      /None leads: \S+ runs, but the store of its state does not answer: no answer from etcd at /;
    let doctor = await bench.run(['doctor'], environment);
    // Until a renewal has failed it is only known that nothing is heard.
    await until('the doctor names the store', async () => {
      doctor = await bench.run(['doctor'], environment);
      return names.test(doctor.stdout);
    });
    const paused = await bench.run(['pause', '--job-id', 'checksum'], environment);
    assert.match(paused.stderr, /no leader is known yet: the store of the state does not answer/);
    assert.doesNotMatch(doctor.stdout, /npx mx8 coordinator/);
    const says = 'the store of the state does not answer';
    await until('the page says so', async () =>
      (await (await fetch(`${url}readyz`)).text()).startsWith(says),
    );
  } finally {
    process.kill(member.pid, 'SIGCONT');
  }
  await until('it leads', async () => (await bench.run(['status'], environment)).code === 0);
});

const PASSWORD = 'correct horse battery staple';
const WRONG = 'not the horse that was asked for';

test('the password of etcd and the private key are in no log, status, argument or sentence', async () => {
  await using locked = await EtcdCluster.start();
  await using secure = await EtcdCluster.start({ usesTls: true });
  await using bench = await Workbench.create();
  const data = await bench.files('in', 3);
  const [right, wrong] = [bench.path('right'), bench.path('wrong')];
  await Promise.all([writeFile(right, `${PASSWORD}\n`), writeFile(wrong, `${WRONG}\n`)]);
  await locked.enableAuth({ name: 'mx8', password: PASSWORD }, 'mx8/');
  const pem = secure.certificates ?? assert.fail('no TLS');
  const keys = [pem.clientKeyPem, await readFile(pem.serverKeyPath, 'utf8')];
  const keyLines = keys.flatMap((text) => text.split('\n').filter((line) => line.length > 40));
  assert.ok(keyLines.length >= 2);
  const secrets = [PASSWORD, WRONG, ...keyLines].flatMap((secret) => [
    secret,
    Buffer.from(secret).toString('base64'),
    encodeURIComponent(secret),
  ]);
  const assertDiscreet = (what: string, text: string): void => {
    assert.notEqual(text, '', what);
    for (const secret of secrets) assert.ok(!text.includes(secret), `${what} says a secret`);
  };
  const begin = (endpoints: readonly string[], port: number, words: readonly string[]): Mx8 => {
    const state = `${words.includes('--etcd-key') ? 'etcds' : 'etcd'}://${endpoints.join(',')}/secrets`;
    const common = ['--data', data, '--state', state, '--bind', `127.0.0.1:${port}`, '--json'];
    return bench.start(['coordinator', JOB, ...common, ...words], { MX8_LOG: 'debug' });
  };
  const login = (file: string): string[] => [
    ...['--etcd-user', 'mx8', '--etcd-password-file', file],
  ];
  const tls = (key: string): string[] => [
    ...['--etcd-ca', pem.caPath, '--etcd-cert', pem.clientCertPath, '--etcd-key', key],
  ];
  const refused = async (
    what: string,
    says: RegExp,
    endpoints: readonly string[],
    words: readonly string[],
  ): Promise<void> => {
    const { code, stdout, stderr } = await begin(endpoints, 0, words).ended;
    assert.notEqual(code, 0, what);
    assert.match(stdout + stderr, says);
    assertDiscreet(what, stdout + stderr);
  };
  /** What is to be seen while it runs and while etcd is away, and what it has said when it has ended. */
  const watched = async (
    what: string,
    cluster: EtcdCluster,
    words: readonly string[],
  ): Promise<void> => {
    const port = await freePort();
    const environment = { MX8_COORD_URL: `http://127.0.0.1:${port}` };
    const mx8 = begin(cluster.endpoints, port, words);
    await until('it serves', () => mx8.stdout().includes('\n') || mx8.child.exitCode !== null);
    assert.equal(mx8.child.exitCode, null, mx8.stderr());
    const shown = argumentsBelow(process.pid);
    assert.match(shown, /--etcd-password-file/);
    assertDiscreet(`arguments ${what}`, shown);
    const doctor = await bench.run(['doctor'], environment);
    assertDiscreet(`doctor ${what}`, doctor.stdout);
    await cluster.member(0).kill();
    await until('it has lost the lead', () => mx8.stderr().includes('leader_left'));
    const { stdout, stderr } = await bench.run(['status', '--json'], environment);
    assert.match(stdout + stderr, /the store of its state does not answer/);
    assertDiscreet(`status without etcd ${what}`, stdout + stderr);
    mx8.child.kill('SIGTERM');
    const said = await mx8.ended;
    assertDiscreet(`log ${what}`, said.stdout + said.stderr);
  };
  const odd = [...login(right), ...tls(pem.serverKeyPath)];
  const away = /no member of etcd answers/;
  await Promise.all([
    refused('a wrong password', /refuses the login .*user mx8/, locked.endpoints, login(wrong)),
    refused('a key of another certificate', /is not the key of/, secure.endpoints, odd),
    refused('an etcd that is away', away, ['127.0.0.1:1'], login(right)),
  ]);
  await watched('with a login', locked, login(right));
  await watched('with TLS', secure, [...login(right), ...tls(pem.clientKeyPath)]);
});

/** The command lines of all processes that descend from it, as `ps` shows them to everybody. */
function argumentsBelow(pid: number): string {
  const listed = execFileSync('ps', ['-e', '-ww', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' });
  const rows = listed.split('\n').map((line) => /^\s*(\d+)\s+(\d+)\s(.*)$/.exec(line) ?? []);
  const below = new Set([String(pid)]);
  for (const [, own = '', parent = ''] of rows) if (below.has(parent)) below.add(own);
  return rows.flatMap(([, own = '', , args = '']) => (below.has(own) ? [args] : [])).join('\n');
}
