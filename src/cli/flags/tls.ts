/** Certificates, in files as PEM. */
import { optionalFlag } from '../flag.ts';
import type { Flag } from '../flag.ts';
import { path } from '../kinds.ts';

const PEM = path('FILE', 'a file in PEM form');

export const tlsCert: Flag<string | null> = optionalFlag(
  PEM,
  {
    name: 'tls-cert',
    variable: 'MX8_TLS_CERT',
    doc: 'The certificate that is shown to whoever connects from elsewhere, with --tls-key.',
  },
  'cleartext',
);

export const tlsKey: Flag<string | null> = optionalFlag(
  PEM,
  { name: 'tls-key', variable: 'MX8_TLS_KEY', doc: 'The private key of --tls-cert.' },
  'cleartext',
);

export const tlsClientCa: Flag<string | null> = optionalFlag(
  PEM,
  {
    name: 'tls-client-ca',
    variable: 'MX8_TLS_CLIENT_CA',
    doc: 'Serve only those who show a certificate of this authority.',
  },
  'everybody who connects is served',
);

/** Of whatever listens on an address that other machines reach. */
export const SERVER_TLS_FLAGS: {
  readonly tlsCert: Flag<string | null>;
  readonly tlsKey: Flag<string | null>;
  readonly tlsClientCa: Flag<string | null>;
} = { tlsCert, tlsKey, tlsClientCa };

export const tlsCa: Flag<string | null> = optionalFlag(
  PEM,
  {
    name: 'tls-ca',
    variable: 'MX8_TLS_CA',
    doc: 'The authority that signed the coordinator’s certificate, for addresses that begin with https.',
  },
  'the authorities that Node knows',
);

export const tlsClientCert: Flag<string | null> = optionalFlag(
  PEM,
  {
    name: 'tls-client-cert',
    variable: 'MX8_TLS_CLIENT_CERT',
    doc: 'What is shown to a coordinator that asks for a certificate, with --tls-client-key.',
  },
  'none',
);

export const tlsClientKey: Flag<string | null> = optionalFlag(
  PEM,
  {
    name: 'tls-client-key',
    variable: 'MX8_TLS_CLIENT_KEY',
    doc: 'The private key of --tls-client-cert.',
  },
  'none',
);
