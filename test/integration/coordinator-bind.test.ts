/** Where a coordinator listens, with and without TLS, and how it stops. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';

import { jobId, nodeId } from '../../src/core/base/units.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import { startTestCoordinator, TEST_CAPS } from '../../src/testing/index.ts';
import type { TestCoordinator, TestCoordinatorOptions } from '../../src/testing/index.ts';
import { RawClient } from '../../src/testing/raw-client.ts';
import type { ClientTls } from '../../src/wire/connection.ts';
import { GrpcCoordinatorClient } from '../../src/wire/grpc-coordinator-client.ts';

const JOB = jobId('job');
const N1 = { jobId: JOB, nodeId: nodeId('n1'), instanceId: 'a process' };

function clientOf(coordUrl: string, tls: ClientTls = {}): GrpcCoordinatorClient {
  const [clock, random] = [nodeClock(), nodeRandom()];
  return new GrpcCoordinatorClient({ coordUrl, clock, random, tls, callTimeoutMs: 2000 });
}

/** What is taken into it is closed at the end of the test, the last one first, however it ends. */
class Held extends AsyncDisposableStack {
  client(coordUrl: string, tls: ClientTls = {}): GrpcCoordinatorClient {
    return this.adopt(clientOf(coordUrl, tls), (client) => client.close());
  }

  async coordinator(options: TestCoordinatorOptions = {}): Promise<TestCoordinator> {
    return this.adopt(await startTestCoordinator(options), ({ server }) => server.stop());
  }
}

test('a port that another program has is refused with its address', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const address = other.address();
  assert.ok(address !== null && typeof address === 'object');
  const bind = { host: '127.0.0.1', port: address.port };
  try {
    await using held = new Held();
    await assert.rejects(held.coordinator({ server: { bind } }), {
      code: 'port_in_use',
      message: new RegExp(`127\\.0\\.0\\.1:${address.port}`),
    });
  } finally {
    other.close();
  }
});

test('two coordinators do not share a port', async () => {
  await using held = new Held();
  const first = await held.coordinator();
  const bind = { host: '127.0.0.1', port: first.server.port };
  await assert.rejects(held.coordinator({ server: { bind } }), { code: 'port_in_use' });
});

test('an address that others reach needs TLS or a word that it may be open', async () => {
  const bind = { host: '0.0.0.0', port: 0 };
  await using held = new Held();
  await assert.rejects(held.coordinator({ server: { bind } }), {
    code: 'insecure_bind',
    message: /--insecure/,
  });
  const open = await held.coordinator({ server: { bind, insecure: true } });
  const client = held.client(`http://127.0.0.1:${open.server.port}`);
  assert.equal((await client.listJobs()).length, 1);
});

test('a host that is none of this machine is refused with what the system says', async () => {
  const bind = { host: '192.0.2.1', port: 0 };
  await using held = new Held();
  await assert.rejects(held.coordinator({ server: { bind, insecure: true } }), {
    code: 'flag_invalid',
    message: /192\.0\.2\.1/,
  });
});

test('a job that exists with other settings keeps the coordinator from starting, and frees its log', async () => {
  await using held = new Held();
  const first = await held.coordinator();
  const changed = { ...first.spec, blockSize: 7 };
  await first.server.stop();
  await assert.rejects(first.restart({ jobs: [changed] }), {
    code: 'job_exists',
    message: /block_size/,
  });
  held.adopt(await first.restart(), ({ server }) => server.stop());
});

test('a stop ends open sessions, and calls afterwards find nobody', async () => {
  await using held = new Held();
  const coordinator = await held.coordinator();
  const client = held.client(coordinator.address);
  const v0 = new RawClient(coordinator.address, 'mx8.v0.Coordinator');
  held.defer(() => v0.close());
  await client.register(N1, TEST_CAPS, new Uint8Array(0));
  const ended = new Promise<void>((resolve) => {
    client.onPush((push) => {
      if (push.type === 'disconnected') resolve();
    });
  });
  await Promise.all([coordinator.server.stop(), coordinator.server.stop()]);
  await ended;
  assert.equal((await v0.refusal('GetJobSnapshot', { jobId: 'job' })).status, 14);
  await assert.rejects(coordinator.server.client.snapshot(JOB), {
    code: 'coordinator_unavailable',
  });
});

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

test(
  'with TLS only clients that trust the coordinator, and that it trusts, get in',
  { skip: hasOpenssl ? false : 'openssl, which makes the certificates, is not installed' },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mx8-tls-'));
    try {
      const ours = await certificate(folder, 'ours');
      const theirs = await certificate(folder, 'theirs');
      const tls = { ...ours, clientCaPem: ours.certPem };
      const bind = { host: '0.0.0.0', port: 0 };
      await using held = new Held();
      const coordinator = await held.coordinator({ server: { tls, bind } });
      const url = `https://localhost:${coordinator.server.port}`;
      const known = held.client(url, { caPem: ours.certPem, ...ours });
      assert.equal((await known.register(N1, TEST_CAPS, new Uint8Array(0))).jobReady, true);
      assert.equal((await known.listJobs()).length, 1);
      const strangers: readonly (readonly [ClientTls, RegExp])[] = [
        [{ caPem: ours.certPem }, /give --tls-client-cert and --tls-client-key/],
        [{ caPem: ours.certPem, ...theirs }, /--tls-client-ca|ECONNRESET/],
        [{ caPem: theirs.certPem, ...ours }, /of no authority that is known here.*--tls-ca/],
      ];
      for (const [stranger, message] of strangers) {
        const client = held.client(url, stranger);
        await assert.rejects(client.listJobs(), { code: 'coordinator_unavailable', message });
      }
      const plain = held.client(url.replace('https', 'http'));
      const message = /if it serves TLS, ask it at https:/;
      await assert.rejects(plain.listJobs(), { code: 'coordinator_unavailable', message });
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);

/** A certificate for localhost that is its own authority. */
async function certificate(
  folder: string,
  name: string,
): Promise<{ readonly certPem: string; readonly keyPem: string }> {
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    '-days',
    '2',
    ...kind,
    ...subject,
    '-keyout',
    key,
    '-out',
    cert,
  ]);
  return { certPem: await readFile(cert, 'utf8'), keyPem: await readFile(key, 'utf8') };
}
