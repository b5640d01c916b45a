/** What nodes report of stores, the shares they are answered with, and what is shown of both. */
import { Mx8Error } from '../core/base/errors.ts';
import type { Command, Reply, StoreView } from '../core/job/protocol.ts';
import { HOST_CHARS_MAX, isHost } from '../core/transfer/store-report.ts';
import type { StoreReport, StoreShare } from '../core/transfer/store-report.ts';
import { children, flag, nodeIdOf, requiredText, uint, uint64 } from './fields.ts';
import type { WireMessage } from './schema.ts';

/** Nothing of a node that does not go by shares. */
export function storesMessage(stores: readonly StoreReport[] | undefined): WireMessage {
  if (stores === undefined) return {};
  return { takesStoreShares: true, stores: stores.map(reportMessage) };
}

export function storesFrom(heartbeat: WireMessage): { stores?: readonly StoreReport[] } {
  if (!flag(heartbeat, 'takesStoreShares')) return {};
  return { stores: children(heartbeat, 'stores').map(reportFrom) };
}

function reportMessage({ share, ...report }: StoreReport): WireMessage {
  return { ...report, hasShare: share !== null, share: share ?? 0 };
}

function reportFrom(message: WireMessage): StoreReport {
  return {
    host: hostOf(message),
    wanted: uint(message, 'wanted'),
    inFlight: uint(message, 'inFlight'),
    servingMilli: uint(message, 'servingMilli'),
    answeredTotal: uint64(message, 'answeredTotal'),
    refusedTotal: uint64(message, 'refusedTotal'),
    firstByteUsTotal: uint64(message, 'firstByteUsTotal'),
    untimedTotal: uint64(message, 'untimedTotal'),
    pauseMs: uint(message, 'pauseMs'),
    share: flag(message, 'hasShare') ? uint(message, 'share') : null,
  };
}

export function sharesMessage(shares: readonly StoreShare[] | undefined): WireMessage {
  return shares === undefined ? {} : { storeShares: shares.map((share) => ({ ...share })) };
}

type ShareStores = Extract<Command, { readonly type: 'share_stores' }>;
type Shared = Extract<Reply, { readonly type: 'ok' }>;

export function shareStoresMessage({ guestId, stores }: ShareStores): WireMessage {
  return { guestId, stores: stores.map(reportMessage) };
}

export function shareStoresFrom(message: WireMessage): ShareStores {
  const stores = children(message, 'stores').map(reportFrom);
  return { type: 'share_stores', guestId: nodeIdOf(message, 'guestId'), stores };
}

export function sharedMessage({ storeShares, beatMs = 0 }: Shared): WireMessage {
  return { ...sharesMessage(storeShares), beatMs };
}

export function sharedFrom(message: WireMessage): Shared {
  return { type: 'ok', ...sharesFrom(message), beatMs: uint(message, 'beatMs') };
}

/** Absent where there are none, as from a coordinator that knows no shares. */
export function sharesFrom(done: WireMessage): { storeShares?: readonly StoreShare[] } {
  const shares = children(done, 'storeShares').map((message) => ({
    host: hostOf(message),
    requests: uint(message, 'requests'),
    pauseMs: uint(message, 'pauseMs'),
    ttlMs: uint(message, 'ttlMs'),
  }));
  return shares.length === 0 ? {} : { storeShares: shares };
}

export function storeViewMessage({ budget, ...view }: StoreView): WireMessage {
  return { ...view, budget: budget ?? 0, pausedMs: Math.round(view.pausedMs) };
}

export function storeViewFrom(message: WireMessage): StoreView {
  return {
    host: hostOf(message),
    // A budget is never 0.
    budget: uint(message, 'budget') || null,
    // From coordinators that have a budget for each job there is no such number.
    jobs: uint(message, 'jobs') || 1,
    guests: uint(message, 'guests'),
    agents: uint(message, 'agents'),
    inFlight: uint(message, 'inFlight'),
    wanted: uint(message, 'wanted'),
    answeredTotal: uint64(message, 'answeredTotal'),
    refusedTotal: uint64(message, 'refusedTotal'),
    firstByteUs: uint64(message, 'firstByteUs'),
    pausedMs: uint64(message, 'pausedMs'),
  };
}

function hostOf(message: WireMessage): string {
  const host = requiredText(message, 'host');
  if (isHost(host)) return host;
  throw new Mx8Error(
    'field_invalid',
    `field host takes up to ${HOST_CHARS_MAX} visible ASCII characters, got ${JSON.stringify(host.slice(0, 140))}`,
    { field: 'host' },
  );
}
