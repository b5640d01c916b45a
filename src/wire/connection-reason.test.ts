import assert from 'node:assert/strict';
import { test } from 'node:test';

import { connectionReason } from './connection-reason.ts';

const WRAPPED = 'No connection established. Last error: Error: ';

test('a mistake of TLS is told with the flag that mends it, not in the words of OpenSSL', () => {
  for (const [said, means] of [
    [
      `${WRAPPED}402D:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../tlsany_meth.c:77:\n`,
      /does not speak TLS; ask it at http:\/\//,
    ],
    [
      `${WRAPPED}406D:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../rec_layer_s3.c:918:SSL alert number 116\n (2026-11-26T15:43:50.341Z)`,
      /--tls-client-cert and --tls-client-key/,
    ],
    [`${WRAPPED}self-signed certificate; if the root CA is installed locally, try …`, /--tls-ca/],
    [`${WRAPPED}406D:error:0A000418:SSL routines:tlsv1 alert unknown ca`, /another authority/],
    ['Protocol error (2026-11-26T15:43:57.011Z)', /no coordinator/],
  ] as const) {
    const reason = connectionReason(said, 'https://h:1');
    assert.match(reason, means);
    assert.doesNotMatch(reason, /\n|SSL routines/);
  }
});

test('of a connection that is ended at once the mistakes are named that come to that', () => {
  const said = `${WRAPPED}Failed to connect (2026-11-26T15:43:43.835Z)`;
  assert.match(connectionReason(said, 'http://h:1'), /ask it at https:\/\//);
  assert.match(connectionReason(said, 'h:1'), /ask it at https:\/\//);
  assert.match(connectionReason(said, 'https://h:1'), /--tls-client-ca may not know/);
});

test('other reasons are told as they are, in one line', () => {
  const refused = `${WRAPPED}connect ECONNREFUSED 127.0.0.1:1`;
  assert.equal(connectionReason(refused, 'http://h:1'), 'connect ECONNREFUSED 127.0.0.1:1');
  assert.equal(connectionReason('one\n two', 'http://h:1'), 'one two');
});
