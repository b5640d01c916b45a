import assert from 'node:assert/strict';
import test from 'node:test';
import { addressText, isLoopback } from './bind-address.ts';

test('only addresses of this machine count as loopback', () => {
  for (const host of ['127.0.0.1', '127.9.8.7', 'localhost', 'LOCALHOST', '::1', '[::1]']) {
    assert.equal(isLoopback(host), true, host);
  }
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example.com', 'localhost.example']) {
    assert.equal(isLoopback(host), false, host);
  }
});

test('an IPv6 address is written in brackets before its port', () => {
  assert.equal(addressText({ host: '::1', port: 5 }), '[::1]:5');
  assert.equal(addressText({ host: '[::1]', port: 5 }), '[::1]:5');
  assert.equal(addressText({ host: '127.0.0.1', port: 5 }), '127.0.0.1:5');
});
