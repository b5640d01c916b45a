/**
 * Requests to a store that are not about a range, each in its turn: what ranges and they have under way there at a time
 * is one number. A turn is for one request and is given back with its answer, so whoever needs a further request to
 * go on with an operation never holds one while it waits for another.
 */
import { elapsedMs } from '../../core/base/units.ts';
import type { PatientClient } from './patient.ts';
import { PlainClient } from './plain-request.ts';
import type { PlainAnswer, PlainRequest } from './plain-request.ts';
import type { Origin } from './origin.ts';
import type { RangeClient } from './range-client.ts';
import { isThrottling } from './store-traffic.ts';

export class StoreClient implements PatientClient {
  readonly #ranges: RangeClient;
  readonly #plain: PlainClient = new PlainClient();

  /** The range client stays its owner's. */
  constructor(ranges: RangeClient) {
    this.#ranges = ranges;
  }

  async send(request: PlainRequest, signal?: AbortSignal): Promise<PlainAnswer> {
    const { clock } = this.#ranges.surroundings;
    const slot = await this.#ranges.lane(request.origin).turn(signal);
    const sentAtMs = clock.nowMs();
    try {
      const answer = await this.#plain.send(request, signal);
      slot.answered(elapsedMs(sentAtMs, clock.nowMs()), answer.head);
      if (isThrottling(answer.head)) slot.refused();
      return answer;
    } catch (error) {
      if (signal?.aborted !== true) slot.refused();
      throw error;
    } finally {
      slot.done();
    }
  }

  sitOut(origin: Origin): () => void {
    return this.#ranges.lane(origin).sitOut();
  }

  close(): void {
    this.#plain.close();
  }
}
