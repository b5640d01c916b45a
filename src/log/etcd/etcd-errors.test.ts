import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { type FailureKind, kindOfFailure, kvErrorOf, reasonOf } from './etcd-errors.ts';

const kind = (code: number, details: string, mayBeSent = true, hasTimedOut = false): FailureKind =>
  kindOfFailure({ code, details, mayBeSent, hasTimedOut });

test('what never left is decided, whatever it ended with', () => {
  assert.equal(kind(status.UNAVAILABLE, 'No connection established', false), 'not_now');
  assert.equal(kind(status.CANCELLED, 'Cancelled on client', false, true), 'not_now');
});

test('what may have left and has no answer is unknown', () => {
  assert.equal(kind(status.CANCELLED, 'Cancelled on client', true, true), 'unknown');
  const lost = [
    [status.UNAVAILABLE, 'Connection dropped'],
    [status.UNAVAILABLE, 'etcdserver: request timed out'],
    [status.UNAVAILABLE, 'etcdserver: request timed out, possibly due to connection lost'],
    [status.UNAVAILABLE, 'etcdserver: request timed out, possibly due to previous leader failure'],
    [status.UNAVAILABLE, 'etcdserver: leader changed'],
    [status.UNAVAILABLE, 'etcdserver: server stopped'],
    [status.UNAVAILABLE, 'etcdserver: no leader, says a proxy that may have tried'],
    [status.DEADLINE_EXCEEDED, 'context deadline exceeded'],
    [status.RESOURCE_EXHAUSTED, 'Received message larger than max'],
    [status.INTERNAL, 'Received RST_STREAM with code 2'],
    [status.UNKNOWN, 'something new'],
  ] as const;
  for (const [code, details] of lost) assert.equal(kind(code, details), 'unknown', details);
});

test('what etcd turns away before its log has done nothing', () => {
  const away = [
    [status.UNAVAILABLE, 'etcdserver: no leader'],
    [status.RESOURCE_EXHAUSTED, 'etcdserver: too many requests'],
    [status.UNAVAILABLE, 'etcdserver: not capable'],
    [status.UNAVAILABLE, 'etcdserver: rpc not supported for learner'],
    [status.UNKNOWN, 'raft proposal dropped'],
  ] as const;
  for (const [code, details] of away) assert.equal(kind(code, details), 'not_now', details);
  const refused = [
    [status.INVALID_ARGUMENT, 'etcdserver: request is too large'],
    [status.INVALID_ARGUMENT, 'etcdserver: too many operations in txn request'],
    [status.INVALID_ARGUMENT, 'etcdserver: duplicate key given in txn request'],
    [status.RESOURCE_EXHAUSTED, 'grpc: received message larger than max (3 vs. 2)'],
    [status.NOT_FOUND, 'etcdserver: requested lease not found'],
    [status.PERMISSION_DENIED, 'etcdserver: permission denied'],
    [status.INVALID_ARGUMENT, 'etcdserver: authentication failed, invalid user ID or password'],
    [status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision has been compacted'],
  ] as const;
  for (const [code, details] of refused) assert.equal(kind(code, details), 'refused', details);
  const token = [
    [status.UNAUTHENTICATED, 'etcdserver: invalid auth token'],
    [status.INVALID_ARGUMENT, 'etcdserver: user name is empty'],
    [status.INVALID_ARGUMENT, 'etcdserver: revision of auth store is old'],
    [status.UNKNOWN, 'auth: revision in header is old'],
  ] as const;
  for (const [code, details] of token) assert.equal(kind(code, details), 'token', details);
});

test('an etcd that is full may have applied what it refuses', () => {
  const full = kind(status.RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded');
  const { isDecided, retryable, message } = kvErrorOf(full, 'h1:2379', 'no room');
  assert.deepEqual([isDecided, retryable], [false, false]);
  assert.match(message, /alarm disarm/);
});

test('each kind says whether it is decided and whether to ask again', () => {
  const said = (['refused', 'not_now', 'token', 'unknown'] as const).map((each) => {
    const { isDecided, retryable } = kvErrorOf(each, 'h', 'w');
    return [each, isDecided, retryable];
  });
  assert.deepEqual(said, [
    ['refused', true, false],
    ['not_now', true, true],
    ['token', true, false],
    ['unknown', false, true],
  ]);
});

test('reasons are without what the gRPC library wraps around them', () => {
  assert.equal(
    reasonOf(
      'No connection established. Last error: Error: connect ECONNREFUSED. Resolution note: ',
    ),
    'connect ECONNREFUSED',
  );
  assert.equal(
    reasonOf(
      '4:error:0A000412:SSL routines:read:ssl/tls alert bad certificate:a.c:9:number 42\n x',
    ),
    'TLS: alert bad certificate',
  );
});
