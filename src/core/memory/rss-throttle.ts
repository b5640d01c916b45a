/** What a reading of RSS means: go on, admit nothing new for now, or end. */
import { assert } from '../base/assert.ts';
import { THROTTLE_ABOVE_PART, THROTTLE_UNTIL_PART } from './limits.ts';

/** `throttled` is entered above 90 % of the cap and left at 85 %; `breached` is above the cap. */
export type RssState = 'open' | 'throttled' | 'breached';

export class RssThrottle {
  readonly capBytes: number;
  readonly throttleAboveBytes: number;
  readonly throttleUntilBytes: number;
  #state: RssState = 'open';

  constructor(capBytes: number) {
    assert(capBytes > 0, 'an RSS cap is positive');
    this.capBytes = capBytes;
    this.throttleAboveBytes = Math.floor(capBytes * THROTTLE_ABOVE_PART);
    this.throttleUntilBytes = Math.floor(capBytes * THROTTLE_UNTIL_PART);
  }

  get state(): RssState {
    return this.#state;
  }

  update(rssBytes: number): RssState {
    if (rssBytes > this.capBytes) this.#state = 'breached';
    else if (rssBytes > this.throttleAboveBytes) this.#state = 'throttled';
    else if (rssBytes <= this.throttleUntilBytes) this.#state = 'open';
    else if (this.#state === 'breached') this.#state = 'throttled';
    return this.#state;
  }
}
