/** `--http-bind` of coordinators and agents, as processes. */
import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';

import { until, Workbench } from '../support/mx8-process.ts';
import { parseExposition } from '../support/prometheus-text.ts';

const MEMORY = ['--state', 'memory', '--bind', '127.0.0.1:0', '--json'];

interface ServingLine {
  readonly port: number;
  readonly url: string | null;
}

async function servingLine(
  bench: Workbench,
  words: readonly string[],
  bind?: string,
): Promise<ServingLine> {
  const environment = bind === undefined ? {} : { MX8_HTTP_BIND_ADDR: bind };
  const mx8 = bench.start(['coordinator', ...MEMORY, ...words], environment);
  await until('it serves', () => mx8.stdout().includes('\n'));
  return JSON.parse(mx8.stdout().split('\n')[0] ?? '') as ServingLine;
}

test('a coordinator says where its page is, an agent exposes its metrics beside it', async () => {
  await using bench = await Workbench.create();
  const data = await bench.files('in', 60);
  const words = ['--data', data, '--block-size', '20', '--http-bind', '127.0.0.1:0'];
  const { port, url } = await servingLine(bench, words);
  assert.ok(url !== null);
  assert.match(await (await fetch(`${url}readyz`)).text(), /^leader of epoch 1$/m);
  const agent = bench.start(
    [
      ...['agent', '--node-id', 'a', '--batch-size', '5', '--sink-sleep-ms', '100'],
      '--http-bind',
      '127.0.0.1:0',
    ],
    { MX8_COORD_URL: `http://127.0.0.1:${port}` },
  );
  const own = (): string | undefined => /"url":"([^"]+)"/.exec(agent.stderr())?.[1];
  await until('the agent serves', () => own() !== undefined);
  const delivered = async (): Promise<number> => {
    const metrics = parseExposition(await (await fetch(`${own() ?? ''}metrics`)).text());
    return metrics.of('mx8_agent_delivered_samples_total')[0]?.[1] ?? 0;
  };
  await until('it has delivered', async () => (await delivered()) > 0);
  assert.equal((await agent.ended).code, 0);
});

test('a default port that is taken is a warning, one that was asked for an error', async () => {
  await using bench = await Workbench.create();
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = other.address();
  assert.ok(address !== null && typeof address === 'object');
  const taken = `127.0.0.1:${address.port}`;
  const refused = await bench.run(['coordinator', ...MEMORY, '--http-bind', taken]);
  assert.equal(refused.code, 1);
  assert.match(refused.stdout, /another program listens on/);
  other.close();

  // The default itself: whoever has it, this test or another program, it is taken.
  const holder = createServer();
  holder.on('error', () => undefined);
  holder.listen(50_080, '127.0.0.1');
  await Promise.race([once(holder, 'listening'), once(holder, 'error')]);
  const mx8 = bench.start(['coordinator', ...MEMORY], { MX8_HTTP_BIND_ADDR: '' });
  await until('it serves', () => mx8.stdout().includes('\n'));
  assert.equal((JSON.parse(mx8.stdout()) as ServingLine).url, null);
  assert.match(mx8.stderr(), /"event":"http_port_taken".*--http-bind off/);
  holder.close();
});

test('an address that others reach takes TLS or a word that it may be open', async () => {
  await using bench = await Workbench.create();
  const refused = await bench.run(['coordinator', ...MEMORY, '--http-bind', '0.0.0.0:0']);
  assert.equal(refused.code, 2);
  assert.match(refused.stdout, /can be reached from other machines.*--insecure/);
  const { url } = await servingLine(bench, ['--http-bind', '0.0.0.0:0', '--insecure']);
  assert.equal((await fetch(`${url ?? ''}healthz`)).status, 200);
});

test('off is off', async () => {
  await using bench = await Workbench.create();
  assert.equal((await servingLine(bench, [], 'off')).url, null);
});

test('connections that say nothing are soon closed, and keep probes out no longer', async () => {
  await using bench = await Workbench.create();
  const { url } = await servingLine(bench, ['--http-bind', '127.0.0.1:0']);
  assert.ok(url !== null);
  const idle = Array.from({ length: 300 }, () => connect(Number(new URL(url).port), '127.0.0.1'));
  const closed = idle.map(async (socket) => {
    socket.resume();
    await once(socket, 'close');
  });
  // Node looks every 30 s by itself.
  await until('all are closed', () => idle.every((socket) => socket.closed), 15_000);
  await Promise.all(closed);
  assert.equal((await fetch(`${url}healthz`)).status, 200);
});
