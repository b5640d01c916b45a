/** Calls outside a session: each ends in an answer or an error within its time, trying on until then. */
import {
  type Client,
  type ClientReadableStream,
  connectivityState,
  type ServiceError,
} from '@grpc/grpc-js';
import { must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { addMs, type MonoMs } from '../core/base/units.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { Dialer } from './dialer.ts';
import { noAnswer, withAnswerBefore } from './no-answer.ts';
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

const UNCONNECTED: ReadonlySet<connectivityState> = new Set([
  connectivityState.IDLE,
  connectivityState.CONNECTING,
  connectivityState.TRANSIENT_FAILURE,
]);

export class UnaryCaller {
  readonly #options: CallerOptions;

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  call(name: string, message: WireMessage, signal?: AbortSignal): Promise<WireMessage> {
    const method = v1Method(name);
    return this.#untilAnswered(signal, (deadlineMs) =>
      this.#once(method, message, deadlineMs, signal),
    );
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
        const failure = withAnswerBefore(error, failures.get(address), address);
        failures.set(address, failure);
        const waitMs = dialer.backoffMs(attempts);
        if (addMs(clock.nowMs(), waitMs) >= deadlineMs) {
          throw noAnswer(failure, failures, dialer.addresses);
        }
        await clock.sleep(waitMs, signal);
      }
    }
  }

  #once(
    method: WireMethod,
    message: WireMessage,
    deadlineMs: MonoMs,
    signal: AbortSignal | undefined,
  ): Promise<WireMessage> {
    const { clock, dialer, callTimeoutMs } = this.#options;
    const connection = dialer.connection();
    const { client, address } = connection;
    return new Promise((resolve, reject) => {
      const { path, request, response } = method;
      let silence: string | null = null;
      const giveUp = (why: string): void => {
        silence = why;
        call.cancel();
      };
      const connecting = this.#unlessConnected(client, giveUp);
      const abort = (): void => call.cancel();
      const timer = clock.setTimer(deadlineMs - clock.nowMs(), () => {
        giveUp(`nothing within ${callTimeoutMs} ms`);
      });
      const call = client.makeUnaryRequest(
        path,
        request.encode,
        response.decode,
        message,
        (error: ServiceError | null, answer?: WireMessage) => {
          timer.clear();
          connecting?.clear();
          signal?.removeEventListener('abort', abort);
          if (error === null) {
            resolve(answer ?? {});
            return;
          }
          if (signal?.aborted === true) {
            reject(abortReason(signal));
            return;
          }
          const failure =
            silence === null
              ? errorOfCall(error, address.text)
              : unavailable(address.text, silence);
          if (isOfTheWay(failure.code)) dialer.failed(connection, failure);
          reject(failure);
        },
      );
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** A machine that is off takes no connection and refuses none: the other addresses get their part of the time. */
  #unlessConnected(client: Client, giveUp: (why: string) => void): TimerHandle | null {
    const { clock, dialer, callTimeoutMs } = this.#options;
    const count = dialer.addresses.length;
    if (count === 1) return null;
    const connectMs = Math.floor(callTimeoutMs / count);
    return clock.setTimer(connectMs, () => {
      if (!UNCONNECTED.has(client.getChannel().getConnectivityState(false))) return;
      giveUp(`no connection within ${connectMs} ms`);
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
    const connecting = this.#unlessConnected(client, (why) => {
      call.destroy(unavailable(address.text, why));
    });
    try {
      return await this.#allOf(call, address.text, signal);
    } catch (error) {
      if (error instanceof Mx8Error && isOfTheWay(error.code)) dialer.failed(connection, error);
      throw error;
    } finally {
      connecting?.clear();
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
    call.on('error', (error: ServiceError | Mx8Error) => {
      reject(error instanceof Mx8Error ? error : errorOfCall(error, address));
    });
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
