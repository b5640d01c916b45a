/** `mx8 clean` as a person runs it, killed half-way, and again. */
import assert from 'node:assert/strict';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { test } from 'node:test';

import { until, Workbench } from '../support/mx8-process.ts';

const STORE = '0123456789abcdef';
/** In which they go: what is left must be of use, or be known to be incomplete. */
const ORDER = ['stamps-etag', 'stamps', 'index', 'by-hash', 'used'];
const COPIES = 1000;
const OLD_S = Date.now() / 1000 - 60 * 86_400;

async function putOld(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  await utimes(path, OLD_S, OLD_S);
}

test('mx8 clean that is killed leaves nothing half of which would be believed, and the next one ends the work', async () => {
  await using bench = await Workbench.create();
  const home = bench.path('home');
  const cache = bench.path('home', '.mx8', 'manifest-cache', STORE);
  const hashes = Array.from({ length: COPIES }, (_, index) => index.toString(16).padStart(64, '0'));
  for (const hash of hashes) {
    await Promise.all(ORDER.map((name) => putOld(`${cache}/${name}/${hash}`, hash)));
  }
  const runs = bench.path('home', '.mx8', 'runs');
  const mark = JSON.stringify({ job_id: 'j', out: 's3://bucket/out' });
  for (const name of ['finished', 'interrupted']) await putOld(`${runs}/${name}/run.json`, mark);
  await putOld(`${runs}/finished/finished.json`, mark);

  const dry = await bench.run(['clean', '--dry-run', '--json'], { HOME: home });
  assert.equal(dry.code, 0, dry.stderr);
  const said = dry.stdout.trimEnd().split('\n');
  assert.equal(said.length, COPIES + 3);
  const { event, removed, kept } = JSON.parse(said.at(-1) ?? '') as Record<string, unknown>;
  assert.deepEqual([event, (kept as { count: number }).count], ['would_clean', 1]);
  assert.equal((removed as { count: number }).count, COPIES + 1);
  assert.equal(said.filter((line) => line.includes('"would_remove"')).length, COPIES + 1);

  const first = bench.start(['clean'], { HOME: home });
  const left = async (): Promise<string[]> => readdir(`${cache}/stamps-etag`);
  await until('some of it is gone', async () => (await left()).length < COPIES - 20);
  first.child.kill('SIGKILL');
  await first.ended;
  const there = new Map<string, Set<string>>();
  for (const name of ORDER) there.set(name, new Set(await readdir(`${cache}/${name}`)));
  assert.ok((there.get('used')?.size ?? 0) > 0, 'it was killed before its end');
  for (const hash of hashes) {
    const shown = ORDER.map((name) => Number(there.get(name)?.has(hash))).join('');
    assert.match(
      shown,
      /^0*1*$/,
      'a note of stamps stands for stamps, and a mark of use for a copy',
    );
  }

  const second = await bench.run(['clean'], { HOME: home });
  assert.equal(second.code, 0, second.stderr);
  for (const name of ORDER) assert.deepEqual(await readdir(`${cache}/${name}`), []);
  assert.deepEqual(await readdir(runs), ['interrupted']);
  assert.match(
    second.stdout,
    /kept run interrupted into s3:\/\/bucket\/out: .*, unused for 60 days, interrupted: --resume goes on/,
  );
  assert.match(second.stdout, /\nremoved: \d+ \(.*\); kept: 1 \(/);
  const given = await bench.run(['clean', '--unfinished'], { HOME: home });
  assert.match(given.stdout, /^removed run interrupted into /);
  assert.deepEqual(await readdir(runs), []);
});
