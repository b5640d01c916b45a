import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';

import { PlainClient } from './plain-request.ts';

test('a PUT or POST without a body says that it has none, and is not sent in chunks', async () => {
  const heard: unknown[] = [];
  const server = createServer(({ method, headers }, answer) => {
    heard.push([method, headers['content-length'], headers['transfer-encoding']]);
    answer.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const authority = `127.0.0.1:${port}`;
  const origin = { secure: false, host: '127.0.0.1', port, authority, text: `http://${authority}` };
  const client = new PlainClient();
  try {
    for (const method of ['GET', 'DELETE', 'POST', 'PUT'] as const) {
      await client.send({ method, origin, target: '/', headers: [] });
    }
    await client.send({ method: 'PUT', origin, target: '/', headers: [], body: Buffer.from('xy') });
  } finally {
    client.close();
    server.close();
  }
  assert.deepEqual(heard, [
    ['GET', undefined, undefined],
    ['DELETE', undefined, undefined],
    ['POST', '0', undefined],
    ['PUT', '0', undefined],
    ['PUT', '2', undefined],
  ]);
});
