/** A service that runs as long as the tests of a file do. */
import { after, before } from 'node:test';

/** `missing` is why it cannot run here; false where it can. To be asked for within tests. */
export function runningService<T extends AsyncDisposable>(
  missing: string | false,
  start: () => Promise<T>,
): () => T {
  let service: T | null = null;
  before(async () => {
    if (missing === false) service = await start();
  });
  after(() => service?.[Symbol.asyncDispose]());
  return () => {
    if (service === null) throw new Error('the service runs');
    return service;
  };
}
