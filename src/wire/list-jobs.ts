/** How all jobs stand, whatever comes and goes meanwhile. */
import type { JobSnapshot } from '../core/job/protocol.ts';
import type { CoordinatorBackend } from './backend.ts';
import { expectReply } from './command-client.ts';

export async function listJobs(
  backend: Pick<CoordinatorBackend, 'jobIds' | 'submit'>,
): Promise<readonly JobSnapshot[]> {
  const ids = await backend.jobIds();
  const replies = await Promise.all(
    ids.map((jobId) => backend.submit({ type: 'get_snapshot', jobId })),
  );
  return replies
    .filter((reply) => !(reply.type === 'refused' && reply.code === 'job_unknown'))
    .map((reply) => expectReply(reply, 'snapshot'));
}
