/** Drives a lease holder in a test, which is its coordinator; time moves with `at`. */
import assert from 'node:assert/strict';

import type { ErrorCode } from '../../src/core/base/errors.ts';
import { monoMs } from '../../src/core/base/units.ts';
import type {
  HolderAnswer,
  HolderCall,
  HolderEffect,
  HolderEvent,
} from '../../src/core/node/holder-protocol.ts';
import type { HolderOptions } from '../../src/core/node/holder-state.ts';
import { holderWakeMs, newHolder, stepHolder } from '../../src/core/node/lease-holder.ts';

export type HolderEventBody = HolderEvent extends infer E
  ? E extends HolderEvent
    ? Omit<E, 'nowMs'>
    : never
  : never;

export class HolderScript {
  readonly #state: ReturnType<typeof newHolder>;
  /** An effect as the lines of a transcript. */
  readonly #shown: (effect: HolderEffect) => string[];
  readonly #calls: { readonly callId: number; readonly call: HolderCall }[] = [];
  #nowMs = 0;

  constructor(options: HolderOptions, shown: (effect: HolderEffect) => string[]) {
    this.#state = newHolder(options, monoMs(0));
    this.#shown = shown;
  }

  at(nowMs: number): this {
    this.#nowMs = nowMs;
    return this;
  }

  tell(event: HolderEventBody): string[] {
    return this.step(event).flatMap(this.#shown);
  }

  effectsOf(type: HolderCall['type'], answer: HolderAnswer): readonly HolderEffect[] {
    return this.step({ type: 'answered', callId: this.#take(type), answer });
  }

  step(event: HolderEventBody): readonly HolderEffect[] {
    const effects = stepHolder(this.#state, { ...event, nowMs: monoMs(this.#nowMs) });
    for (const effect of effects) if (effect.type === 'call') this.#calls.push(effect);
    return effects;
  }

  answer(type: HolderCall['type'], answer: HolderAnswer): string[] {
    return this.tell({ type: 'answered', callId: this.#take(type), answer });
  }

  refuse(type: HolderCall['type'], code: ErrorCode): string[] {
    return this.tell({ type: 'call_failed', callId: this.#take(type), code, message: 'no' });
  }

  get wakeMs(): number | null {
    return holderWakeMs(this.#state);
  }

  /** The first of its kind that is under way. */
  #take(type: HolderCall['type']): number {
    const index = this.#calls.findIndex(({ call }) => call.type === type);
    const [found] = this.#calls.splice(index, 1);
    assert(index >= 0 && found !== undefined, `a call ${type} is under way`);
    return found.callId;
  }
}
