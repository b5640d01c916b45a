/**
 * Invariants 3, 13, 14: an answer rests on what is durable, for ever. Each kind of answer is held against
 * the twin of its job at the moment at which it leaves the coordinator.
 */
import type { Command, Reply } from '../../../src/core/job/protocol.ts';
import type { JobTwin, TwinLease } from '../truth/job-twin.ts';
import type { Truth } from '../truth/truth.ts';
import type { World } from '../world/world.ts';

const NAME = 'answered is durable';

type Fail = (message: string) => void;
type OfNode = Extract<Command, { readonly nodeId: unknown }>;

/** `epoch` is the one in which the coordinator serves that answers. */
export function checkAnswerIsDurable(
  world: World,
  truth: Truth,
  epoch: number,
  command: Command,
  reply: Reply,
): void {
  const fail: Fail = (message) => world.fail(NAME, `${command.type}: ${message}`);
  if (reply.type === 'refused' || command.type === 'tick') return;
  if (command.type === 'create_job') {
    const created = reply.type === 'job_created' ? reply.spec : null;
    const isSame = created?.jobId === command.spec.jobId || command.spec.adoptsFirstJobId;
    if (created === null || !isSame) fail(`asked for ${command.spec.jobId}, got another`);
    else if (truth.ofName(created.jobId).length === 0) {
      // In the same batch it may have taken the id of its first node.
      const isAdopted = created.adoptsFirstJobId && truth.jobs.size + truth.past.length > 0;
      if (!isAdopted) fail(`${created.jobId} is not in the log`);
    }
    return;
  }
  if (command.type === 'share_stores') return;
  if (command.type === 'operate' && command.operation.type === 'forget') {
    return checkGone(truth, command.operation.jobToken, fail);
  }
  // In the same batch it may have taken the id of its first node, too.
  const twin =
    truth.answeredFor(command.jobId, epoch) ??
    [...truth.jobs.values()].find(({ adoptedFrom }) => adoptedFrom === command.jobId);
  if (twin === undefined) {
    // Of two jobs of that name, one of which went with the last entry, it may be of either.
    if (truth.answeredFor(command.jobId, epoch) === null) return;
    return fail(`no job ${command.jobId} is in the log`);
  }
  const { tailSeq } = truth;
  const isLatest = truth.epoch === epoch;
  if (!('nodeId' in command)) return checkForJob(twin, tailSeq, command, isLatest, fail);
  checkForNode(twin, tailSeq, command, reply, isLatest, world, fail);
  checkInstance(twin, tailSeq, command, isLatest, fail);
}

/** It may have gone long ago, and another may have its name. */
function checkGone(truth: Truth, token: string | undefined, fail: Fail): void {
  const isGone = truth.past.some((twin) => twin.token === token);
  if (!isGone) fail(`job ${String(token)} is called gone, and the log does not say so`);
}

/** Who is answered is the process that holds the node id, unless that changed with this very entry. */
function checkInstance(
  twin: JobTwin,
  tailSeq: number,
  command: OfNode,
  isLatest: boolean,
  fail: Fail,
): void {
  const needsNone = command.type === 'leave' || command.type === 'fail_job';
  const node = twin.nodes.get(command.nodeId);
  if (needsNone || command.type === 'disconnect' || !isLatest || node === undefined) return;
  if (node.instance === command.instanceId || node.sinceSeq === tailSeq) return;
  fail(
    `${command.nodeId} is held by ${String(node.instance)}, not by ${String(command.instanceId)}`,
  );
}

/** What one command of a batch made so, the next one of the same entry may have changed again. */
function checkForJob(
  twin: JobTwin,
  tailSeq: number,
  command: Command,
  isLatest: boolean,
  fail: Fail,
): void {
  const { timesDrained, timesFailed } = twin;
  if (
    command.type === 'drain_job' &&
    twin.phase === 'running' &&
    timesDrained + timesFailed === 0
  ) {
    fail('the job runs on');
  }
  if (command.type === 'resume_job' && isLatest && twin.phaseSeq !== tailSeq) {
    if (twin.phase === 'failed' || twin.phase === 'draining') fail(`the job is ${twin.phase}`);
  }
}

function checkForNode(
  twin: JobTwin,
  tailSeq: number,
  command: OfNode,
  reply: Reply,
  isLatest: boolean,
  world: World,
  fail: Fail,
): void {
  switch (reply.type) {
    case 'registered': {
      const member = `${command.nodeId} ${command.instanceId ?? ''} ${reply.assignedRank}`;
      if (!twin.members.has(member)) fail(`${member} never was a member`);
      if (reply.jobReady && !twin.isReady) fail('the barrier was not passed');
      if (reply.jobToken !== twin.token) fail(`is let in to job ${String(reply.jobToken)}`);
      checkSameJob(twin, command, fail);
      if (command.type === 'register' && command.resumeFrom.length > 0) checkResumed(twin, world);
      return;
    }
    case 'leases':
      for (const lease of reply.leases) {
        const there = twin.leases.get(lease.leaseId);
        if (there === undefined) fail(`lease ${lease.leaseId} was not granted`);
        else if (there.node !== command.nodeId) fail(`lease ${lease.leaseId} is of ${there.node}`);
        else if (there.start !== lease.range.start || !wasEnd(there, lease.range.end)) {
          fail(`lease ${lease.leaseId} has another range`);
        }
      }
      if (reply.jobDrained && reply.phase === 'running' && !twin.isDrained) {
        fail('called drained with samples left');
      }
      if (reply.phase === 'completed' && twin.phase !== 'completed') fail('called completed');
      return;
    case 'accepted':
      checkAccepted(twin, command, fail);
      checkEnd(twin, command, reply.end, fail);
      return;
    case 'renewed':
      if (command.type === 'renew') checkRenewed(twin, tailSeq, command, reply, isLatest, fail);
      return;
    case 'finalize':
      if (reply.finalizeToken !== null) {
        const node = twin.finalizeTokens.get(reply.finalizeToken);
        if (node !== command.nodeId) fail(`the token ${reply.finalizeToken} is not of this node`);
      }
      if (reply.phase === 'completed' && twin.phase !== 'completed') fail('called completed');
      return;
    case 'ok':
      checkOk(twin, command, isLatest, fail);
      return;
    default:
  }
}

/** Who worked on a job that was forgotten is not let in to another of its name. */
function checkSameJob(twin: JobTwin, command: OfNode, fail: Fail): void {
  const known = command.type === 'register' ? command.jobToken : undefined;
  if (known === undefined || known === twin.token) return;
  fail(`${command.nodeId} of job ${known} is let in to ${twin.token}`);
}

/**
 * What is renewed is its node's and lives or is finished, and what is not does not live; unless that changed with this
 * very entry.
 */
function checkRenewed(
  twin: JobTwin,
  tailSeq: number,
  command: Extract<Command, { readonly type: 'renew' }>,
  { ends }: Extract<Reply, { readonly type: 'renewed' }>,
  isLatest: boolean,
  fail: Fail,
): void {
  const { leaseIds, nodeId } = command;
  if (ends.length !== leaseIds.length) fail(`${ends.length} answers to ${leaseIds.length} leases`);
  for (const [index, id] of leaseIds.entries()) {
    const lease = twin.leases.get(id);
    const end = ends[index] ?? null;
    if (end === null) {
      if (isLatest && lease?.node === nodeId && lease.ended === null) fail(`lease ${id} lives`);
    } else if (lease?.node !== nodeId) fail(`lease ${id} is of ${String(lease?.node)}`);
    else {
      if (!wasEnd(lease, end)) fail(`lease ${id} is said to end at ${end}, not at ${lease.end}`);
      const isOver = lease.ended !== null && lease.ended !== 'finished';
      if (isLatest && isOver && lease.endedSeq < tailSeq) fail(`lease ${id} was ${lease.ended}`);
    }
  }
}

/** Where a lease is said to end is where it ends, or ended when that was said. */
function checkEnd(twin: JobTwin, command: OfNode, end: number | null, fail: Fail): void {
  const lease = 'leaseId' in command ? twin.leases.get(command.leaseId) : undefined;
  if (lease === undefined || (end !== null && wasEnd(lease, end))) return;
  fail(`lease ${lease.id} is said to end at ${String(end)}, not at ${lease.end}`);
}

/** A later command of the same entry, or another leader, may have split it since. */
function wasEnd({ end, grantedEnd }: TwinLease, told: number): boolean {
  return told >= end && told <= grantedEnd;
}

function checkAccepted(twin: JobTwin, command: OfNode, fail: Fail): void {
  if ('leaseId' in command && twin.leases.get(command.leaseId)?.node !== command.nodeId) {
    fail(`lease ${command.leaseId} is not of ${command.nodeId}`);
  }
  if (command.type === 'commit') {
    const key = `${command.leaseId}:${command.start}-${command.end}`;
    if (!twin.pieces.has(key)) fail(`${key} is not committed`);
    return;
  }
  if (command.type !== 'progress' || twin.spec.commitsOutputs) return;
  const lease = twin.leases.get(command.leaseId);
  if (lease === undefined || lease.cursor < command.cursor) {
    fail(`lease ${command.leaseId} is not at ${command.cursor}`);
  }
}

function checkOk(twin: JobTwin, command: OfNode, isLatest: boolean, fail: Fail): void {
  switch (command.type) {
    case 'release': {
      const lease = twin.leases.get(command.leaseId);
      // One that another coordinator granted since is unknown to a leader that was overtaken.
      if (isLatest && lease?.ended === null) fail(`lease ${command.leaseId} still lives`);
      return;
    }
    case 'leave': {
      const node = twin.nodes.get(command.nodeId);
      const isStill = node?.instance === command.instanceId && node.sinceSeq !== twin.seq;
      if (isLatest && isStill) fail(`${command.nodeId} is still a member`);
      return;
    }
    case 'fail_job':
      if (twin.timesFailed > 0 || twin.phase === 'completed') return;
      if (twin.phase !== 'finalizing' || publisherOf(twin) === command.nodeId) {
        fail('the job did not fail');
      }
      return;
    case 'complete_job':
      if (twin.phase !== 'completed') fail('the job is not completed');
      return;
    default:
  }
}

/** Who was chosen to publish and has not gone since; null: nobody. */
function publisherOf(twin: JobTwin): string | null {
  return twin.finalizer === null ? null : (twin.finalizeTokens.get(twin.finalizer) ?? null);
}

/** Invariant 21: who was let in with a checkpoint finds all of it done. */
function checkResumed(twin: JobTwin, world: World): void {
  for (const [start, end] of world.scene.resumed) {
    for (let sample = start; sample < end; sample += 1) {
      if (twin.done[sample] === 1) continue;
      world.fail('resume is all or nothing', `sample ${sample} of the checkpoint is not done`);
      return;
    }
  }
}
