/** `mx8 run --http-bind`: the page and metrics of a run while it lasts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { request } from 'node:https';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { until, Workbench } from '../support/mx8-process.ts';

const JOB = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));

async function textOf(url: string): Promise<string | null> {
  try {
    return await (await fetch(url)).text();
  } catch (error) {
    // Nobody listens there.
    if (error instanceof TypeError) return null;
    throw error;
  }
}

test('a run serves page, probes and metrics while it lasts, and says where once', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 80);
  const url = `http://127.0.0.1:${await freePort()}/`;
  const words = ['--data', data, '--out', bench.path('out'), '--nodes', '2', '--ram-gb', '1.5'];
  // By the variable: the agents of the run inherit it, and must leave that port alone.
  const environment = { MX8_HTTP_BIND_ADDR: url.slice('http://'.length, -1), TEST_PAUSE_MS: '400' };
  const run = bench.start(['run', JOB, ...words], environment);
  let metrics = '';
  await until('work shows in the metrics', async () => {
    metrics = (await textOf(`${url}metrics`)) ?? '';
    return /^mx8_samples\{job_id="checksum-\w+",state="committed"\} [1-9]/m.test(metrics);
  });
  assert.match(metrics, /^mx8_registered_nodes\{job_id="checksum-\w+"\} 2$/m);
  assert.match((await textOf(url)) ?? '', /<title>mx8/i);
  assert.equal((await fetch(`${url}readyz`)).status, 200);
  const { code, stderr } = await run.ended;
  assert.equal(code, 0, stderr);
  assert.equal(stderr.split(url).length, 2, `the address is said once:\n${stderr}`);
  assert.equal(await textOf(url), null, 'it ends with the run');
});

/** The status of the page at that port over TLS, shown a client's certificate or none; null for no answer. */
async function statusOverTls(
  port: number,
  { caPem, clientCertPem, clientKeyPem }: Certificates,
  isKnown: boolean,
): Promise<number | null> {
  const known = isKnown ? { cert: clientCertPem, key: clientKeyPem } : {};
  const call = request({ host: '127.0.0.1', port, path: '/', ca: caPem, agent: false, ...known });
  call.end();
  try {
    const [response] = (await once(call, 'response')) as [{ statusCode: number; resume(): void }];
    response.resume();
    return response.statusCode;
  } catch {
    // Nobody listens yet, or who asks is not known.
    return null;
  }
}

test('the page of a run on an address that others reach takes TLS or a word that it may be open', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 40);
  const folder = bench.path('certificates');
  await mkdir(folder);
  const certificates = makeCertificates(folder);
  const port = await freePort();
  const words = ['run', JOB, '--data', data, '--out', bench.path('out'), '--ram-gb', '1'];
  const page = ['--http-bind', `0.0.0.0:${port}`];
  const refused = await bench.run([...words, ...page]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /can be reached from other machines.*--insecure/);

  const { serverCertPath, serverKeyPath, caPath } = certificates;
  const tls = ['--tls-cert', serverCertPath, '--tls-key', serverKeyPath, '--tls-client-ca', caPath];
  const run = bench.start([...words, ...page, ...tls], { TEST_PAUSE_MS: '400' });
  const isServed = async (): Promise<boolean> =>
    (await statusOverTls(port, certificates, true)) === 200;
  await until('the page is served over TLS', isServed);
  assert.equal(await statusOverTls(port, certificates, false), null, 'a stranger is turned away');
  const { code, stderr } = await run.ended;
  assert.equal(code, 0, stderr);
  assert.match(stderr, new RegExp(`https://127.0.0.1:${port}/`));
});

test('a run without the flag serves nothing', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 8);
  const words = ['--data', data, '--out', bench.path('out'), '--ram-gb', '1'];
  const { code, stderr } = await bench.run(['run', JOB, ...words], { MX8_HTTP_BIND_ADDR: '' });
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stderr, /http_serving/);
});
