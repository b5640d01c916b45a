import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hindranceIn, type Surroundings } from './sqlite-hindrance.ts';

const NOTHING: Surroundings = { files: null, fileBytesMax: null, refused: null, freeBytes: null };

function sqliteError(errcode: number, message: string): Error {
  return Object.assign(new Error(message), { errcode });
}

const CANTOPEN = sqliteError(14, 'unable to open database file');
const IOERR_WRITE = sqliteError(778, 'disk I/O error');

test('what SQLite does not say is found in the limits, the rights and the room of the process', () => {
  const reasons = [
    hindranceIn(CANTOPEN, { ...NOTHING, files: { left: 3, max: 24 } }),
    hindranceIn(CANTOPEN, { ...NOTHING, files: { left: 0, max: null } }),
    hindranceIn(CANTOPEN, { ...NOTHING, refused: { path: '/s', reason: 'permission denied' } }),
    hindranceIn(IOERR_WRITE, { ...NOTHING, fileBytesMax: 16384 }),
    hindranceIn(IOERR_WRITE, { ...NOTHING, fileBytesMax: 16384, freeBytes: 0 }),
    hindranceIn(sqliteError(13, 'database or disk is full'), NOTHING),
    hindranceIn(sqliteError(3082, 'disk I/O error'), NOTHING),
  ];
  assert.deepEqual(reasons, [
    'too many files are open in this process, which may have 24; raise their limit (ulimit -n)',
    'too many files are open in this process; raise their limit (ulimit -n)',
    '/s cannot be used: permission denied',
    'disk I/O error; this process may write files of at most 16384 bytes, which may be too few: raise that limit (ulimit -f)',
    'the disk is full; free some space',
    'the disk is full; free some space',
    "disk I/O error (SQLite's 3082); the log of the system (dmesg) may say more of the disk",
  ]);
});

test('where nothing is in the way, what SQLite said stands with its number', () => {
  const plenty = { ...NOTHING, files: { left: 1000, max: 1024 }, freeBytes: 1 };
  assert.match(hindranceIn(IOERR_WRITE, plenty), /^disk I\/O error \(SQLite's 778\)/);
});
