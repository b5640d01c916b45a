import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';

import { nodeId } from '../core/base/units.ts';
import { nodeClock } from '../platform/clock.ts';
import { seededRandom } from '../testing/index.ts';
import { GrpcCoordinatorClient } from './grpc-coordinator-client.ts';

test('who waits for no answer any more does not wait for a coordinator that is silent', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const client = new GrpcCoordinatorClient({
    coordUrl: `http://127.0.0.1:${port}`,
    clock: nodeClock(),
    random: seededRandom(1),
    callTimeoutMs: 60_000,
  });
  const over = new AbortController();
  const asked = client.shareStores(nodeId('guest'), [], over.signal);
  await once(silent, 'connection');
  over.abort(new Error('it has ended'));
  await assert.rejects(asked, { message: 'it has ended' });
  await client.close();
  for (const socket of sockets) socket.destroy();
  silent.close();
});
