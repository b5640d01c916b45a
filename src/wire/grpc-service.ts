/**
 * A gRPC service from its schema and one function per method: bytes become messages, refusals statuses.
 */
import { status } from '@grpc/grpc-js';
import { must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import {
  EncodedMessage,
  type WireMessage,
  type WireMethod,
  wireMethods,
  type WireType,
} from './schema.ts';
import type { CallReceiver, ServerCall } from './server-call.ts';
import { asMx8Error, type CallStatus, statusOf } from './status.ts';

export type UnaryMethod = (message: WireMessage) => Promise<WireMessage | EncodedMessage>;
export type StreamMethod = (message: WireMessage) => AsyncIterable<WireMessage>;
export type DuplexMethod = (call: SessionCall) => SessionReceiver;

export interface ServiceMethods {
  readonly unary: Readonly<Record<string, UnaryMethod>>;
  readonly stream: Readonly<Record<string, StreamMethod>>;
  readonly duplex: Readonly<Record<string, DuplexMethod>>;
}

/** What a method does with a call on it. */
export type CallHandler = (call: ServerCall) => CallReceiver;

/** By path. */
export type GrpcService = ReadonlyMap<string, CallHandler>;

/** A call with messages both ways. */
export interface SessionCall {
  readonly isPaused: boolean;
  pause(): void;
  resume(): void;
  /** `done` is called when the call has taken the message, and not at all once it is over. */
  write(message: WireMessage, done: () => void): void;
  end(): void;
  refuse(error: Mx8Error): void;
}

export interface SessionReceiver {
  message(message: WireMessage): void;
  /** The client sends no more. */
  end(): void;
  /** Nothing is told after it. */
  over(): void;
}

export function grpcService(
  name: string,
  methods: ServiceMethods,
  onInternalError: (error: Mx8Error) => void,
): GrpcService {
  return new Map(
    wireMethods(name).map((method) => [method.path, handler(method, methods, onInternalError)]),
  );
}

function handler(
  method: WireMethod,
  methods: ServiceMethods,
  onInternalError: (error: Mx8Error) => void,
): CallHandler {
  const { name } = method;
  const implements_ = `method ${name} is implemented`;
  if (method.requestStream) return duplex(method, must(methods.duplex[name], implements_));
  const answer = method.responseStream
    ? sendsAll(method, must(methods.stream[name], implements_))
    : sendsOne(method, must(methods.unary[name], implements_));
  return (call) => new OneRequest(call, answer, onInternalError);
}

/** Answers a call; rejects with why it is refused. */
type Answer = (call: ServerCall, request: Buffer) => Promise<void>;

function sendsOne({ name, request, response }: WireMethod, answer: UnaryMethod): Answer {
  return async (call, bytes) => {
    const message = await answer(decoded(name, request, bytes));
    call.answer(message instanceof EncodedMessage ? message.bytes : response.encode(message));
  };
}

function sendsAll({ name, request, response }: WireMethod, answer: StreamMethod): Answer {
  return async (call, bytes) => {
    for await (const message of answer(decoded(name, request, bytes))) {
      await call.written(response.encode(message));
      if (call.isOver) return;
    }
    call.finish();
  };
}

/** Bytes that are no message are the sender's mistake. */
function decoded(name: string, type: WireType, bytes: Buffer): WireMessage {
  try {
    return type.decode(bytes);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `the request of ${name} is not the protobuf message it takes: ${why}`;
    throw new Mx8Error('field_invalid', message, { method: name });
  }
}

const NOT_ONE_REQUEST: CallStatus = {
  code: status.UNIMPLEMENTED,
  message: 'the method takes exactly one message',
  trailers: {},
};

/** Waits for the one message of a request and for its end, then answers. */
class OneRequest implements CallReceiver {
  readonly #call: ServerCall;
  readonly #answer: Answer;
  readonly #onInternalError: (error: Mx8Error) => void;
  #request: Buffer | null = null;

  constructor(call: ServerCall, answer: Answer, onInternalError: (error: Mx8Error) => void) {
    this.#call = call;
    this.#answer = answer;
    this.#onInternalError = onInternalError;
  }

  message(bytes: Buffer): void {
    if (this.#request === null) this.#request = bytes;
    else this.#call.finish(NOT_ONE_REQUEST);
  }

  end(): void {
    if (this.#request === null) {
      this.#call.finish(NOT_ONE_REQUEST);
      return;
    }
    this.#answer(this.#call, this.#request).catch((cause: unknown) => {
      const error = asMx8Error(cause);
      if (error.code === 'internal') this.#onInternalError(error);
      this.#call.finish(statusOf(error));
    });
  }

  over(): void {
    // An answer that is being made is dropped by the call when it comes.
  }
}

function duplex({ name, request, response }: WireMethod, method: DuplexMethod): CallHandler {
  return (call) => {
    const receiver = method({
      get isPaused() {
        return call.isPaused;
      },
      pause: () => call.pause(),
      resume: () => call.resume(),
      write: (message, done) => call.write(response.encode(message), done),
      end: () => call.finish(),
      refuse: (error) => call.finish(statusOf(error)),
    });
    return {
      message: (bytes) => receiver.message(decoded(name, request, bytes)),
      end: () => receiver.end(),
      over: () => receiver.over(),
    };
  };
}
