/** Known bugs of the node's lease holder. */
import type { Mutation } from '../../support/mutations/mutation-loader.ts';

const HOLDER = 'src/core/node/lease-holder.ts';
const ANSWERS = 'src/core/node/holder-answers.ts';
const REFUSALS = 'src/core/node/holder-refusals.ts';

export const NODE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'node-works-past-its-deadline',
    breaks: 'a node delivers nothing after its own deadline',
    edits: [
      {
        file: HOLDER,
        find: 'if (nowMs < held.deadlineMs) continue;',
        replace: 'if (nowMs > 0) continue;',
      },
    ],
  },
  {
    name: 'node-counts-from-the-answer',
    breaks: 'a node counts a lease’s time from before it asked',
    edits: [
      {
        file: ANSWERS,
        find: '  const { call, sentAtMs } = flight;\n  const { answer, nowMs } = event;',
        replace:
          '  const { call } = flight;\n  const { answer, nowMs } = event;\n  const sentAtMs = nowMs;',
      },
      {
        file: 'src/core/node/limits.ts',
        find: 'return Math.min(leaseTtlMs / 10, LEASE_MARGIN_MAX_MS);',
        replace: 'return 0;',
      },
    ],
  },
  {
    name: 'final-report-lost',
    breaks: 'no report is swallowed',
    edits: [
      {
        file: HOLDER,
        find: 'const reportIsCommit = !state.spec.commitsOutputs && hasNews(held);',
        replace:
          'if (!state.spec.commitsOutputs && held.delivered === range.end) return;\n  const reportIsCommit = !state.spec.commitsOutputs && hasNews(held);',
      },
    ],
  },
  {
    name: 'commit-not-repeated',
    breaks: 'a commit whose answer was lost is made again',
    edits: [
      { file: REFUSALS, find: '    if (held.commit === call) held.commit = null;\n', replace: '' },
    ],
  },
  {
    name: 'never-registers-again',
    breaks: 'a node that was lost sight of registers by itself',
    edits: [
      {
        file: REFUSALS,
        find: "if (!state.isInFlight('register')) state.registerAtMs = addMs(nowMs, waitMs);",
        replace: 'if (waitMs < 0) state.registerAtMs = addMs(nowMs, waitMs);',
      },
    ],
  },
];
