import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';

import { madeSource, record } from '../../test/support/tui-models.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { PAGES_MAX, PAGE_ROWS, SEARCH_ROWS } from './limits.ts';
import { ManifestPager } from './manifest-pager.ts';
import { findRow, findRows } from './manifest-search.ts';
import type { ManifestSource } from './manifest-source.ts';

const TEN_MILLION = 10_000_000;
const { signal } = new AbortController();

function pagerOf(source: ManifestSource): ManifestPager {
  const onBug = (error: unknown): never => {
    throw error;
  };
  return new ManifestPager({ source, isFile: false, signal, onChange: () => undefined, onBug });
}

test('a screen of ten million rows asks for its own page only, and for it once', async () => {
  const source = madeSource(TEN_MILLION);
  const pager = pagerOf(source);
  const start = 9_000_000;
  assert.deepEqual(pager.rows(start, 3), [null, null, null]);
  await setImmediate();
  assert.deepEqual(pager.rows(start, 2), [record(start), record(start + 1)]);
  const page = Math.floor(start / PAGE_ROWS) * PAGE_ROWS;
  assert.deepEqual(source.asked, [[page, page + PAGE_ROWS]]);
});

test('rows across two pages and at the end are the rows asked for', async () => {
  const source = madeSource(PAGE_ROWS + 3);
  const pager = pagerOf(source);
  pager.rows(PAGE_ROWS - 1, 10);
  await setImmediate();
  const ids = pager.rows(PAGE_ROWS - 1, 10).map((row) => row?.sampleId);
  assert.deepEqual(ids, [PAGE_ROWS - 1, PAGE_ROWS, PAGE_ROWS + 1, PAGE_ROWS + 2]);
});

test('pages that were left behind are forgotten', async () => {
  const source = madeSource(TEN_MILLION);
  const pager = pagerOf(source);
  for (let page = 0; page <= PAGES_MAX; page += 1) {
    pager.rows(page * PAGE_ROWS, 1);
    await setImmediate();
  }
  const before = source.asked.length;
  assert.deepEqual(pager.rows(0, 1), [null]);
  await setImmediate();
  assert.equal(source.asked.length, before + 1);
});

test('a page that cannot be had says why and the flag that helps, and comes after a retry', async () => {
  const source = madeSource(10);
  let isBroken = true;
  const rows: ManifestSource['rows'] = async (start, end, abort) => {
    if (isBroken) throw new Mx8Error('manifest_missing', 'manifest ab is not in the store');
    return source.rows(start, end, abort);
  };
  const pager = pagerOf({ ...source, rows });
  pager.rows(0, 1);
  await setImmediate();
  assert.match(pager.failure, /not in the store \[manifest_missing\]; .*--manifest-path FILE/);
  isBroken = false;
  pager.retry();
  await setImmediate();
  assert.deepEqual(pager.rows(0, 1), [record(0)]);
  assert.equal(pager.failure, '');
});

const quiet = { signal, onProgress: (): void => undefined };

test('a search goes on round the end and looks at no row twice', async () => {
  const source = madeSource(SEARCH_ROWS * 2 + 100);
  const from = SEARCH_ROWS + 7;
  assert.equal(await findRow({ source, text: 'file-12.jpg', from, ...quiet }), 12);
  assert.equal(
    await findRow({ source, text: 'FILE', from: 0, ...quiet }),
    null,
    'capitals are meant',
  );
  let scanned = 0;
  const onProgress = (rows: number): number => (scanned = rows);
  const none = await findRow({ source, text: 'nowhere', from, signal, onProgress });
  assert.deepEqual([none, scanned], [null, source.sampleCount]);
});

test('the first rows that match are found in order', async () => {
  const source = madeSource(1000);
  const rows = await findRows({ source, text: 'class-3/', from: 0, ...quiet }, 3);
  assert.deepEqual(
    rows.map((row) => row.sampleId),
    [3, 10, 17],
  );
});
