/** What a coordinator does with calls that no gRPC library would make, and with ones that break off. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect as connectSocket } from 'node:net';
import test from 'node:test';

import { status } from '@grpc/grpc-js';
import { RawClient } from '../../src/testing/raw-client.ts';
import { startTestCoordinator, TEST_CAPS } from '../../src/testing/index.ts';
import type { TestCoordinator, TestCoordinatorOptions } from '../../src/testing/index.ts';
import { messageFrame } from '../../src/wire/message-frames.ts';
import { wireType } from '../../src/wire/schema.ts';

interface World {
  readonly coordinator: TestCoordinator;
  readonly session: ClientHttp2Session;
}

/** However a body goes, the coordinator goes on: it answers a right call, and nothing was a bug. */
async function withSession(
  options: TestCoordinatorOptions,
  body: (world: World) => Promise<void>,
): Promise<void> {
  const coordinator = await startTestCoordinator(options);
  const session = connect(`http://${coordinator.address}`);
  try {
    await body({ coordinator, session });
    assert.equal((await answerTo(session, {}, SNAPSHOT)).status, status.OK);
  } finally {
    session.destroy();
    await coordinator.server.stop();
  }
  assert.deepEqual(coordinator.fatal, []);
  assert.deepEqual(coordinator.events.of('call_failed'), []);
}

const PATH = '/mx8.v0.Coordinator/GetJobSnapshot';
const HEADERS = {
  ':method': 'POST',
  ':path': PATH,
  'content-type': 'application/grpc',
  te: 'trailers',
};
const SNAPSHOT = messageFrame(wireType('mx8.v0.GetJobSnapshotRequest').encode({ jobId: 'job' }));

interface Answer {
  readonly httpStatus: number;
  /** -1 when the answer has none. */
  readonly status: number;
  readonly message: string;
  readonly code: string;
  readonly trailers: IncomingHttpHeaders;
}

/** A header that is undefined is left out. */
async function answerTo(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  ...parts: readonly Uint8Array[]
): Promise<Answer> {
  const stream = session.request({ ...HEADERS, ...headers });
  for (const part of parts) stream.write(part);
  stream.end();
  return answerOf(stream);
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  let trailers: IncomingHttpHeaders | null = null;
  stream.on('trailers', (headers) => {
    trailers = headers as IncomingHttpHeaders;
  });
  stream.on('error', () => undefined);
  stream.resume();
  const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  await closed(stream);
  const last: IncomingHttpHeaders = trailers ?? head;
  return {
    httpStatus: Number(head[':status']),
    status: Number(last['grpc-status'] ?? -1),
    message: decodeURI(String(last['grpc-message'] ?? '')),
    code: String(last['mx8-error-code'] ?? ''),
    trailers: last,
  };
}

async function closed(stream: ClientHttp2Stream): Promise<void> {
  if (!stream.destroyed) await once(stream, 'close');
}

test('what is no gRPC call is answered in HTTP', async () => {
  await withSession({}, async ({ session }) => {
    const cases: readonly (readonly [OutgoingHttpHeaders, number])[] = [
      [{ 'content-type': undefined }, 415],
      [{ 'content-type': 'application/json' }, 415],
      [{ ':method': 'PUT' }, 405],
      [{ ':method': 'GET' }, 405],
    ];
    for (const [headers, httpStatus] of cases) {
      const answer = await answerTo(session, headers);
      assert.deepEqual([answer.httpStatus, answer.status], [httpStatus, -1]);
    }
  });
});

test('a path that is no method is UNIMPLEMENTED and named', async () => {
  await withSession({}, async ({ session }) => {
    for (const path of ['/', '/mx8.v0.Coordinator/Reset', '/mx8.v9.Coordinator/Heartbeat']) {
      const answer = await answerTo(session, { ':path': path }, SNAPSHOT);
      assert.equal(answer.httpStatus, 200);
      assert.equal(answer.status, status.UNIMPLEMENTED);
      assert.ok(answer.message.includes(path), answer.message);
    }
  });
});

test('a client that leaves out te or names the encoding of messages is served', async () => {
  await withSession({}, async ({ session }) => {
    for (const headers of [
      { te: undefined },
      { 'content-type': 'application/grpc+proto' },
      { 'grpc-encoding': 'identity', 'grpc-timeout': '99999999H' },
      { 'grpc-encoding': 'gzip' },
    ]) {
      assert.equal((await answerTo(session, headers, SNAPSHOT)).status, status.OK);
    }
  });
});

test('a message that comes byte by byte is one message', async () => {
  await withSession({}, async ({ session }) => {
    const stream = session.request(HEADERS);
    const answer = answerOf(stream);
    for (const byte of SNAPSHOT) {
      stream.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    stream.end();
    assert.equal((await answer).status, status.OK);
  });
});

test('a method of one message takes neither none, nor two, nor half of one', async () => {
  await withSession({}, async ({ session }) => {
    const none = await answerTo(session, {});
    const two = await answerTo(session, {}, SNAPSHOT, SNAPSHOT);
    const half = await answerTo(session, {}, SNAPSHOT.subarray(0, SNAPSHOT.length - 1));
    assert.equal(none.status, status.UNIMPLEMENTED);
    assert.equal(two.status, status.UNIMPLEMENTED);
    assert.deepEqual([half.status, half.code], [status.INVALID_ARGUMENT, 'field_invalid']);
    assert.match(half.message, /middle of a message/);
  });
});

test('a compressed message is UNIMPLEMENTED, with the encoding that is taken', async () => {
  await withSession({}, async ({ session }) => {
    const packed = Buffer.from(SNAPSHOT);
    packed[0] = 1;
    const answer = await answerTo(session, { 'grpc-encoding': 'gzip' }, packed);
    assert.equal(answer.status, status.UNIMPLEMENTED);
    assert.equal(answer.trailers['grpc-accept-encoding'], 'identity');
    assert.match(answer.message, /compressed/);
  });
});

test('a message over the cap is refused by its length, and its sender is stopped', async () => {
  const server = { grpcMaxMessageBytes: 1000 };
  await withSession({ server }, async ({ session }) => {
    const stream = session.request(HEADERS);
    const answer = answerOf(stream);
    // The length only, and no end: nobody waits for the rest.
    stream.write(Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff));
    const { status: code, code: name, message } = await answer;
    assert.deepEqual([code, name], [status.RESOURCE_EXHAUSTED, 'message_too_large']);
    assert.match(message, /4294967295 bytes.*1000/);
    assert.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR);
  });
});

test('a deadline that cannot be read is refused, and one that passes ends the call', async () => {
  await withSession({}, async ({ session }) => {
    for (const timeout of ['soon', '1', '123456789S', '-1S', '5x', '']) {
      const answer = await answerTo(session, { 'grpc-timeout': timeout }, SNAPSHOT);
      assert.equal(answer.status, status.INVALID_ARGUMENT, timeout);
      assert.match(answer.message, /grpc-timeout/);
    }
    // Neither has all of its request: one could be answered, the other waits to be spoken to.
    const unary = session.request({ ...HEADERS, 'grpc-timeout': '60m' });
    unary.write(SNAPSHOT);
    const duplex = session.request({
      ...HEADERS,
      ':path': '/mx8.v1.Coordinator/Session',
      'grpc-timeout': '60000u',
    });
    for (const answer of [answerOf(unary), answerOf(duplex)]) {
      assert.equal((await answer).status, status.DEADLINE_EXCEEDED);
    }
  });
});

test('a sentence that is not ASCII arrives as it was said', async () => {
  await withSession({}, async ({ coordinator }) => {
    const v0 = new RawClient(coordinator.address, 'mx8.v0.Coordinator');
    const jobId = 'größe 100% \u{1f600}\nsecond line';
    const refused = await v0.refusal('GetJobSnapshot', { jobId });
    v0.close();
    assert.equal(refused.status, status.INVALID_ARGUMENT);
    assert.ok(refused.message.endsWith(JSON.stringify(jobId)), refused.message);
  });
});

test('a sentence that quotes more than a header holds is cut', async () => {
  await withSession({}, async ({ coordinator }) => {
    const v0 = new RawClient(coordinator.address, 'mx8.v0.Coordinator');
    const node = { jobId: 'job', nodeId: 'n1' };
    await v0.call('RegisterNode', { ...node, caps: TEST_CAPS });
    const report = { ...node, leaseId: 'x'.repeat(200_000), cursor: 1 };
    const refused = await v0.refusal('ReportProgress', report);
    v0.close();
    assert.deepEqual([refused.status, refused.code], [status.NOT_FOUND, 'lease_unknown']);
    assert.equal(refused.message.length, 2000);
  });
});

test('streams that are opened and reset in one packet are none', async () => {
  await withSession({}, async ({ coordinator }) => {
    const paths = ['/', '/mx8.v1.Coordinator/Session', PATH];
    const packet = paths.flatMap((path, index) => {
      const headers = Object.entries({
        ':method': 'POST',
        ':scheme': 'http',
        ':authority': 'x',
        ':path': path,
        // The first is no gRPC call either.
        ...(index === 0 ? {} : { 'content-type': 'application/grpc', 'grpc-timeout': '1S' }),
      });
      const block = headers.flatMap(([name, value]) => [0, ...text(name), ...text(value)]);
      const stream = [0, 0, 0, 2 * index + 1];
      const opened = [0, block.length >> 8, block.length & 255, 1, 4, ...stream, ...block];
      return [...opened, 0, 0, 4, 3, 0, ...stream, 0, 0, 0, constants.NGHTTP2_CANCEL];
    });
    const settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const preface = [...Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), ...settings];
    const socket = connectSocket(coordinator.server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    // And a ping, whose answer says that all of it was read.
    const ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, ...Buffer.from('all read')];
    socket.write(Uint8Array.from([...preface, ...packet, ...ping]));
    let received = '';
    while (!received.includes('all read')) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      received += chunk.toString('latin1');
    }
    socket.destroy();
  });
});

/** A string of HPACK: below 128 bytes, as it is. */
function text(value: string): readonly number[] {
  return [value.length, ...Buffer.from(value)];
}

test('calls that are reset in the middle leave nothing behind', async () => {
  await withSession({ samples: 200_000 }, async ({ coordinator, session }) => {
    const half = session.request(HEADERS);
    half.write(SNAPSHOT.subarray(0, 3));
    const asked = session.request(HEADERS);
    asked.end(SNAPSHOT);
    const stream = session.request({
      ...HEADERS,
      ':path': '/mx8.v0.Coordinator/GetManifestStream',
    });
    const { manifestHash } = coordinator.spec;
    const request = wireType('mx8.v0.GetManifestRequest').encode({ jobId: 'job', manifestHash });
    stream.end(messageFrame(request));
    const [chunk] = (await once(stream, 'data')) as [Buffer];
    assert.ok(chunk.length > 0);
    const all = [half, asked, stream];
    for (const call of all) {
      call.on('error', () => undefined);
      call.close(constants.NGHTTP2_CANCEL);
    }
    await Promise.all(all.map(closed));
    // A whole manifest comes over the same connection afterwards.
    const v0 = new RawClient(coordinator.address, 'mx8.v0.Coordinator');
    let bytes = 0;
    for await (const part of v0.stream('GetManifestStream', { jobId: 'job', manifestHash })) {
      bytes += (part['data'] as Uint8Array).length;
    }
    v0.close();
    assert.ok(bytes > 4 * 1024 ** 2);
  });
});

test('a report whose connection breaks before the answer counts once', async () => {
  await withSession({}, async ({ coordinator, session }) => {
    const node = { jobId: 'job', nodeId: 'n1' };
    const v0 = new RawClient(coordinator.address, 'mx8.v0.Coordinator');
    await v0.call('RegisterNode', { ...node, caps: TEST_CAPS });
    const { leases } = await v0.call('RequestLease', { ...node, want: 1 });
    const [lease] = leases as { leaseId: string }[];
    const report = { ...node, leaseId: lease?.leaseId, cursor: 4 };
    const stream = session.request({ ...HEADERS, ':path': '/mx8.v0.Coordinator/ReportProgress' });
    stream.on('error', () => undefined);
    stream.end(messageFrame(wireType('mx8.v0.ReportProgressRequest').encode(report)));
    await new Promise((resolve) => setImmediate(resolve));
    stream.close(constants.NGHTTP2_CANCEL);
    // A client that got no answer asks again.
    await v0.call('ReportProgress', report);
    await v0.call('ReportProgress', { ...report, cursor: 10 });
    const snapshot = await v0.call('GetJobSnapshot', { jobId: 'job' });
    v0.close();
    assert.equal(Number(String(snapshot['activeLeases'])), 0);
  });
});

test('bytes that are no HTTP/2 end their connection only', async () => {
  await withSession({}, async ({ coordinator }) => {
    const { port } = coordinator.server;
    for (const bytes of [
      'GET / HTTP/1.1\r\nhost: x\r\n\r\n',
      '\u0016\u0003\u0001',
      'x'.repeat(9999),
    ]) {
      const socket = connectSocket(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.resume();
      socket.end(bytes);
      if (!socket.closed) await once(socket, 'close');
    }
  });
});

test('a stop within a second ends calls that nobody ends', async () => {
  const coordinator = await startTestCoordinator();
  const session = connect(`http://${coordinator.address}`);
  session.on('error', () => undefined);
  const stream = session.request(HEADERS);
  stream.on('error', () => undefined);
  stream.write(SNAPSHOT.subarray(0, 3));
  // A socket that never says a word is a connection too.
  const silent = connectSocket(coordinator.server.port, '127.0.0.1');
  await Promise.all([once(silent, 'connect'), once(session, 'remoteSettings')]);
  // Once a ping is answered, what was sent before it has arrived.
  await new Promise<void>((resolve) => session.ping(() => resolve()));
  const ends = [once(session, 'close'), once(silent, 'close')];
  silent.resume();
  await coordinator.server.stop();
  await Promise.all(ends);
});
