/** The files that the TLS flags name, read and checked once at the start. */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { Mx8Error } from '../core/base/errors.ts';
import type { ClientTls } from '../wire/connection.ts';
import type { ServerTls } from '../wire/grpc-server.ts';

export interface ServerTlsFiles {
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
  readonly tlsClientCa: string | null;
}

export interface ClientTlsFiles {
  readonly tlsCa: string | null;
  readonly tlsClientCert: string | null;
  readonly tlsClientKey: string | null;
}

/** Null when cleartext is wanted. */
export function serverTls(files: ServerTlsFiles): ServerTls | null {
  const { tlsCert, tlsKey, tlsClientCa } = files;
  const pair = pairOf(['--tls-cert', tlsCert], ['--tls-key', tlsKey]);
  if (pair === null && tlsClientCa !== null) {
    throw invalid('--tls-client-ca', 'it needs --tls-cert and --tls-key beside it');
  }
  if (pair === null) return null;
  return {
    ...pair,
    ...(tlsClientCa === null ? {} : { clientCaPem: certificate('--tls-client-ca', tlsClientCa) }),
  };
}

export function clientTls({ tlsCa, tlsClientCert, tlsClientKey }: ClientTlsFiles): ClientTls {
  const pair = pairOf(['--tls-client-cert', tlsClientCert], ['--tls-client-key', tlsClientKey]);
  return {
    ...pair,
    ...(tlsCa === null ? {} : { caPem: certificate('--tls-ca', tlsCa) }),
  };
}

type Named = readonly [flag: string, path: string | null];

/** Null when neither is given. A key that is not the certificate's would fail in the library, in words of its own. */
export function pairOf(
  [certFlag, certPath]: Named,
  [keyFlag, keyPath]: Named,
): { readonly certPem: string; readonly keyPem: string } | null {
  if (certPath === null && keyPath === null) return null;
  if (certPath === null) throw invalid(keyFlag, `it needs ${certFlag} beside it`);
  if (keyPath === null) throw invalid(certFlag, `it needs ${keyFlag} beside it`);
  const certPem = certificate(certFlag, certPath);
  const keyPem = text(keyFlag, keyPath);
  let isOfTheCertificate: boolean;
  try {
    isOfTheCertificate = new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    // The library's words may quote what it read, and this is a key.
    throw invalid(keyFlag, `${keyPath} holds no private key in PEM form`);
  }
  if (!isOfTheCertificate) {
    throw invalid(keyFlag, `${keyPath} is not the key of the certificate in ${certPath}`);
  }
  return { certPem, keyPem };
}

function certificate(flag: string, path: string): string {
  const pem = text(flag, path);
  try {
    new X509Certificate(pem);
  } catch (error) {
    throw invalid(flag, `${path} holds no certificate in PEM form: ${messageOf(error)}`);
  }
  return pem;
}

function text(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw invalid(flag, `cannot read ${path}: ${messageOf(error)}`);
  }
}

function invalid(flag: string, why: string): Mx8Error {
  return new Mx8Error('flag_invalid', `flag ${flag}: ${why}`, { flag });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
