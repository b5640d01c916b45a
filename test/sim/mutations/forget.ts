/** Known bugs of what is forgotten, when, and what is left of it. */
import type { Mutation } from '../../support/mutations/mutation-loader.ts';

const FORGET = 'src/core/job/decide-forget.ts';
const APPLY = 'src/core/job/apply.ts';
const NO_NODES = "  assert(nodes.size === 0, 'nobody works on a job that is forgotten');\n";

export const FORGET_MUTATIONS: readonly Mutation[] = [
  {
    name: 'running-job-forgotten',
    breaks: 'a job that runs is not forgotten',
    edits: [
      { file: FORGET, find: "  if (job.phase === 'running') {", replace: '  if (job.paused) {' },
      {
        file: APPLY,
        find: "  assert(phase !== 'running' && phase !== 'finalizing', () => `job ${spec.jobId} is ${phase}`);\n",
        replace: "  assert(phase !== 'finalizing', () => `job ${spec.jobId} is ${phase}`);\n",
      },
    ],
  },
  {
    name: 'publishing-job-forgotten',
    breaks: 'a job that is not published is not forgotten',
    edits: [
      { file: FORGET, find: "  if (job.phase === 'finalizing') {", replace: '  if (job.paused) {' },
      {
        file: APPLY,
        find: "  assert(phase !== 'running' && phase !== 'finalizing', () => `job ${spec.jobId} is ${phase}`);\n",
        replace: "  assert(phase !== 'running', () => `job ${spec.jobId} is ${phase}`);\n",
      },
      {
        file: FORGET,
        find: '  if (job.nodes.size === 0) return null;\n',
        replace: '  return null;\n',
      },
      { file: APPLY, find: NO_NODES, replace: '  assert(nodes.size >= 0);\n' },
    ],
  },
  {
    name: 'failed-job-goes-by-itself',
    breaks: 'only a completed job goes by itself',
    edits: [
      {
        file: FORGET,
        find: "({ phase }) => phase === 'completed');",
        replace:
          "({ phase }) => phase === 'completed' || phase === 'failed' || phase === 'draining');",
      },
    ],
  },
  {
    name: 'forgotten-with-its-nodes',
    breaks: 'a job stays as long as one of its nodes is there',
    edits: [
      { file: FORGET, find: 'job.nodes.size === 0 && !isOwn(', replace: '!isOwn(' },
      { file: APPLY, find: NO_NODES, replace: '  assert(nodes.size >= 0);\n' },
    ],
  },
  {
    name: 'forgotten-before-its-time',
    breaks: 'a completed job stays for its time',
    edits: [
      {
        file: FORGET,
        find: 'nowUnixMs - endedUnixMs >= keepJobs.keepMs',
        replace: 'endedUnixMs > 0',
      },
    ],
  },
  {
    name: 'latest-jobs-forgotten',
    breaks: 'so many of the last completed jobs stay',
    edits: [
      {
        file: FORGET,
        find: 'Math.min(old.length, over.length - keepJobs.latest)',
        replace: 'old.length',
      },
    ],
  },
  {
    name: 'nothing-is-forgotten',
    breaks: 'completed jobs go in their time',
    edits: [{ file: FORGET, find: 'if (most <= 0) return;', replace: 'if (most <= 2) return;' }],
  },
  {
    name: 'own-job-forgotten',
    breaks: 'a job that would be made anew at the next start stays',
    edits: [
      {
        file: FORGET,
        find: '  if (ownJobs === undefined) return false;\n',
        replace: '  if (ownJobs !== undefined) return false;\n',
      },
    ],
  },
  {
    name: 'forgotten-by-its-leader-only',
    breaks: 'what the leader forgot every replica forgets',
    edits: [
      {
        file: APPLY,
        find: '  state.jobs.delete(spec.jobId);\n}',
        replace: '  assert(state.jobs.size > 0);\n}',
      },
      {
        file: FORGET,
        find: '  tx.fact({ event',
        replace: '  tx.state.jobs.delete(spec.jobId);\n  tx.fact({ event',
      },
    ],
  },
  {
    name: 'forgotten-job-in-a-snapshot',
    breaks: 'a forgotten job does not come back from a snapshot',
    edits: [
      {
        file: 'src/core/job/codec.ts',
        find: '  const jobs = [...state.jobs.values()].map((job) => {\n',
        replace: `  const kept = state as CoordinatorState & { seen?: Map<string, JobState> };
  kept.seen ??= new Map();
  for (const [id, job] of state.jobs) kept.seen.set(id, job);
  const jobs = [...kept.seen.values()].map((job) => {
`,
      },
    ],
  },
  {
    name: 'name-taken-for-the-old-job',
    breaks: 'who worked on a forgotten job is not let in to another of its name',
    edits: [
      {
        file: 'src/core/job/decide-membership.ts',
        find: 'job.token === null || job.token === jobToken) return null;',
        replace: "job.token !== '') return null;",
      },
    ],
  },
  {
    name: 'holder-forgets-its-job',
    breaks: 'a node that comes back says which job it was let in to',
    edits: [
      {
        file: 'src/core/node/lease-holder.ts',
        find: "return known === null ? { type: 'register' }",
        replace: "return known !== undefined ? { type: 'register' }",
      },
    ],
  },
];
