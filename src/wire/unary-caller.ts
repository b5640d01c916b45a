/** Calls outside a session: each ends in an answer or an error within its time, trying on until then. */
import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import { must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { addMs, type MonoMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Dialer } from './dialer.ts';
import { noAnswer } from './no-answer.ts';
import { type WireMessage, type WireMethod, wireMethods } from './schema.ts';
import { errorOfCall, isOfTheWay, unavailable } from './status.ts';

export interface CallerOptions {
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly callTimeoutMs: number;
}

const METHODS: ReadonlyMap<string, WireMethod> = new Map(
  wireMethods('mx8.v1.Coordinator').map((method) => [method.name, method]),
);

export function v1Method(name: string): WireMethod {
  return must(METHODS.get(name), `mx8.v1 has a method ${name}`);
}

export class UnaryCaller {
  readonly #options: CallerOptions;

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  call(name: string, message: WireMessage, signal?: AbortSignal): Promise<WireMessage> {
    const method = v1Method(name);
    return this.#untilAnswered(signal, (deadlineMs) => this.#once(method, message, deadlineMs));
  }

  /** Every message of a stream. Each attempt begins anew; an attempt fails when nothing comes in time. */
  collect(name: string, message: WireMessage, signal?: AbortSignal): Promise<WireMessage[]> {
    const method = v1Method(name);
    return this.#untilAnswered(signal, () => this.#collectOnce(method, message, signal));
  }

  async #untilAnswered<T>(
    signal: AbortSignal | undefined,
    attempt: (deadlineMs: MonoMs) => Promise<T>,
  ): Promise<T> {
    const { clock, callTimeoutMs, dialer } = this.#options;
    const deadlineMs = addMs(clock.nowMs(), callTimeoutMs);
    const failures = new Map<string, Mx8Error>();
    for (let attempts = 1; ; attempts += 1) {
      signal?.throwIfAborted();
      const { text: address } = dialer.connection().address;
      try {
        return await attempt(deadlineMs);
      } catch (error) {
        if (!(error instanceof Mx8Error && isOfTheWay(error.code))) throw error;
        failures.set(address, error);
        const waitMs = dialer.backoffMs(attempts);
        if (addMs(clock.nowMs(), waitMs) >= deadlineMs) {
          throw noAnswer(error, failures, dialer.addresses);
        }
        await clock.sleep(waitMs, signal);
      }
    }
  }

  #once(method: WireMethod, message: WireMessage, deadlineMs: MonoMs): Promise<WireMessage> {
    const { clock, dialer, callTimeoutMs } = this.#options;
    const connection = dialer.connection();
    const { client, address } = connection;
    return new Promise((resolve, reject) => {
      const { path, request, response } = method;
      let hasTimedOut = false;
      const timer = clock.setTimer(deadlineMs - clock.nowMs(), () => {
        hasTimedOut = true;
        call.cancel();
      });
      const call = client.makeUnaryRequest(
        path,
        request.encode,
        response.decode,
        message,
        (error: ServiceError | null, answer?: WireMessage) => {
          timer.clear();
          if (error === null) {
            resolve(answer ?? {});
            return;
          }
          const failure = hasTimedOut
            ? unavailable(address.text, `nothing within ${callTimeoutMs} ms`)
            : errorOfCall(error, address.text);
          if (isOfTheWay(failure.code)) dialer.failed(connection, failure);
          reject(failure);
        },
      );
    });
  }

  async #collectOnce(
    method: WireMethod,
    message: WireMessage,
    signal: AbortSignal | undefined,
  ): Promise<WireMessage[]> {
    const { dialer } = this.#options;
    const connection = dialer.connection();
    const { client, address } = connection;
    const { path, request, response } = method;
    const call = client.makeServerStreamRequest(path, request.encode, response.decode, message);
    try {
      return await this.#allOf(call, address.text, signal);
    } catch (error) {
      if (error instanceof Mx8Error && isOfTheWay(error.code)) dialer.failed(connection, error);
      throw error;
    } finally {
      call.cancel();
    }
  }

  #allOf(
    call: ClientReadableStream<WireMessage>,
    address: string,
    signal: AbortSignal | undefined,
  ): Promise<WireMessage[]> {
    const { clock, callTimeoutMs } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<WireMessage[]>();
    const messages: WireMessage[] = [];
    const watch = (): ReturnType<Clock['setTimer']> =>
      clock.setTimer(callTimeoutMs, () =>
        reject(unavailable(address, `nothing within ${callTimeoutMs} ms`)),
      );
    let timer = watch();
    const abort = (): void => reject(abortReason(signal));
    signal?.addEventListener('abort', abort, { once: true });
    call.on('data', (message: WireMessage) => {
      messages.push(message);
      timer.clear();
      timer = watch();
    });
    call.on('end', () => resolve(messages));
    call.on('error', (error: ServiceError) => reject(errorOfCall(error, address)));
    return promise.finally(() => {
      timer.clear();
      signal?.removeEventListener('abort', abort);
    });
  }
}

export function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error(`aborted: ${String(reason)}`);
}
