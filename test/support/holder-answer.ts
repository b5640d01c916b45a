/** What a node is told, of whatever a coordinator answers; anything else is a mistake of the simulation. */
import type { HolderAnswer } from '../../src/core/node/holder-protocol.ts';

type OtherType = 'snapshot' | 'job_created' | 'checkpoint' | 'operated' | 'pieces';

export function holderAnswer(reply: HolderAnswer | { readonly type: OtherType }): HolderAnswer {
  switch (reply.type) {
    case 'registered':
    case 'leases':
    case 'accepted':
    case 'renewed':
    case 'finalize':
    case 'ok':
      return reply;
    default:
      throw new Error(`unexpected reply ${reply.type}`);
  }
}
