/** Invariants 5, 14: what is in the log is not called refused; the repeat of a commit is told so. */
import type { Command } from '../../../src/core/job/protocol.ts';
import type { Truth } from '../truth/truth.ts';
import type { World } from '../world/world.ts';

const SAYS_NOT_DONE: ReadonlySet<string> = new Set([
  'lease_unknown',
  'commit_mismatch',
  'cursor_regressed',
]);

export function checkRefusal(world: World, truth: Truth, command: Command, code: string): void {
  if (!SAYS_NOT_DONE.has(code) || !('leaseId' in command)) return;
  const twin = truth.jobs.get(command.jobId);
  const lease = twin?.leases.get(command.leaseId);
  if (twin === undefined || lease?.node !== command.nodeId) return;
  const { leaseId } = command;
  const isLatest = command.type === 'commit' && command.end === lease.cursor;
  const isCommitted = isLatest && twin.pieces.has(`${leaseId}:${command.start}-${command.end}`);
  const isFinal =
    command.type === 'progress' && lease.ended === 'finished' && command.cursor === lease.end;
  // An earlier piece of a lease that ended otherwise is forgotten with it.
  if (lease.ended !== null && lease.ended !== 'finished') return;
  if (!isCommitted && !isFinal) return;
  world.fail(
    'a repeat is told as much',
    `${command.type} of ${leaseId} is in the log, and was answered ${code}`,
  );
}
