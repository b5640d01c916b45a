/**
 * What nodes say of the stores that they speak to, and what each may do there until it is heard again. Jobs that are
 * busy at one host have one budget there, and so have guests: its owner refuses without asking whose request it is.
 */
import { REPORT_HOSTS_MAX, type StoreReport, type StoreShare } from '../transfer/store-report.ts';
import type { JobState, NodeState } from './job-state.ts';
import type { Command, Reply } from './protocol.ts';
import { StoreBudget } from './store-budget.ts';
import type { StoreMember } from './store-budget.ts';
import type { Transaction } from './transaction.ts';

/** Hosts of a job that have a budget; its agents go by what they find out at further ones. */
export const STORE_HOSTS_MAX = 64;
/** The same for hosts that are first heard of from guests, and guests at one host. */
export const GUEST_HOSTS_MAX = 256;
export const STORE_GUESTS_MAX = 1024;
/** How often a guest is heard where no job says how often its nodes are. */
export const GUEST_BEAT_MS = 1000;

const OK = { type: 'ok' } as const;

/** Answers a heartbeat. One that says nothing of stores is of a version that does not go by shares. */
export function hearOfStores(
  tx: Transaction,
  job: JobState,
  node: NodeState,
  { stores }: Extract<Command, { readonly type: 'heartbeat' }>,
): Reply {
  if (stores === undefined) return OK;
  const { nowMs } = tx.context;
  const { jobId, heartbeatIntervalMs } = job.spec;
  const member = { jobId, nodeId: node.nodeId, instanceId: node.instanceId };
  for (const report of stores.slice(0, REPORT_HOSTS_MAX)) {
    const { host } = report;
    let budget = job.stores.get(host);
    if (budget === undefined) {
      if (job.stores.size >= STORE_HOSTS_MAX) continue;
      budget = budgetOf(tx, host, heartbeatIntervalMs);
      job.stores.set(host, budget);
    }
    hear(tx, budget, member, report);
  }
  const storeShares = sharesOf(job.stores.values(), member, nowMs);
  return storeShares.length === 0 ? OK : { type: 'ok', storeShares };
}

/** Answers a guest. Where there are too many of them, or of their hosts, it goes by what it finds out itself. */
export function shareStores(
  tx: Transaction,
  { guestId, stores }: Extract<Command, { readonly type: 'share_stores' }>,
): Reply {
  const { nowMs } = tx.context;
  const member: StoreMember = { jobId: null, nodeId: guestId, instanceId: guestId };
  const named = new Set<StoreBudget>();
  for (const report of stores.slice(0, REPORT_HOSTS_MAX)) {
    const known = tx.state.stores.get(report.host);
    if (known === undefined && tx.state.stores.size >= GUEST_HOSTS_MAX) continue;
    if (known?.has(member) === false && known.guests >= STORE_GUESTS_MAX) continue;
    const budget = known ?? budgetOf(tx, report.host, GUEST_BEAT_MS);
    named.add(budget);
    hear(tx, budget, member, report);
  }
  for (const budget of tx.state.stores.values()) if (!named.has(budget)) budget.forget(member);
  const beatsMs = [...named].map(({ beatMs }) => beatMs);
  const storeShares = sharesOf(named, member, nowMs);
  const beatMs = Math.max(0, ...beatsMs) || GUEST_BEAT_MS;
  return storeShares.length === 0 ? { ...OK, beatMs } : { type: 'ok', storeShares, beatMs };
}

/** Nodes that are gone or silent have no share any more, and hosts that nobody speaks to no budget. */
export function forgetStores(tx: Transaction, job: JobState): void {
  const { jobId } = job.spec;
  for (const [host, budget] of job.stores) {
    budget.prune(jobId, (id) => job.nodes.has(id), tx.context.nowMs);
    if (!budget.jobs.includes(jobId)) job.stores.delete(host);
    if (budget.isIdle) tx.state.stores.delete(host);
  }
}

/** The same for guests. */
export function forgetGuests(tx: Transaction): void {
  for (const [host, budget] of tx.state.stores) {
    budget.prune(null, () => true, tx.context.nowMs);
    if (budget.isIdle) tx.state.stores.delete(host);
  }
}

/** Of somebody who is heard once in `beatMs`. */
function budgetOf(tx: Transaction, host: string, beatMs: number): StoreBudget {
  const { nowMs, storeRequestsMax = null } = tx.context;
  const budget =
    tx.state.stores.get(host) ?? new StoreBudget(host, beatMs, storeRequestsMax, nowMs);
  budget.keepTime(beatMs);
  tx.state.stores.set(host, budget);
  return budget;
}

function hear(
  tx: Transaction,
  budget: StoreBudget,
  member: StoreMember,
  report: StoreReport,
): void {
  const lowered = budget.heard(member, report, tx.context.nowMs);
  if (lowered === null) return;
  const { host } = budget;
  for (const id of budget.jobs) {
    tx.fact({ event: 'store_budget_lowered', jobId: id, host, ...lowered });
  }
}

function sharesOf(
  budgets: Iterable<StoreBudget>,
  member: StoreMember,
  nowMs: number,
): readonly StoreShare[] {
  const shares: StoreShare[] = [];
  for (const budget of budgets) {
    const share = budget.shareOf(member, nowMs);
    if (share !== null) shares.push(share);
  }
  return shares;
}
