import assert from 'node:assert/strict';
import test from 'node:test';
import { parseCoordUrl } from './coord-url.ts';

test('addresses come with or without scheme and port, several with commas between them', () => {
  const given = 'http://127.0.0.1:50051, https://host.example:443/,  node-1 ,grpc://[::1]:7';
  assert.deepEqual(
    parseCoordUrl(given).map(({ target, usesTls }) => [target, usesTls]),
    [
      ['127.0.0.1:50051', false],
      ['host.example:443', true],
      ['node-1:50051', false],
      ['[::1]:7', false],
    ],
  );
});

test('what is no address is refused with what it said', () => {
  for (const text of [
    '',
    ' , ',
    'ftp://host:1',
    'host:0',
    'host:70000',
    'host:port',
    'a b',
    '::1',
  ]) {
    assert.throws(() => parseCoordUrl(text), { code: 'flag_invalid' }, text);
  }
  assert.throws(() => parseCoordUrl('good:1,b ad:2'), { message: /"b ad:2"/ });
});
