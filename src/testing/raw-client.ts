/**
 * A gRPC client that knows nothing but the schema: what any other implementation of the protocol would
 * send. Tests speak to a coordinator with it, malformed bytes included.
 */
import {
  Client,
  type ClientDuplexStream,
  credentials,
  type ServiceError,
  type status,
} from '@grpc/grpc-js';
import { must } from '../core/base/assert.ts';
import { wireMethods, type WireMessage, type WireMethod } from '../wire/schema.ts';

const RECONNECT_MS_MAX = 1000;
const MESSAGE_BYTES_MAX = 64 * 1024 ** 2;

/** How a call was refused. */
export interface CallRefused {
  readonly status: status;
  /** The trailer `mx8-error-code`, '' when there is none. */
  readonly code: string;
  readonly message: string;
}

export class RawClient {
  readonly #client: Client;
  readonly #methods: ReadonlyMap<string, WireMethod>;

  constructor(address: string, service: 'mx8.v0.Coordinator' | 'mx8.v1.Coordinator') {
    this.#methods = new Map(wireMethods(service).map((method) => [method.name, method]));
    this.#client = new Client(address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
      'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
      // Who was away for long is dialled again soon after he is back.
      'grpc.max_reconnect_backoff_ms': RECONNECT_MS_MAX,
      // Each test's connections are its own.
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  call(method: string, message: WireMessage): Promise<WireMessage> {
    return this.callBytes(method, this.#method(method).request.encode(message));
  }

  /** The same with bytes that need not be a message. */
  callBytes(method: string, bytes: Uint8Array): Promise<WireMessage> {
    const { path, response } = this.#method(method);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, asBuffer, response.decode, bytes, (error, answer) => {
        if (error !== null) reject(error);
        else resolve(answer ?? {});
      });
    });
  }

  /** Why the call is refused; throws when it is not. */
  async refusal(method: string, message: WireMessage): Promise<CallRefused> {
    return this.#refusalOf(method, this.call(method, message));
  }

  async refusalOfBytes(method: string, bytes: Uint8Array): Promise<CallRefused> {
    return this.#refusalOf(method, this.callBytes(method, bytes));
  }

  async *stream(method: string, message: WireMessage): AsyncIterable<WireMessage> {
    const { path, request, response } = this.#method(method);
    const bytes = request.encode(message);
    const call = this.#client.makeServerStreamRequest(path, asBuffer, response.decode, bytes);
    for await (const chunk of call) yield chunk as WireMessage;
  }

  async refusalOfStream(method: string, message: WireMessage): Promise<CallRefused> {
    return this.#refusalOf(method, drain(this.stream(method, message)));
  }

  duplex(method: string): ClientDuplexStream<WireMessage, WireMessage> {
    const { path, request, response } = this.#method(method);
    return this.#client.makeBidiStreamRequest(path, request.encode, response.decode);
  }

  close(): void {
    this.#client.close();
  }

  #method(name: string): WireMethod {
    return must(this.#methods.get(name), `the service has a method ${name}`);
  }

  async #refusalOf(method: string, answer: Promise<unknown>): Promise<CallRefused> {
    const error = await answer.then(
      () => {
        throw new Error(`${method} was answered, not refused`);
      },
      (reason: unknown) => reason as ServiceError,
    );
    if (typeof error.code !== 'number') throw error;
    const [code] = error.metadata.get('mx8-error-code');
    return {
      status: error.code,
      code: typeof code === 'string' ? code : '',
      message: error.details,
    };
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function drain(stream: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of stream) count += 1;
  return count;
}
