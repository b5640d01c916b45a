/** The listener below the coordinator's calls: peers that went silent, names with several addresses. */
import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import test from 'node:test';

import { FakeClock } from '../../src/testing/fake-clock.ts';
import { Http2Listener } from '../../src/wire/http2-listener.ts';
import { KEEPALIVE_INTERVAL_MS, KEEPALIVE_TIMEOUT_MS } from '../../src/wire/limits.ts';

function listen(clock: FakeClock, host: string): Promise<Http2Listener> {
  const onStream = (): void => undefined;
  return Http2Listener.open({ bind: { host, port: 0 }, tls: null, clock, onStream });
}

const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  // An empty SETTINGS frame.
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

test('a peer that answers no ping is cut off, one that does stays', async () => {
  const clock = new FakeClock();
  const listener = await listen(clock, '127.0.0.1');
  const alive = connect(`http://127.0.0.1:${listener.port}`);
  // It opens a connection as it should, and never speaks again.
  const dead = connectSocket(listener.port, '127.0.0.1');
  dead.resume();
  dead.write(PREFACE);
  await Promise.all([once(alive, 'remoteSettings'), once(dead, 'data')]);
  const cutOff = once(dead, 'close');
  const pinged = once(alive, 'ping');
  await clock.advance(KEEPALIVE_INTERVAL_MS);
  await pinged;
  assert.equal(dead.closed, false);
  // The answer to the ping takes a round trip: another one behind it says that it has arrived.
  await new Promise<void>((resolve) => alive.ping(() => resolve()));
  await clock.advance(KEEPALIVE_TIMEOUT_MS);
  await cutOff;
  assert.equal(alive.closed, false);
  const again = once(alive, 'ping');
  await clock.advance(KEEPALIVE_INTERVAL_MS);
  await again;
  alive.destroy();
  await listener.close(Promise.resolve());
  assert.equal(clock.timerCount, 0);
});

test('a name is listened to on every address that it stands for', async () => {
  const addresses = await lookup('localhost', { all: true });
  const listener = await listen(new FakeClock(), 'localhost');
  for (const { address } of addresses) {
    const socket = connectSocket(listener.port, address);
    await once(socket, 'connect');
    socket.destroy();
  }
  await listener.close(Promise.resolve());
  assert.equal(listener.port, 0);
});
