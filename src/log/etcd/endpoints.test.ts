import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mx8Error } from '../../core/base/errors.ts';
import { isEtcdPlace, parseEtcdPlace } from './endpoints.ts';

test('a place in etcd names members, and perhaps the state', () => {
  assert.deepEqual(parseEtcdPlace('etcd://h1:2379,h2:2380,[::1]/docs'), {
    endpoints: ['h1:2379', 'h2:2380', '[::1]:2379'],
    name: 'docs',
    usesTls: false,
  });
  assert.deepEqual(parseEtcdPlace('etcds://10.0.0.1'), {
    endpoints: ['10.0.0.1:2379'],
    name: null,
    usesTls: true,
  });
  assert.equal(parseEtcdPlace('etcd://h/').name, null);
});

test('folders are no places in etcd', () => {
  for (const text of ['memory', './etcd', '/var/etcd', 'etcdata']) {
    assert.equal(isEtcdPlace(text), false);
  }
  assert.equal(isEtcdPlace('etcd:h1'), true);
});

test('what cannot be read is refused with the form that is taken', () => {
  const bad = [
    'etcd:h1',
    'etcd://',
    'etcd:///name',
    'etcd://h1:0',
    'etcd://h1:70000',
    'etcd://h1,,h2',
    'etcd://h1,h1:2379',
    'etcd://h1/a/b',
    'etcd://h1/a b',
    `etcd://${Array.from({ length: 33 }, (_, index) => `h${index}`).join(',')}`,
  ];
  for (const text of bad) {
    assert.throws(
      () => parseEtcdPlace(text),
      (error) =>
        error instanceof Mx8Error &&
        error.code === 'flag_invalid' &&
        error.message.includes('etcd://host:2379,host:2379/name'),
      text,
    );
  }
});

test('a password in the place is refused and not repeated', () => {
  assert.throws(
    () => parseEtcdPlace('etcd://me:secret@h1:2379/docs'),
    (error) =>
      error instanceof Mx8Error &&
      !error.message.includes('secret') &&
      error.message.includes('--etcd-password-file'),
  );
});
