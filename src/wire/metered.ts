/** The methods of a service, each measured. */
import type { RpcMeter } from '../ports/rpc-meter.ts';
import type { StreamMethod, UnaryMethod } from './grpc-service.ts';
import type { WireMessage } from './schema.ts';
import { asMx8Error } from './status.ts';

export function meteredUnary(
  meter: RpcMeter,
  service: string,
  methods: Readonly<Record<string, UnaryMethod>>,
): Record<string, UnaryMethod> {
  return mapped(methods, (name, method) => async (message) => {
    const ended = meter.started(`${service}/${name}`);
    try {
      const answer = await method(message);
      ended('ok');
      return answer;
    } catch (error) {
      ended(asMx8Error(error).code);
      throw error;
    }
  });
}

/** A stream counts from its request to its last message, or to where its reader left. */
export function meteredStream(
  meter: RpcMeter,
  service: string,
  methods: Readonly<Record<string, StreamMethod>>,
): Record<string, StreamMethod> {
  return mapped(
    methods,
    (name, method) =>
      async function* measured(message: WireMessage) {
        const ended = meter.started(`${service}/${name}`);
        let code = 'interrupted';
        try {
          yield* method(message);
          code = 'ok';
        } catch (error) {
          ({ code } = asMx8Error(error));
          throw error;
        } finally {
          ended(code);
        }
      },
  );
}

function mapped<T>(
  methods: Readonly<Record<string, T>>,
  wrap: (name: string, method: T) => T,
): Record<string, T> {
  return Object.fromEntries(
    Object.entries(methods).map(([name, method]) => [name, wrap(name, method)]),
  );
}
