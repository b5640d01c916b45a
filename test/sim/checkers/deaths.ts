/**
 * Whose leases are taken because its process ended has no process: a report of a death is of the process that
 * its teller saw end, and not of the one that has the node's id by then.
 */
import type { Fact } from '../../../src/core/job/protocol.ts';
import type { Simulation } from '../simulation.ts';

const REASON = 'the process of its node ended';

/** Facts that became durable just now. */
export function checkDeaths({ world, truth, agents }: Simulation, facts: readonly Fact[]): void {
  for (const fact of facts) {
    if (fact.event !== 'lease_revoked' || fact.reason !== REASON) continue;
    const node = truth.jobs.get(fact.jobId)?.nodes.get(fact.nodeId);
    // The next process may have come with the same entry, after the death of the former one.
    if (node === undefined || node.sinceSeq === truth.tailSeq) continue;
    const holder = agents.find(({ instanceId }) => instanceId === node.instance);
    if (holder?.process.isAlive !== true) continue;
    world.fail('the dead are dead', `${holder.instanceId} lives, and loses ${fact.leaseId}`);
    return;
  }
}
