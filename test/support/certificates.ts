/** An authority, a server's certificate for 127.0.0.1 and a client's, made with openssl in a folder. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificates {
  readonly caPath: string;
  readonly serverCertPath: string;
  readonly serverKeyPath: string;
  readonly clientCertPath: string;
  readonly clientKeyPath: string;
  readonly caPem: string;
  readonly clientCertPem: string;
  readonly clientKeyPem: string;
}

export function makeCertificates(folder: string): Certificates {
  const path = (name: string): string => join(folder, name);
  const openssl = (...words: readonly string[]): void => {
    execFileSync('openssl', words, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    ...['req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=mx8 test authority'],
    ...['-keyout', 'ca.key', '-out', 'ca.pem'],
  );
  const sign = (name: string, subject: string, extensions: string): void => {
    writeFileSync(path(`${name}.ext`), extensions);
    openssl(
      ...['req', ...newKey, '-subj', subject, '-keyout', `${name}.key`, '-out', `${name}.csr`],
    );
    openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key'],
      ...['-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`],
    );
  };
  // etcd's HTTP gateway is a client of its own server and shows the server's certificate.
  const usage = 'extendedKeyUsage=serverAuth,clientAuth\n';
  sign('server', '/CN=etcd', `subjectAltName=IP:127.0.0.1,DNS:localhost\n${usage}`);
  sign('client', '/CN=mx8', 'extendedKeyUsage=clientAuth\n');
  return {
    caPath: path('ca.pem'),
    serverCertPath: path('server.pem'),
    serverKeyPath: path('server.key'),
    clientCertPath: path('client.pem'),
    clientKeyPath: path('client.key'),
    caPem: readFileSync(path('ca.pem'), 'utf8'),
    clientCertPem: readFileSync(path('client.pem'), 'utf8'),
    clientKeyPem: readFileSync(path('client.key'), 'utf8'),
  };
}
