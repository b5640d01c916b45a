/** Known bugs of the coordinator's state machine. */
import type { Mutation } from '../../support/mutations/mutation-loader.ts';

const APPLY = 'src/core/job/apply.ts';
const CODEC = 'src/core/job/codec.ts';
const COORDINATOR = 'src/core/job/coordinator.ts';
const GRANTS = 'src/core/job/decide-grants.ts';
const JOB = 'src/core/job/decide-job.ts';
const LEASES = 'src/core/job/decide-leases.ts';
const LEDGER = 'src/core/job/work-ledger.ts';
const MEMBERSHIP = 'src/core/job/decide-membership.ts';
const STATE = 'src/core/job/job-state.ts';

export const JOB_MUTATIONS: readonly Mutation[] = [
  {
    name: 'progress-goes-back',
    breaks: 'a cursor never goes back',
    edits: [
      {
        file: LEASES,
        find: 'if (command.cursor < furthest) return regressed(tx, job, lease, command.cursor, furthest);',
        replace: '',
      },
    ],
  },
  {
    name: 'commit-from-another-node',
    breaks: 'only the holder of a lease reports on it',
    edits: [
      {
        file: LEASES,
        find: 'if (owner.nodeId !== node.nodeId) {',
        replace: 'if (owner === null) {',
      },
    ],
  },
  {
    name: 'commit-not-at-the-cursor',
    breaks: 'a commit starts at the cursor of its lease',
    edits: [
      {
        file: LEASES,
        find: 'if (command.start !== lease.cursor || command.end <= command.start) {',
        replace: 'if (command.end <= command.start) {',
      },
    ],
  },
  {
    name: 'cursor-beyond-the-lease',
    breaks: 'a report lies inside its lease',
    edits: [
      {
        file: LEASES,
        find: 'cursor >= lease.start && cursor <= lease.end) return null;',
        replace: 'cursor >= lease.start) return null;',
      },
    ],
  },
  {
    name: 'finished-lease-given-back',
    breaks: 'the release of a finished lease changes nothing',
    edits: [
      {
        file: LEASES,
        find: "if (found.type === 'live') returnLease(tx, job, found.lease, 'released', '');",
        replace:
          "if (found.type === 'live') returnLease(tx, job, found.lease, 'released', '');\n  else job.work.giveBack(found.end - 1, found.end);",
      },
    ],
  },
  {
    name: 'finished-leases-forgotten',
    breaks: 'the repeat of a last report is answered as the first was',
    edits: [
      {
        file: STATE,
        find: 'if (this.finished.size <= FINISHED_LEASES_MAX) return;',
        replace:
          'this.finished.delete(lease.leaseId);\n    if (this.finished.size <= FINISHED_LEASES_MAX) return;',
      },
    ],
  },
  {
    name: 'repeated-commit-refused',
    breaks: 'the repeat of a commit is answered as the first was',
    edits: [
      {
        file: LEASES,
        find: 'if (command.start === lease.lastCommitStart && command.end === lease.cursor) {',
        replace: 'if (lease.cursor < 0) {',
      },
    ],
  },
  {
    name: 'request-executed-twice',
    breaks: 'a repeated request for leases has one effect',
    edits: [
      {
        file: GRANTS,
        find: 'command.held === null ? command.want : command.want - node.leases.size',
        replace: 'command.want',
      },
    ],
  },
  {
    name: 'returned-range-granted-twice',
    breaks: 'a sample is held by one lease at a time',
    edits: [
      {
        file: LEDGER,
        find: '    if (this.#returned.get(start) === end) {\n      this.#returned.delete(start);',
        replace: '    if (this.#returned.get(start) === end) {\n      this.#heads.length += 0;',
      },
    ],
  },
  {
    name: 'quarantined-counted-twice',
    breaks: 'unissued, leased, committed and quarantined are an exact cover',
    edits: [
      {
        file: LEDGER,
        find: 'this.#committed += end - start - quarantinedCount;',
        replace: 'this.#committed += end - start;',
      },
    ],
  },
  {
    name: 'whole-range-given-back',
    breaks: 'only what is after the cursor is available again',
    edits: [
      {
        file: APPLY,
        find: 'job.work.giveBack(lease.cursor, lease.end);',
        replace: 'job.work.giveBack(Math.max(lease.start, lease.cursor - 1), lease.end);',
      },
    ],
  },
  {
    name: 'lease-expires-early',
    breaks: 'a lease lives a full TTL after its last renewal',
    edits: [
      {
        file: LEASES,
        find: 'if (lease.deadlineMs > tx.context.nowMs) break;',
        replace: 'if (lease.deadlineMs > tx.context.nowMs + 700) break;',
      },
    ],
  },
  {
    name: 'renewal-forgotten',
    breaks: 'a report renews its lease',
    edits: [
      {
        file: STATE,
        find: '    lease.deadlineMs = deadlineMs;\n',
        replace: '    lease.deadlineMs = Math.min(lease.deadlineMs, deadlineMs);\n',
      },
    ],
  },
  {
    name: 'expired-lease-not-returned',
    breaks: 'no range waits while a willing node idles',
    edits: [
      {
        file: COORDINATOR,
        find: '    expireLeases(tx, job);\n',
        replace: '',
      },
    ],
  },
  {
    name: 'barrier-forgotten-on-replay',
    breaks: 'a snapshot holds all of the state',
    edits: [{ file: CODEC, find: 'job.ready = header.ready;', replace: '' }],
  },
  {
    name: 'adoption-lost-on-replay',
    breaks: 'the id that a job took is kept',
    edits: [{ file: CODEC, find: 'job.adoptedFrom = header.adoptedFrom;', replace: '' }],
  },
  {
    name: 'counters-lost-on-replay',
    breaks: 'counters of durable things survive exactly',
    edits: [{ file: CODEC, find: 'Object.assign(job.counters, header.counters);', replace: '' }],
  },
  {
    name: 'last-commit-lost-on-replay',
    breaks: 'a repeat is known as one after a restart too',
    edits: [
      { file: CODEC, find: 'lastCommitStart: number(at + 4),', replace: 'lastCommitStart: -1,' },
    ],
  },
  {
    name: 'returned-ranges-lost-on-replay',
    breaks: 'no sample is lost',
    edits: [{ file: CODEC, find: 'returned: work.returned,', replace: 'returned: [],' }],
  },
  {
    name: 'half-applied-resume',
    breaks: 'a resume is all or nothing',
    edits: [
      {
        file: APPLY,
        find: 'for (let index = 0; index + 1 < done.length; index += 2) {',
        replace: 'for (let index = 0; index + 1 < done.length / 2; index += 2) {',
      },
    ],
  },
  {
    name: 'drained-before-all-is-committed',
    breaks: 'drained means that all is committed',
    edits: [
      {
        file: STATE,
        find: 'return this.work.allDone;',
        replace: 'return this.work.availableRanges === 0;',
      },
    ],
  },
  {
    name: 'finalize-granted-to-two',
    breaks: 'one node at a time publishes',
    edits: [
      {
        file: JOB,
        find: 'if (job.finalizer !== null) {',
        replace: 'if (job.finalizer?.nodeId === node.nodeId) {',
      },
    ],
  },
  {
    name: 'finalizer-never-freed',
    breaks: 'the job completes although its finalizer died',
    edits: [
      {
        file: APPLY,
        find: '  if (job.finalizer?.nodeId === record.node) job.finalizer = null;\n',
        replace: '',
      },
    ],
  },
  {
    name: 'draining-job-grants',
    breaks: 'a job that is not running grants nothing',
    edits: [
      {
        file: GRANTS,
        find: "if (job.phase === 'running' && !job.paused && !node.draining) {",
        replace: "if (job.phase !== 'completed' && !job.paused && !node.draining) {",
      },
    ],
  },
  {
    name: 'paused-job-grants',
    breaks: 'a paused job grants nothing',
    edits: [
      {
        file: GRANTS,
        find: "if (job.phase === 'running' && !job.paused && !node.draining) {",
        replace: "if (job.phase === 'running' && !node.draining) {",
      },
    ],
  },
  {
    name: 'failure-not-durable',
    breaks: 'an answer given is durable',
    edits: [
      {
        file: JOB,
        find: "tx.emit({ type: 'job_failed', job: job.spec.jobId, code, message });",
        replace: "job.phase = 'failed';\n  job.failure = { code, message };",
      },
    ],
  },
  {
    name: 'drain-not-durable',
    breaks: 'an answer given is durable',
    edits: [
      {
        file: JOB,
        find: "tx.emit({ type: 'job_draining', job: job.spec.jobId });",
        replace: "job.phase = 'draining';",
      },
    ],
  },
  {
    name: 'job-known-by-its-manifest',
    breaks: 'two jobs on one data set never touch each other',
    edits: [
      {
        file: JOB,
        find: 'const same = state.jobs.get(spec.jobId);',
        replace:
          'const same = [...state.jobs.values()].find((job) => job.spec.manifestHash === spec.manifestHash);',
      },
    ],
  },
];

export const MEMBERSHIP_MUTATIONS: readonly Mutation[] = [
  {
    name: 'client-clock-believed',
    breaks: 'liveness is judged by the judge’s own clock',
    edits: [
      {
        file: COORDINATOR,
        find: '      node.stats = command.stats;',
        replace:
          '      node.stats = command.stats;\n      node.lastHeardMs = command.sentAtUnixMs as never;',
      },
    ],
  },
  {
    name: 'heartbeats-ignored',
    breaks: 'a node that was heard of is not dropped',
    edits: [
      {
        file: MEMBERSHIP,
        find: '  heard(node, tx.context.nowMs);\n  return node;',
        replace: '  return node;',
      },
    ],
  },
  {
    name: 'live-node-replaced',
    breaks: 'a node id in use is not given to another process',
    edits: [
      {
        file: MEMBERSHIP,
        find: 'if (known.instanceId !== null && !known.disconnected && silentMs < job.spec.leaseTtlMs) {',
        replace: 'if (silentMs < 0) {',
      },
    ],
  },
  {
    name: 'old-disconnect-frees-the-id',
    breaks: 'only its own session’s end frees a node id',
    edits: [
      {
        file: COORDINATOR,
        find: 'if (node !== undefined && node.instanceId === command.instanceId) node.disconnected = true;',
        replace: 'if (node !== undefined) node.disconnected = true;',
      },
    ],
  },
  {
    name: 'stale-instance-accepted',
    breaks: 'a process that was replaced is refused',
    edits: [
      {
        file: MEMBERSHIP,
        find: 'if (command.instanceId !== null && command.instanceId !== node.instanceId) {',
        replace: 'if (command.instanceId === null && node.instanceId === null) {',
      },
    ],
  },
  {
    name: 'leases-kept-by-a-new-process',
    breaks: 'a new process under an id holds nothing of the former one',
    edits: [
      {
        file: MEMBERSHIP,
        find: "    if (lease !== undefined) returnLease(tx, job, lease, 'revoked', 'the node was restarted');\n",
        replace:
          "    if (lease === null) returnLease(tx, job, lease, 'revoked', 'the node was restarted');\n",
      },
    ],
  },
  {
    name: 'leases-kept-by-one-that-left',
    breaks: 'who leaves holds nothing',
    edits: [
      {
        file: MEMBERSHIP,
        find: "    if (lease !== undefined) returnLease(tx, job, lease, 'released', '');\n  }\n  releaseRank",
        replace: '    if (lease !== undefined) job.drop(lease);\n  }\n  releaseRank',
      },
    ],
  },
  {
    name: 'barrier-opened-early',
    breaks: 'leases are granted once min_world_size nodes are there',
    edits: [
      {
        file: MEMBERSHIP,
        find: 'if (registeredNodes >= minWorldSize) {',
        replace: 'if (registeredNodes >= minWorldSize - 1) {',
      },
    ],
  },
  {
    name: 'rank-given-twice',
    breaks: 'no two nodes hold one rank',
    edits: [
      {
        file: STATE,
        find: 'if (!taken.has(rank)) return rank;',
        replace: 'if (!taken.has(rank + 1)) return rank;',
      },
    ],
  },
  {
    name: 'silent-ranks-never-freed',
    breaks: 'a rank of a node that is gone is free again',
    edits: [
      {
        file: COORDINATOR,
        find: '    releaseSilentRanks(tx, job);\n',
        replace: '',
      },
    ],
  },
];
