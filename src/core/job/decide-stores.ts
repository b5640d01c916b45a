/**
 * What nodes say of the stores that they speak to, and what each may do there until it is heard again. Jobs that are
 * busy at one host have one budget there: its owner refuses without asking whose request it is.
 */
import { REPORT_HOSTS_MAX, type StoreShare } from '../transfer/store-report.ts';
import type { JobState, NodeState } from './job-state.ts';
import type { Command, Reply } from './protocol.ts';
import { StoreBudget } from './store-budget.ts';
import type { Transaction } from './transaction.ts';

/** Hosts of a job that have a budget; its agents go by what they find out at further ones. */
export const STORE_HOSTS_MAX = 64;

const OK: Reply = { type: 'ok' };

/** Answers a heartbeat. One that says nothing of stores is of a version that does not go by shares. */
export function hearOfStores(
  tx: Transaction,
  job: JobState,
  node: NodeState,
  { stores }: Extract<Command, { readonly type: 'heartbeat' }>,
): Reply {
  if (stores === undefined) return OK;
  const { nowMs, storeRequestsMax } = tx.context;
  const { jobId, heartbeatIntervalMs } = job.spec;
  const member = { jobId, nodeId: node.nodeId, instanceId: node.instanceId };
  for (const report of stores.slice(0, REPORT_HOSTS_MAX)) {
    const { host } = report;
    let budget = job.stores.get(host);
    if (budget === undefined) {
      if (job.stores.size >= STORE_HOSTS_MAX) continue;
      budget =
        tx.state.stores.get(host) ??
        new StoreBudget(host, heartbeatIntervalMs, storeRequestsMax ?? null, nowMs);
      budget.keepTime(heartbeatIntervalMs);
      tx.state.stores.set(host, budget);
      job.stores.set(host, budget);
    }
    const lowered = budget.heard(member, report, nowMs);
    if (lowered === null) continue;
    for (const id of budget.jobs) {
      tx.fact({ event: 'store_budget_lowered', jobId: id, host, ...lowered });
    }
  }
  const storeShares: StoreShare[] = [];
  for (const budget of job.stores.values()) {
    const share = budget.shareOf(member, nowMs);
    if (share !== null) storeShares.push(share);
  }
  return storeShares.length === 0 ? OK : { type: 'ok', storeShares };
}

/** Nodes that are gone or silent have no share any more, and hosts that nobody speaks to no budget. */
export function forgetStores(tx: Transaction, job: JobState): void {
  const { jobId } = job.spec;
  for (const [host, budget] of job.stores) {
    budget.prune(jobId, (id) => job.nodes.has(id), tx.context.nowMs);
    if (!budget.jobs.includes(jobId)) job.stores.delete(host);
    if (budget.jobs.length === 0) tx.state.stores.delete(host);
  }
}
