/**
 * What a claim that was won gives its writer. Every later write compares the revision of the epoch key,
 * so that the store itself refuses whoever was overtaken, however late the write arrives.
 */
import { EPOCH_KEY } from './keys.ts';
import type { LogView } from './log-view.ts';
import type { StoreCompare } from './store-protocol.ts';

export interface Hold {
  readonly epoch: number;
  /** Of the claim. */
  readonly nonce: string;
  readonly epochRevision: number;
  /** The last slot this writer knows to be filled, and the revision of the tail key with it. */
  readonly tailSeq: number;
  readonly tailRevision: number;
}

export function fence(hold: Hold): StoreCompare {
  return { key: EPOCH_KEY, target: 'mod_revision', revision: hold.epochRevision };
}

/** Equal epochs are not enough: a claim is one claim. */
export function isHeld(view: LogView, hold: Hold): boolean {
  return (
    view.epoch.epoch === hold.epoch &&
    view.epoch.nonce === hold.nonce &&
    view.epoch.revision === hold.epochRevision
  );
}
