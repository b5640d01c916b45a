/** What a planned hand-over is to a node with a session: two coordinators of this process, over gRPC. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http2';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { jobId, nodeId } from '../../src/core/base/units.ts';
import { startCoordinator } from '../../src/coordinator/start-coordinator.ts';
import { MemoryElection, MemoryElectionBoard } from '../../src/log/memory-election.ts';
import { MemoryLog } from '../../src/log/memory-log.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import type { NodeIdentity, Push } from '../../src/ports/coordinator-client.ts';
import { RecordingEvents, startTestCoordinator, TEST_CAPS } from '../../src/testing/index.ts';
import { GrpcCoordinatorClient } from '../../src/wire/grpc-coordinator-client.ts';

const NODE: NodeIdentity = { jobId: jobId('job'), nodeId: nodeId('n1'), instanceId: 'a process' };
const NO_TOKEN = new Uint8Array(0);
const TTL_MS = 2000;

function clientOf(coordUrl: string): GrpcCoordinatorClient {
  return new GrpcCoordinatorClient({ coordUrl, clock: nodeClock(), random: nodeRandom() });
}

function nextPush(client: GrpcCoordinatorClient, type: Push['type']): Promise<Push> {
  return new Promise((resolve) => {
    client.onPush((push) => {
      if (push.type === type) resolve(push);
    });
  });
}

test('a node has a connection to the coordinator that does not lead, until it closes', async () => {
  const leader = await startTestCoordinator({});
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = other.address();
  assert.ok(typeof address === 'object' && address !== null);
  const client = clientOf(`${leader.address},127.0.0.1:${address.port}`);
  try {
    const connected = once(other, 'session');
    await client.register(NODE, TEST_CAPS, NO_TOKEN);
    const [session] = (await connected) as [NodeJS.EventEmitter];
    const closed = once(session, 'close');
    // One that is lost is made again.
    const again = once(other, 'session');
    (session as unknown as { destroy: () => void }).destroy();
    await closed;
    const [second] = (await again) as [NodeJS.EventEmitter];
    const ended = once(second, 'close');
    await client.close();
    await ended;
  } finally {
    await client.close();
    other.close();
    await leader.server.stop();
  }
});

test('a node that asks nothing is told by the leader that leaves where the next one is', async () => {
  const clock = nodeClock();
  const board = new MemoryElectionBoard(clock);
  const first = await startTestCoordinator({
    server: { election: new MemoryElection(board, TTL_MS) },
  });
  const events = new RecordingEvents();
  const second = await startCoordinator({
    log: new MemoryLog(first.disk),
    manifests: first.manifests,
    clock,
    random: nodeRandom(),
    events,
    bind: { host: '127.0.0.1', port: 0 },
    election: new MemoryElection(board, TTL_MS),
    onFatal: (error) => assert.fail(error.message),
  });
  const client = clientOf(`${first.address},127.0.0.1:${second.port}`);
  try {
    await client.register(NODE, TEST_CAPS, NO_TOKEN);
    const [left, back] = [nextPush(client, 'disconnected'), nextPush(client, 'connected')];
    // Meanwhile the standby has rehearsed, once and unheard.
    while (events.of('standby_rehearsed').length === 0) await sleep(10);
    assert.deepEqual(events.of('lease_granted'), []);
    const stopped = first.server.stop();
    const push = await left;
    assert.ok(push.type === 'disconnected');
    assert.equal(push.code, 'not_leader');
    assert.match(push.message, new RegExp(`127\\.0\\.0\\.1:${second.port}$`));
    await back;
    assert.equal((await client.requestLeases(NODE, 1, [])).leases.length, 1);
    await stopped;
    assert.equal(events.of('standby_rehearsed').length, 1);
  } finally {
    await client.close();
    await second.stop();
  }
});
