/**
 * A gRPC service from its schema and one function per method. Here is all that grpc-js needs: bytes
 * that are no message, statuses, flow control of streams, cancellation.
 */
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServerDuplexStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { type WireMessage, wireMethods, type WireMethod } from './schema.ts';
import { asMx8Error, statusOf } from './status.ts';

/** A message as it came: grpc-js would call undecodable bytes INTERNAL, they are the sender's mistake. */
export type Received = WireMessage | Mx8Error;
export type SessionCall = ServerDuplexStream<Received, WireMessage>;

export type UnaryMethod = (message: WireMessage) => Promise<WireMessage>;
export type StreamMethod = (message: WireMessage) => AsyncIterable<WireMessage>;

export interface ServiceMethods {
  readonly unary: Readonly<Record<string, UnaryMethod>>;
  readonly stream: Readonly<Record<string, StreamMethod>>;
  readonly duplex: Readonly<Record<string, (call: SessionCall) => void>>;
}

export interface GrpcService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

export function grpcService(
  name: string,
  methods: ServiceMethods,
  onInternalError: (error: Mx8Error) => void,
): GrpcService {
  const definition: Record<string, Definition> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const method of wireMethods(name)) {
    definition[method.name] = methodDefinition(method);
    implementation[method.name] = handler(method, methods, onInternalError);
  }
  return { definition, implementation };
}

type Definition = ServiceDefinition[string];

function methodDefinition(method: WireMethod): Definition {
  const { path, requestStream, responseStream, request, response } = method;
  return {
    path,
    requestStream,
    responseStream,
    requestSerialize: request.encode,
    requestDeserialize: (bytes: Buffer): Received => received(method, bytes),
    responseSerialize: response.encode,
    responseDeserialize: response.decode,
  };
}

function received(method: WireMethod, bytes: Buffer): Received {
  try {
    return method.request.decode(bytes);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `the request of ${method.name} is not the protobuf message it takes: ${why}`;
    return new Mx8Error('field_invalid', message, { method: method.name });
  }
}

function handler(
  method: WireMethod,
  methods: ServiceMethods,
  onInternalError: (error: Mx8Error) => void,
): UntypedServiceImplementation[string] {
  const { name } = method;
  const implements_ = `method ${name} is implemented`;
  if (method.requestStream) return must(methods.duplex[name], implements_);
  if (method.responseStream)
    return serverStream(must(methods.stream[name], implements_), onInternalError);
  return unary(must(methods.unary[name], implements_), onInternalError);
}

function unary(
  answer: UnaryMethod,
  onInternalError: (error: Mx8Error) => void,
): handleUnaryCall<Received, WireMessage> {
  return (call, callback) => {
    answered(answer, call.request).then(
      (message) => callback(null, message),
      (cause: unknown) => {
        const error = asMx8Error(cause);
        if (error.code === 'internal') onInternalError(error);
        callback(statusOf(error));
      },
    );
  };
}

async function answered(answer: UnaryMethod, request: Received): Promise<WireMessage> {
  return answer(decoded(request));
}

/** The message, or the refusal that stands for undecodable bytes, thrown. */
export function decoded(request: Received): WireMessage {
  if (request instanceof Mx8Error) throw request;
  return request;
}

function serverStream(
  answer: StreamMethod,
  onInternalError: (error: Mx8Error) => void,
): handleServerStreamingCall<Received, WireMessage> {
  return (call) => {
    const send = async (): Promise<void> => {
      for await (const message of answer(decoded(call.request))) {
        if (call.cancelled || call.destroyed) return;
        if (!call.write(message)) await roomOrEnd(call);
      }
      call.end();
    };
    send().catch((cause: unknown) => {
      const error = asMx8Error(cause);
      if (error.code === 'internal') onInternalError(error);
      call.emit('error', statusOf(error));
    });
  };
}

/** Until the other side has taken what was written, or is gone. */
function roomOrEnd(
  call: Parameters<handleServerStreamingCall<Received, WireMessage>>[0],
): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ENDINGS) call.off(event, done);
      resolve();
    };
    for (const event of ENDINGS) call.on(event, done);
  });
}

const ENDINGS = ['drain', 'cancelled', 'close', 'error'] as const;
