import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { Mx8Error } from '../core/base/errors.ts';
import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import { clientTls, serverTls } from './tls.ts';

const NONE = { tlsCert: null, tlsKey: null, tlsClientCa: null };

function refusal(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    assert(error instanceof Mx8Error && error.code === 'flag_invalid');
    return error.message;
  }
  throw new Error('it was not refused');
}

function selfSigned(folder: string, name: string): { cert: string; key: string } {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const subject = ['-subj', `/CN=${name}`, '-days', '1', '-nodes'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  return { cert, key };
}

test('without certificates it is cleartext', () => {
  assert.equal(serverTls(NONE), null);
  assert.deepEqual(clientTls({ tlsCa: null, tlsClientCert: null, tlsClientKey: null }), {});
});

test('a certificate and its key belong together, and each mistake is named', async () => {
  await using folder = await temporaryFolder();
  const a = selfSigned(folder.path, 'a');
  const b = selfSigned(folder.path, 'b');
  const good = serverTls({ tlsCert: a.cert, tlsKey: a.key, tlsClientCa: b.cert });
  assert.match(good?.certPem ?? '', /BEGIN CERTIFICATE/);
  assert.match(good?.clientCaPem ?? '', /BEGIN CERTIFICATE/);
  const junk = join(folder.path, 'junk');
  writeFileSync(junk, 'secret words');
  const cases: readonly (readonly [() => unknown, RegExp])[] = [
    [() => serverTls({ ...NONE, tlsCert: a.cert }), /--tls-cert: it needs --tls-key/],
    [() => serverTls({ ...NONE, tlsKey: a.key }), /--tls-key: it needs --tls-cert/],
    [() => serverTls({ ...NONE, tlsClientCa: a.cert }), /--tls-client-ca: it needs/],
    [() => serverTls({ ...NONE, tlsCert: a.cert, tlsKey: b.key }), /is not the key of/],
    [() => serverTls({ ...NONE, tlsCert: a.cert, tlsKey: junk }), /holds no private key/],
    [() => serverTls({ ...NONE, tlsCert: junk, tlsKey: a.key }), /holds no certificate/],
    [() => clientTls({ tlsCa: `${junk}.not`, tlsClientCert: null, tlsClientKey: null }), /ENOENT/],
  ];
  for (const [body, sentence] of cases) {
    const said = refusal(body);
    assert.match(said, sentence);
    assert.doesNotMatch(said, /secret words/);
  }
});
