/** Makes the calls that the lease holder asks for. */
import { Mx8Error, type ErrorCode } from '../core/base/errors.ts';
import type { NodeStats } from '../core/job/protocol.ts';
import type { HolderAnswer, HolderCall } from '../core/node/holder-protocol.ts';
import type { NodeIdentity } from '../ports/coordinator-client.ts';
import type { StoreSharer } from '../ports/store-sharer.ts';
import type { CompiledAgentOptions } from './options.ts';

const OK: HolderAnswer = { type: 'ok' };

export async function makeCall(
  options: Pick<CompiledAgentOptions, 'client' | 'caps' | 'resumeFrom' | 'clock'>,
  node: NodeIdentity,
  call: HolderCall,
  around: { readonly stats: () => NodeStats; readonly stores: StoreSharer },
): Promise<HolderAnswer> {
  const { client, caps, resumeFrom } = options;
  switch (call.type) {
    case 'register':
      return client.register({ ...node, ...call.known }, caps, resumeFrom);
    case 'heartbeat':
      await beat(options, node, around);
      return OK;
    case 'request_leases':
      return client.requestLeases(node, call.want, call.held);
    case 'progress':
      return { type: 'accepted', ...(await client.reportProgress(node, call)) };
    case 'renew':
      return { type: 'renewed', ends: await client.renew(node, call.leaseIds) };
    case 'commit':
      return { type: 'accepted', ...(await client.commit(node, call.piece)) };
    case 'release':
      await client.release(node, call.leaseId);
      return OK;
    case 'leave':
      await client.leave(node);
      return OK;
    case 'fail_job': {
      const { code, message, jobToken } = call;
      await client.failJob(jobToken === undefined ? node : { ...node, jobToken }, code, message);
      return OK;
    }
    case 'request_finalize':
      return { type: 'finalize', ...(await client.requestFinalize(node)) };
    case 'complete_job':
      await client.completeJob(node, call.finalizeToken, call.outputManifestHash);
      return OK;
    default:
      return call satisfies never;
  }
}

async function beat(
  { client, clock }: Pick<CompiledAgentOptions, 'client' | 'clock'>,
  node: NodeIdentity,
  { stats, stores }: Parameters<typeof makeCall>[3],
): Promise<void> {
  // A share counts from before it was asked for.
  const askedMs = clock.nowMs();
  stores.hear(await client.heartbeat(node, stats(), stores.reports()), askedMs);
}

/** What any error is to the machine: a code and a sentence. */
export function asFailure(error: unknown): { readonly code: ErrorCode; readonly message: string } {
  if (error instanceof Mx8Error) return { code: error.code, message: error.message };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}
