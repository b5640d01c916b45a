/** `bin/mx8.js` hands over to a newer Node where the running one is too old. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { ROOT } from '../support/tidy/sources.ts';

const folder = mkdtempSync(join(tmpdir(), 'mx8-launcher-'));
after(() => rmSync(folder, { recursive: true }));

/** Loaded before the launcher, it makes the running Node look like an old one. */
const pretendOld = join(folder, 'pretend-old.mjs');
writeFileSync(
  pretendOld,
  `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.0' } });`,
);

/**
 * A checkout of which only the launcher is real. Its main module says what it was given, then waits for
 * a signal. The optional dependency is a link to the Node that runs this test.
 */
function fakeCheckout(name: string, options: { readonly hasNode: boolean }): string {
  const root = join(folder, name);
  mkdirSync(join(root, 'src/cli'), { recursive: true });
  cpSync(join(ROOT, 'bin'), join(root, 'bin'), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
  writeFileSync(
    join(root, 'src/cli/main.js'),
    `const [mode, ...rest] = process.argv.slice(2);
     if (mode === 'exit') process.exit(Number(rest[0]));
     process.on('SIGTERM', () => { console.log('got SIGTERM'); process.exit(7); });
     if (mode === 'orphan') process.on('disconnect', () => process.exit(0));
     console.log('pid', process.pid);
     setInterval(() => {}, 1000);`,
  );
  if (options.hasNode) {
    const bin = join(root, `node_modules/node-${process.platform}-${process.arch}/bin`);
    mkdirSync(bin, { recursive: true });
    symlinkSync(process.execPath, join(bin, 'node'));
  }
  return join(root, 'bin/mx8.js');
}

const launcher = fakeCheckout('with-node', { hasNode: true });

test('arguments and the exit code pass through', () => {
  const ended = spawnSync(process.execPath, ['--import', pretendOld, launcher, 'exit', '43']);
  assert.equal(ended.status, 43, String(ended.stderr));
});

test('a signal passes through, and so does how the child ended', async () => {
  const child = start('wait');
  await lineOf(child, /^pid \d+/);
  child.kill('SIGTERM');
  assert.deepEqual(await endOf(child), { code: 7, signal: null });
});

test('a child that dies of a signal is reported as that signal', async () => {
  const child = start('wait');
  const pid = Number((await lineOf(child, /^pid \d+/)).split(' ')[1]);
  process.kill(pid, 'SIGKILL');
  assert.deepEqual(await endOf(child), { code: null, signal: 'SIGKILL' });
});

test('a child learns that its launcher was killed', async () => {
  const child = start('orphan');
  await lineOf(child, /^pid \d+/);
  child.kill('SIGKILL');
  // The child holds the other end of the pipe, which closes only when it is gone as well.
  await new Promise((resolve) => child.once('close', resolve));
});

test('a home in which no folder can be made keeps nobody from anything', () => {
  const { NODE_COMPILE_CACHE: _, XDG_CACHE_HOME: __, ...rest } = process.env;
  // Node's own recursive mkdir would not end there, and hears no signal.
  const env = { ...rest, HOME: '/proc' };
  const options = { env, timeout: 5000, killSignal: 'SIGKILL' } as const;
  const ended = spawnSync(process.execPath, [launcher, 'exit', '43'], options);
  assert.equal(ended.status, 43, String(ended.stderr));
});

test('without a newer Node there is a sentence', () => {
  const bare = fakeCheckout('without-node', { hasNode: false });
  const ended = spawnSync(process.execPath, ['--import', pretendOld, bare, 'exit', '0'], {
    encoding: 'utf8',
  });
  assert.equal(ended.status, 1);
  assert.match(ended.stderr, /^mx8: needs Node 24 or later, but this is v[\d.]+ at [^\n]*\n$/);
});

test('the real command line runs behind it', () => {
  const real = join(ROOT, 'bin/mx8.js');
  const ended = spawnSync(process.execPath, [real, '--version'], { encoding: 'utf8' });
  assert.match(ended.stdout, /^mx8 \d+\.\d+\.\d+\n$/);
  assert.equal(ended.stderr, '');
});

function start(mode: string): ChildProcess {
  return spawn(process.execPath, ['--import', pretendOld, launcher, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

function lineOf(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const line = text.split('\n').find((candidate) => pattern.test(candidate));
      if (line !== undefined) resolve(line);
    });
    child.once('close', () => reject(new Error(`it ended after saying: ${text}`)));
  });
}

function endOf(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}
