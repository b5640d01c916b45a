/** The store of the coordinators' state, where it is not a folder. */
import type { PlannedFault } from './plan.ts';
import type { Network } from './network.ts';

export type StateKind = 'sqlite' | 'etcd' | 'etcd3';

export const STATE_KINDS: readonly StateKind[] = ['sqlite', 'etcd', 'etcd3'];

export class Store implements AsyncDisposable {
  static async start(kind: StateKind, _network: Network | null): Promise<Store | null> {
    if (kind === 'sqlite') return null;
    throw new Error(`state ${kind} is not wired up yet`);
  }

  urlFor(_index: number): string {
    return '';
  }

  async disturb(_fault: PlannedFault): Promise<string | null> {
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return;
  }
}
