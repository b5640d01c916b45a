/** Known bugs of the log protocol and of the log in memory. */
import type { Mutation } from '../../support/mutations/mutation-loader.ts';

const APPEND = 'src/core/log/append.ts';
const CLAIM = 'src/core/log/claim.ts';
const SNAPSHOT = 'src/core/log/snapshot.ts';
const TRIM = 'src/core/log/trim.ts';
const MEMORY = 'src/log/memory-log.ts';

const APPEND_COMPARES = `      fence(hold),
      { key: TAIL_KEY, target: 'mod_revision', revision: hold.tailRevision },
      { key: slotKey(seq), target: 'create_revision', revision: 0 },
`;

export const LOG_MUTATIONS: readonly Mutation[] = [
  {
    name: 'slot-filled-means-by-me',
    breaks: 'the nonce is compared when a slot is read again',
    edits: [
      {
        file: APPEND,
        find: `    if (!isSameEntry(decodeSlot(identity.seq, there.value), identity)) {
      return done({ type: 'fenced', epoch });
    }
    if (!isOurs) return done({ type: 'overtaken', epoch });
`,
        replace: '',
      },
    ],
  },
  {
    name: 'unknown-taken-for-done',
    breaks: 'an unknown outcome is resolved on its slot',
    edits: [
      {
        file: APPEND,
        find: "return state.phase === 'part' ? write(state) : look(state);",
        replace:
          "return state.phase === 'part' ? write(state) : done({ type: 'ok', tailRevision: state.hold.tailRevision });",
      },
    ],
  },
  {
    name: 'unknown-taken-for-failed',
    breaks: 'nothing is called failed that is, or may still get, in the log',
    edits: [
      {
        file: APPEND,
        find: "return state.phase === 'part' ? write(state) : look(state);",
        replace:
          "return state.phase === 'part' ? write(state) : done({ type: 'fenced', epoch: state.hold.epoch });",
      },
    ],
  },
  {
    name: 'overtaken-called-fenced',
    breaks: 'what is in the log is not called fenced',
    edits: [
      {
        file: APPEND,
        find: "if (!isOurs) return done({ type: 'overtaken', epoch });",
        replace: "if (!isOurs) return done({ type: 'fenced', epoch });",
      },
    ],
  },
  {
    name: 'check-then-append',
    breaks: 'the store itself makes the append conditional',
    edits: [
      { file: APPEND, find: APPEND_COMPARES, replace: '' },
      {
        file: APPEND,
        find: 'return seq === hold.tailSeq + 1 ? write(state) : look(state);',
        replace: 'return look(state);',
      },
      {
        file: APPEND,
        find: "  assert(view.tail.revision === hold.tailRevision, 'only the holder of the epoch moves the tail');",
        replace: '',
      },
    ],
  },
  {
    name: 'append-unconditional',
    breaks: 'one value per slot',
    edits: [{ file: APPEND, find: APPEND_COMPARES, replace: '' }],
  },
  {
    name: 'boundary-unchecked-on-re-read',
    breaks: 'the trim boundary is checked on every path that answers',
    edits: [
      {
        file: APPEND,
        find: "if (identity.seq <= view.trim.seq) return done({ type: 'overtaken', epoch });",
        replace: '',
      },
    ],
  },
  {
    name: 'trim-without-boundary',
    breaks: 'the boundary is moved before anything is deleted',
    edits: [
      {
        file: TRIM,
        find: "return send({ ...state, phase: 'write', seenRevision: view.trim.revision });",
        replace: 'return sweep(state, found.at(-1)?.[0]?.key);',
      },
    ],
  },
  {
    name: 'pointer-before-its-parts',
    breaks: 'the parts of a snapshot are there before the pointer to them',
    edits: [
      {
        file: SNAPSHOT,
        find: "phase: state.partsDone < partsOf(state) ? 'part' : 'write'",
        replace: "phase: 'write'",
      },
    ],
  },
  {
    name: 'snapshot-unfenced',
    breaks: 'a snapshot is fenced like an append',
    edits: [
      {
        file: SNAPSHOT,
        find: 'compares: [fence(hold), { key: SNAPSHOT_KEY, target:',
        replace: 'compares: [{ key: SNAPSHOT_KEY, target:',
      },
      {
        file: SNAPSHOT,
        find: "return { compares: [fence(hold)], then: [{ type: 'put', key, value }], else: LOOK };",
        replace: "return { compares: [], then: [{ type: 'put', key, value }], else: LOOK };",
      },
      {
        file: SNAPSHOT,
        find: "if (!isHeld(view, state.hold)) return done({ type: 'fenced', epoch: view.epoch.epoch });",
        replace: '',
      },
      {
        file: SNAPSHOT,
        find: 'const isPast = state.upToSeq <= view.tail.seq && state.upToSeq >= view.snapshot.seq;',
        replace: 'const isPast = true;',
      },
    ],
  },
  {
    name: 'claim-over-unread-entries',
    breaks: 'a claim holds only at the tail that its claimant has read',
    edits: [
      { file: CLAIM, find: ' || tail.seq !== state.tailSeq', replace: '' },
      {
        file: CLAIM,
        find: `      { key: TAIL_KEY, target: 'mod_revision', revision: state.seenTailRevision },
      { key: slotKey(claimSeq), target: 'create_revision', revision: 0 },
`,
        replace: '',
      },
      {
        file: CLAIM,
        find: 'if ((found[LOOK.length] ?? []).length > 0) {',
        replace: 'if ((found[LOOK.length] ?? []).length > 99) {',
      },
    ],
  },
  {
    name: 'claim-not-looked-for',
    breaks: 'a claim whose outcome is unknown is looked for before it is called lost',
    edits: [
      {
        file: CLAIM,
        find: 'if (isThisClaim(state, view)) return won(state, epoch.revision, tail.revision);',
        replace: '',
      },
    ],
  },
  {
    name: 'unknown-claim-taken-for-won',
    breaks: 'only a claim that is in the log is won',
    edits: [
      {
        file: CLAIM,
        find: "    case 'unknown':\n      return look(state);",
        replace:
          "    case 'unknown':\n      return won(state, state.seenEpochRevision, state.seenTailRevision);",
      },
    ],
  },
  {
    name: 'failure-outlives-its-epoch',
    breaks: 'a store that failed under one epoch can be claimed again',
    edits: [
      {
        file: 'src/log/slot-log.ts',
        find: '    this.#failure = null;\n',
        replace: '',
      },
    ],
  },
  {
    name: 'late-failure-spoils-the-next-epoch',
    breaks: 'what a write comes to after the next claim says nothing of that epoch',
    edits: [
      {
        file: 'src/log/slot-log.ts',
        find: 'if (error instanceof Mx8Error && this.#holdOf(epoch) !== null) this.#failure',
        replace: 'if (error instanceof Mx8Error) this.#failure',
      },
    ],
  },
  {
    name: 'stale-term-accepted',
    breaks: 'the store refuses a write of an older epoch',
    edits: [
      {
        file: MEMORY,
        find: 'if (epoch !== disk.epoch || seq !== disk.tailSeq + 1) return this.#fenced();',
        replace: 'if (seq > disk.tailSeq + 1) return this.#fenced();',
      },
    ],
  },
  {
    name: 'memory-snapshot-unfenced',
    breaks: 'a snapshot is fenced like an append',
    edits: [
      {
        file: MEMORY,
        find: "    if (epoch !== disk.epoch) return this.#fenced();\n    assert(\n      upToSeq <= disk.tailSeq && upToSeq >= disk.snapshotSeq,\n      'a snapshot is of the log’s past',\n    );\n",
        replace: '',
      },
    ],
  },
];
