/** Why a connection did not come about, as who typed the address can act on it. */

/** What grpc-js, Node and OpenSSL say of a mistake of the set-up, and what to do about it. */
const MISTAKES: readonly (readonly [said: RegExp, means: string])[] = [
  [
    /wrong version number|packet length too long|tls_get_more_records|EPROTO/,
    'it does not speak TLS; ask it at http://, or start it with --tls-cert and --tls-key',
  ],
  [
    /certificate required/,
    'it serves only those who show a certificate; give --tls-client-cert and --tls-client-key',
  ],
  [
    /unknown ca|bad certificate/,
    'it does not take the certificate of --tls-client-cert, which is of another authority than its --tls-client-ca',
  ],
  [
    /self[- ]signed certificate|unable to verify|unable to get (local )?issuer/,
    'its certificate is of no authority that is known here; name that with --tls-ca',
  ],
  [/certificate has expired/, 'its certificate has expired'],
  [
    /^Protocol error/,
    'what listens there is no coordinator; that of the page is another address (--http-bind)',
  ],
];

/** `said` is what grpc-js has in its error; `address` what was typed. */
export function connectionReason(said: string, address: string): string {
  const reason = said
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .replace(/\.? ?Resolution note: ?$/, '')
    .replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)$/, '')
    .trim();
  const [, means] = MISTAKES.find(([pattern]) => pattern.test(reason)) ?? [];
  if (means !== undefined) return means;
  // What serves TLS ends a connection in the clear, and one with a certificate that it does not know, without a word.
  if (reason === 'Failed to connect') {
    return address.startsWith('https://')
      ? 'it ended the connection at once; its --tls-client-ca may not know the certificate that was shown'
      : 'it ended the connection at once; if it serves TLS, ask it at https://';
  }
  return reason.replaceAll(/\s+/g, ' ');
}
