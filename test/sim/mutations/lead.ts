/** Known bugs of the leadership. */
import type { Mutation } from '../../support/mutations/mutation-loader.ts';

const CANDIDATE = 'src/core/lead/candidate.ts';

export const LEAD_MUTATIONS: readonly Mutation[] = [
  {
    name: 'deadline-not-checked',
    breaks: 'past its deadline a leader answers nothing, without waiting for a tick',
    edits: [
      {
        file: CANDIDATE,
        find: 'return (leads(state) || state.isHandingOver) && nowMs < state.deadlineMs;',
        replace: 'return leads(state) || state.isHandingOver;',
      },
      {
        file: CANDIDATE,
        find: "return state.phase === 'leading' && nowMs < state.deadlineMs;",
        replace: "return state.phase === 'leading';",
      },
    ],
  },
  {
    name: 'deadline-from-the-answer',
    breaks: 'a leader’s time runs from before it sent the renewal',
    edits: [
      {
        file: CANDIDATE,
        find: 'return onTime(state, nowMs);\n  state.deadlineMs = deadlineFrom(state, askedMs);',
        replace: 'return onTime(state, nowMs);\n  state.deadlineMs = deadlineFrom(state, nowMs);',
      },
    ],
  },
  {
    name: 'refused-renewal-ignored',
    breaks: 'a leader that is told that another leads stops',
    edits: [
      { file: CANDIDATE, find: '  if (!isLeader) {\n', replace: '  if (isLeader === null) {\n' },
    ],
  },
  {
    name: 'lead-kept-without-a-writer',
    breaks: 'a leader whose writer failed lets others lead',
    edits: [
      {
        file: CANDIDATE,
        find: '  retryLater(state, nowMs);\n  return leave(state, { code, message });',
        replace: '  return [];',
      },
    ],
  },
  {
    name: 'leader-forgets-to-renew',
    breaks: 'there is one leader as long as nothing fails',
    edits: [
      {
        file: CANDIDATE,
        find: '  state.nextCallMs = addMs(nowMs, renewIntervalMs(state));\n  return asked.atMs;',
        replace:
          '  state.nextCallMs = addMs(nowMs, 5 * renewIntervalMs(state));\n  return asked.atMs;',
      },
    ],
  },
  {
    name: 'held-requests-forgotten',
    breaks: 'what waits while the lead changes hands is decided, whoever gets it',
    edits: [
      {
        file: 'src/coordinator/candidacy.ts',
        find: '    this.#isServing = false;\n    this.#tookOrGaveUp();\n',
        replace: '    this.#isServing = false;\n',
      },
    ],
  },
  {
    name: 'overtaken-claim-goes-on',
    breaks: 'whoever has left the lead claims nothing any more',
    edits: [
      {
        file: 'src/coordinator/candidacy.ts',
        find: "      if (this.#claims !== own || this.#machine.phase !== 'claiming') return;\n",
        replace: '',
      },
    ],
  },
];
