import assert from 'node:assert/strict';
import { test } from 'node:test';

import { monoMs, unixMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventFields } from '../ports/event-sink.ts';
import { parseLogLevel, parseRustLog } from './log-level.ts';
import { createLog, teeEvents, withFields } from './log.ts';
import type { LogOptions } from './log.ts';

const clock: Clock = {
  nowMs: () => monoMs(0),
  unixMs: () => unixMs(Date.UTC(2030, 0, 2, 3, 4, 5, 678)),
  setTimer: () => assert.fail('a log sets no timer'),
  defer: () => assert.fail('a log defers nothing'),
  sleep: () => assert.fail('a log does not sleep'),
};

function collect(options: Partial<LogOptions>): { lines: string[]; options: LogOptions } {
  const lines: string[] = [];
  const write = (line: string): number => lines.push(line);
  return {
    lines,
    options: { clock, level: 'info', format: 'json', colour: false, write, ...options },
  };
}

test('a line of JSON has time, level, event and the fields', () => {
  const { lines, options } = collect({ fields: { node_id: 'n1' } });
  createLog(options).emit('warn', 'lease_expired', { cursor: 5, lease_id: '1.2.3' });
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /\n$/);
  assert.deepEqual(JSON.parse(lines[0] ?? ''), {
    level: 'warn',
    time: '2030-01-02T03:04:05.678Z',
    event: 'lease_expired',
    node_id: 'n1',
    cursor: 5,
    lease_id: '1.2.3',
  });
});

test('a line for a person has the same in reading order', () => {
  const { lines, options } = collect({ format: 'human' });
  createLog(options).emit('info', 'job_drained', { committed: 7, note: 'all done', ok: true });
  assert.deepEqual(lines, ['03:04:05.678 info  job_drained committed=7 note="all done" ok=true\n']);
});

test('events below the level are not written, in both formats', () => {
  for (const format of ['human', 'json'] as const) {
    const { lines, options } = collect({ format, level: 'warn' });
    const log = createLog(options);
    log.emit('debug', 'a');
    log.emit('info', 'b');
    log.emit('warn', 'c');
    log.emit('error', 'd');
    assert.equal(lines.length, 2, format);
  }
});

test('secrets never reach a line', () => {
  for (const format of ['human', 'json'] as const) {
    const { lines, options } = collect({ format });
    createLog(options).emit('info', 'read', {
      secret_access_key: 'hunter2',
      url: 'https://me:hunter2@host/x?X-Amz-Signature=hunter2&part=1',
      header: 'Bearer hunter2hunter2',
    });
    assert.doesNotMatch(lines.join(''), /hunter2/, format);
    assert.match(lines.join(''), /part=1/, format);
  }
});

test('fields can be added to every event, and events sent to several sinks', () => {
  const seen: (EventFields | undefined)[] = [];
  const sink = {
    emit: (_level: unknown, _event: unknown, fields?: EventFields) => seen.push(fields),
  };
  const both = teeEvents([withFields(sink, { a: 1, b: 1 }), sink]);
  both.emit('info', 'x', { b: 2 });
  assert.deepEqual(seen, [{ a: 1, b: 2 }, { b: 2 }]);
});

test('MX8_LOG takes a level, or directives of which ours count', () => {
  const levels: Readonly<Record<string, string | null>> = {
    info: 'info',
    DEBUG: 'debug',
    trace: 'debug',
    off: 'silent',
    'info,mx8=debug': 'debug',
    'debug,mx8=warn': 'warn',
    'warn,mx8_coordinator=info,mx8=error': 'info',
    'hyper=debug': 'info',
    'mx8[span{id=1}]=debug': 'debug',
    loud: null,
    'mx8=loud': null,
    '': null,
  };
  for (const [text, level] of Object.entries(levels))
    assert.equal(parseLogLevel(text), level, text);
});

test('RUST_LOG may name targets of other programs', () => {
  assert.equal(parseRustLog('hyper,tokio=trace'), 'info');
  assert.equal(parseRustLog('hyper,debug'), 'debug');
  assert.equal(parseRustLog('mx8=loud'), null);
});
