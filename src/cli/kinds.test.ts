import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Kind } from './flag.ts';
import * as kinds from './kinds.ts';

function accepts<T>(kind: Kind<T>, cases: Readonly<Record<string, T>>): void {
  for (const [text, value] of Object.entries(cases)) assert.equal(kind.parse(text), value, text);
}

function refuses(kind: Kind<unknown>, texts: readonly string[]): void {
  for (const text of texts) assert.equal(kind.parse(text), undefined, `"${text}" was accepted`);
}

test('byte sizes take binary and decimal units', () => {
  accepts(kinds.bytes(), {
    '0': 0,
    '65536': 65_536,
    '64MiB': 64 * 1024 ** 2,
    '64mib': 64 * 1024 ** 2,
    '1G': 1024 ** 3,
    '1.5G': 1.5 * 1024 ** 3,
    '200MB': 200_000_000,
    '4 KiB': 4096,
    '12b': 12,
  });
  refuses(kinds.bytes(), ['', '-1', '1X', 'G', '1e6', '1,5G', '99999999999999999']);
  refuses(kinds.bytes({ min: 4096 }), ['4095', '1K']);
});

test('time spans are milliseconds unless they have a unit', () => {
  accepts(kinds.durationMs(), {
    '500': 500,
    '500ms': 500,
    '10s': 10_000,
    '1.5s': 1500,
    '2m': 120_000,
  });
  refuses(kinds.durationMs(), ['', '10 sec', '-5', '0.5', '1.0001ms']);
  refuses(kinds.durationMs({ min: 100 }), ['99']);
});

test('whole numbers keep their limits', () => {
  accepts(kinds.count('nodes', { min: 1, max: 8 }), { '1': 1, '8': 8 });
  refuses(kinds.count('nodes', { min: 1, max: 8 }), ['0', '9', '01', '1.0', '0x1', ' 1', '']);
});

test('gibibytes may have a fraction and are above zero', () => {
  accepts(kinds.gibibytes(), { '4': 4 * 1024 ** 3, '0.5': 512 * 1024 ** 2 });
  refuses(kinds.gibibytes(), ['0', '-1', '4G', '']);
});

test('seeds take all of 64 bits and no more', () => {
  accepts(kinds.uint64(), { '0': 0n, '18446744073709551615': 2n ** 64n - 1n });
  refuses(kinds.uint64(), ['18446744073709551616', '-1', '1.5', '']);
});

test('addresses have a host and a port', () => {
  accepts(kinds.bindAddress(), { '127.0.0.1:0': '127.0.0.1:0', '[::1]:50051': '[::1]:50051' });
  refuses(kinds.bindAddress(), ['127.0.0.1', 'a:65536', '::1:50051', 'http://a:1', '']);
  accepts(kinds.coordinatorUrl(), { 'http://h:1': 'http://h:1', 'h:1': 'h:1', 'a:1,b': 'a:1,b' });
  refuses(kinds.coordinatorUrl(), [':1', 'ftp://h:1', 'http://h:1/path', 'h:70000', ',']);
});

test('ids are short and visible', () => {
  accepts(kinds.id('job'), { 'job-1': 'job-1' });
  refuses(kinds.id('job'), ['', 'a b', 'ü', 'x'.repeat(129)]);
});
