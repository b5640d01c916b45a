/**
 * Servers that answer any unary gRPC call at once with an empty message: what node:http2 can do here by
 * hand, and what grpc-js makes of it.
 */
import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';

import { Server, ServerCredentials } from '@grpc/grpc-js';
import { wireMethods } from '../src/wire/schema.ts';

export interface BareServer {
  readonly port: number;
  close(): void;
}

const EMPTY_MESSAGE = Buffer.alloc(5);
const RESPONSE_HEADERS = [':status', '200', 'content-type', 'application/grpc+proto'];
/** `sendDate` is an option of Node's that its types do not know. */
const WITH_TRAILERS = { waitForTrailers: true, sendDate: false };

export async function bareHttp2(): Promise<BareServer> {
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('end', () => {
      stream.respond(RESPONSE_HEADERS, WITH_TRAILERS);
      stream.end(EMPTY_MESSAGE);
    });
    stream.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens on a port');
  return { port: address.port, close: () => server.close() };
}

export async function bareGrpcJs(): Promise<BareServer> {
  const server = new Server({ 'grpc.enable_channelz': 0 });
  const [method] = wireMethods('mx8.v0.Coordinator').filter(
    ({ name }) => name === 'ReportProgress',
  );
  if (method === undefined) throw new Error('the schema has ReportProgress');
  const { path, request, response } = method;
  const definition = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: request.encode,
    requestDeserialize: request.decode,
    responseSerialize: response.encode,
    responseDeserialize: response.decode,
  };
  server.addService(
    { ReportProgress: definition },
    {
      ReportProgress: (_call: unknown, callback: (error: null, answer: object) => void) =>
        callback(null, {}),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { port, close: () => server.forceShutdown() };
}
