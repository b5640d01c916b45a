/**
 * Who is told what unasked: brings each fact to the listeners of the nodes that it concerns. A fact of
 * a lease goes to the node that held it, a fact of the job to all of its nodes.
 */
import type { JobId, NodeId } from '../core/base/units.ts';
import type { Fact } from '../core/job/protocol.ts';
import type { Push } from '../ports/coordinator-client.ts';
import { pushOf } from './push.ts';

export type PushListener = (push: Push) => void;

export class PushHub {
  readonly #nodes: Map<JobId, Map<NodeId, Set<PushListener>>> = new Map<
    JobId,
    Map<NodeId, Set<PushListener>>
  >();

  /** Tells `listener` what the node is told from now on, until the returned function is called. */
  subscribe(jobId: JobId, nodeId: NodeId, listener: PushListener): () => void {
    const nodes = this.#nodes.get(jobId) ?? new Map<NodeId, Set<PushListener>>();
    this.#nodes.set(jobId, nodes);
    const listeners = nodes.get(nodeId) ?? new Set<PushListener>();
    nodes.set(nodeId, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && nodes.get(nodeId) === listeners) nodes.delete(nodeId);
      if (nodes.size === 0 && this.#nodes.get(jobId) === nodes) this.#nodes.delete(jobId);
    };
  }

  publish(facts: readonly Fact[]): void {
    for (const fact of facts) {
      const nodes = this.#nodes.get(fact.jobId);
      if (nodes === undefined) continue;
      if ('leaseId' in fact || fact.event === 'work_waits') this.#tell(nodes, fact, fact.nodeId);
      else for (const nodeId of nodes.keys()) this.#tell(nodes, fact, nodeId);
    }
  }

  #tell(nodes: Map<NodeId, Set<PushListener>>, fact: Fact, nodeId: NodeId): void {
    const listeners = nodes.get(nodeId);
    if (listeners === undefined) return;
    const push = pushOf(fact, fact.jobId, nodeId);
    if (push !== null) for (const listener of [...listeners]) listener(push);
  }
}
