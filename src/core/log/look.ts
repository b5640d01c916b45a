import { LOOK, type LogView, viewOf } from './log-view.ts';
import { done, reading, type Step, type StoreAnswer } from './store-protocol.ts';

/** Reads where the log stands. There is nothing to remember between two attempts. */
export function startLook(): Step<null, LogView> {
  return { type: 'send', state: null, transaction: reading(LOOK) };
}

export function stepLook(_state: null, answer: StoreAnswer): Step<null, LogView> {
  return answer.type === 'transacted' ? done(viewOf(answer.found)) : startLook();
}
