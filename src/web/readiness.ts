/** Whether a coordinator serves: it leads, or it follows one that does. Pure. */
import { countText, durationText } from '../view/format.ts';
import { LOOK_WAIT_MS, STANDBY_LAG_ENTRIES_MAX } from './limits.ts';
import type { Seen } from './look-cache.ts';

export interface Readiness {
  readonly isReady: boolean;
  /** A sentence without its full stop. */
  readonly text: string;
}

/** A look this old says that the log or the election gives no answer. */
const AGE_MS_MAX = LOOK_WAIT_MS * 2;

export function readiness(seen: Seen | null, ageMs: number): Readiness {
  if (seen === null) return no('the coordinator has not answered yet');
  if (ageMs > AGE_MS_MAX) {
    return no(
      `the coordinator has not answered for ${durationText(ageMs)}: its log or election hangs`,
    );
  }
  const { role, leader, epoch, tailSeq, appliedSeq, storeError } = seen.look.view;
  if (role === 'leader') return yes(`leader of epoch ${epoch}`);
  if (storeError !== '') return no(`the store of the state does not answer: ${storeError}`);
  if (leader === null) return no('standby, and nobody is known to lead');
  const behind = Math.max(0, tailSeq - appliedSeq);
  if (behind > STANDBY_LAG_ENTRIES_MAX) {
    return no(`standby, but ${countText(behind)} entries behind the leader ${leader.address}`);
  }
  return yes(`standby of the leader ${leader.address}, ${countText(behind)} entries behind`);
}

function yes(text: string): Readiness {
  return { isReady: true, text };
}

function no(text: string): Readiness {
  return { isReady: false, text };
}
