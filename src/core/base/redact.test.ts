import assert from 'node:assert/strict';
import { test } from 'node:test';

import { redactText } from './redact.ts';

test('what opens something is taken out of a text, whatever is around it', () => {
  for (const text of [
    'read https://me:hunter2@host/x again',
    'https://me:a/hunter2@host/x is no URL.',
    'https://hunter2@host:8443/x',
    'etcd://root:hunter2@h1:2379,h2:2379/docs',
    'http://h/x?X-Amz-Credential=hunter2&X-Amz-Signature=hunter2',
    'http://h/x?AWSAccessKeyId=hunter2&Signature=hunter2',
    'http://h/x?Policy=hunter2&Key-Pair-Id=K1',
    'http://h/x?part=1&auth=hunter2',
    'http://h/x?api_key=hunter2&password=hunter2',
    'http://h/x?user_token=hunter2@sha256:0123',
    'az://c/b?sv=2024&sig=hunter2"',
    'AccountName=a;AccountKey=hunter2;EndpointSuffix=x',
    'Authorization: Basic hunter2hunter2',
    'the header Bearer hunter2hunter2',
    `hf_${'hunter2'.repeat(4)}`,
  ]) {
    const safe = redactText(text);
    assert.doesNotMatch(safe, /hunter2/, text);
    assert.match(safe, /\[redacted\]/);
  }
});

test('what only looks like a secret stays readable', () => {
  for (const text of [
    'basic settings of s3://bucket/token?versionId=3 at http://host:80/a@b',
    'http://127.0.0.1:50080/m.tsv@sha256:0123',
    'hf://datasets/owner/name@main/x',
    'etcd://h1:2379,h2:2379/docs written by me@there',
    'http://h/x?tokenizer=o200k&monkey=1&part=2',
    's3://bucket/a@refresh',
  ]) {
    assert.equal(redactText(text), text);
  }
});

test('a text of a megabyte without spaces is looked through at once', () => {
  const text = `${'a'.repeat(1_000_000)}http://h/x?${'a'.repeat(200_000)}${'x://b:c'.repeat(20_000)}`;
  assert.equal(redactText(text), text);
});
