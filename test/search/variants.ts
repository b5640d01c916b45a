/**
 * The log protocol with one thing wrong, each with bounds small enough to find it in a moment. Where two
 * rules guard each other, both are taken away: the comment says which.
 */
import type { Mutation, MutationEdit } from '../support/mutations/mutation-loader.ts';
import { PARTED } from './bounds.ts';
import type { Bounds } from './world.ts';

export interface Variant extends Mutation {
  readonly bounds: Bounds;
  /** Number of the invariant that must be found broken, or what a machine itself says. */
  readonly found: RegExp;
}

const APPEND = 'src/core/log/append.ts';
const CLAIM = 'src/core/log/claim.ts';
const CODEC = 'src/core/log/entry-codec.ts';
const HOLD = 'src/core/log/hold.ts';
const LOAD = 'src/core/log/load.ts';
const READ = 'src/core/log/read-entries.ts';
const SNAPSHOT = 'src/core/log/snapshot.ts';
const TRIM = 'src/core/log/trim.ts';

const NOTHING: Bounds = {
  writers: 1,
  claims: 1,
  appends: 0,
  snapshots: 0,
  trims: 0,
  unknowns: 0,
  crashes: 0,
  payloadBytes: 1,
};
const ALONE: Bounds = { ...NOTHING, appends: 2, snapshots: 2, trims: 2, unknowns: 1 };
const TWO: Bounds = { ...NOTHING, writers: 2, claims: 2, appends: 1, unknowns: 1 };
/** Then every entry has the same bytes as a claim. */
const TWO_EMPTY: Bounds = { ...TWO, payloadBytes: 0 };
const TWO_TRIMMED: Bounds = { ...TWO, snapshots: 1, trims: 1 };

/** An entry that is found under another's epoch is answered all the same. */
const EPOCH_UNCHECKED: MutationEdit = {
  file: APPEND,
  find: "if (!isOurs) return done({ type: 'overtaken', epoch });",
  replace: '',
};

const SAME_ENTRY =
  'return a.seq === b.seq && a.epoch === b.epoch && a.nonce === b.nonce && a.crc === b.crc;';

const APPEND_COMPARES = `compares: [
      fence(hold),
      { key: TAIL_KEY, target: 'mod_revision', revision: hold.tailRevision },
      { key: slotKey(seq), target: 'create_revision', revision: 0 },
    ],`;

const POINTER_COMPARES =
  "compares: [fence(hold), { key: SNAPSHOT_KEY, target: 'mod_revision', revision: seenRevision }],";

const ON_APPENDS: readonly Variant[] = [
  {
    name: 'no-nonce-on-re-read',
    breaks: 'another writer’s entry with the same bytes counts as ours',
    found: /^3:/,
    bounds: TWO_EMPTY,
    edits: [
      { file: CODEC, find: SAME_ENTRY, replace: 'return a.seq === b.seq && a.crc === b.crc;' },
      {
        file: CODEC,
        find: 'crc32OfText(`${seq} ${kind} ${epoch} ${nonce.length} ${nonce}`)',
        replace: 'crc32OfText(`${seq} ${kind} ${epoch * 0} ${nonce.length * 0}`)',
      },
      // The epoch, read in the same moment, would tell it as well.
      EPOCH_UNCHECKED,
    ],
  },
  {
    name: 'filled-means-by-me',
    breaks: 'any entry in the slot counts as ours',
    found: /^3:/,
    bounds: TWO_EMPTY,
    edits: [{ file: CODEC, find: SAME_ENTRY, replace: 'return a.seq === b.seq;' }, EPOCH_UNCHECKED],
  },
  {
    name: 'epoch-unchecked-on-re-read',
    breaks: 'a writer answers after it could have seen a higher epoch',
    found: /^4:/,
    bounds: TWO,
    edits: [EPOCH_UNCHECKED],
  },
  {
    name: 'check-then-append',
    breaks: 'between the look and the write another may claim',
    found: /^1:/,
    bounds: TWO,
    edits: [
      { file: APPEND, find: APPEND_COMPARES, replace: 'compares: [],' },
      {
        file: APPEND,
        find: '=== hold.tailSeq + 1 ? write(state)',
        replace: '=== 0 ? write(state)',
      },
    ],
  },
  {
    name: 'only-the-slot-compared',
    breaks: 'a late append fills a slot that was trimmed under a later epoch',
    found: /^[17]:/,
    bounds: TWO_TRIMMED,
    edits: [
      {
        file: APPEND,
        find: APPEND_COMPARES,
        replace: "compares: [{ key: slotKey(seq), target: 'create_revision', revision: 0 }],",
      },
    ],
  },
  {
    name: 'tail-not-compared',
    breaks: 'the first of two attempts lands late in a slot that was trimmed meanwhile',
    found: /^[17]:/,
    bounds: { ...ALONE, appends: 1, snapshots: 1, trims: 1 },
    edits: [
      {
        file: APPEND,
        find: "{ key: TAIL_KEY, target: 'mod_revision', revision: hold.tailRevision },",
        replace: '',
      },
    ],
  },
  {
    name: 'boundary-unchecked-on-re-read',
    breaks: 'an entry that landed and was trimmed is told as failed',
    found: /^5:/,
    bounds: TWO_TRIMMED,
    edits: [
      {
        file: APPEND,
        find: "if (identity.seq <= view.trim.seq) return done({ type: 'overtaken', epoch });",
        replace: '',
      },
    ],
  },
  {
    name: 'overtaken-told-as-failed',
    breaks: 'an entry that landed before another claimed is told as failed',
    found: /^5:/,
    bounds: TWO,
    edits: [
      {
        file: APPEND,
        find: EPOCH_UNCHECKED.find,
        replace: "if (!isOurs) return done({ type: 'fenced', epoch });",
      },
    ],
  },
  {
    name: 'unknown-told-as-failed',
    breaks: 'an entry that may still land is told as failed',
    found: /^5:/,
    bounds: { ...NOTHING, appends: 1, unknowns: 1 },
    edits: [
      {
        file: APPEND,
        find: "return state.phase === 'part' ? write(state) : look(state);",
        replace: "return done({ type: 'fenced', epoch: state.hold.epoch });",
      },
    ],
  },
  {
    name: 'resent-on-another-slot',
    breaks: 'the same bytes may be in the log twice, with a gap between',
    found: /^1:/,
    bounds: { ...NOTHING, appends: 1, unknowns: 1 },
    edits: [
      {
        file: APPEND,
        find: `'only the holder of the epoch moves the tail');
  return write(state);`,
        replace: `'only the holder of the epoch moves the tail');
  const moved = identityOf(identity.seq + 1, hold.epoch, identity.nonce, state.payload);
  return write({ ...state, identity: moved });`,
      },
    ],
  },
  {
    name: 'slot-before-its-parts',
    breaks: 'an entry counts whose payload may never be written',
    found: /^3: .* 0 of 1 parts/,
    bounds: { ...NOTHING, appends: 1 },
    edits: [
      PARTED,
      {
        file: APPEND,
        find: 'if (state.partsDone < partCount(state.payload.length)) {',
        replace: 'if (state.partsDone < partCount(0)) {',
      },
    ],
  },
];

const ON_CLAIMS: readonly Variant[] = [
  {
    name: 'stale-epoch-accepted',
    breaks: 'a writer that was overtaken takes the epoch it sees for its own',
    found: /^4:/,
    bounds: TWO,
    edits: [
      {
        file: HOLD,
        find: 'view.epoch.epoch === hold.epoch &&\n    view.epoch.nonce === hold.nonce &&\n    view.epoch.revision === hold.epochRevision',
        replace: 'view.epoch.epoch >= hold.epoch',
      },
    ],
  },
  {
    name: 'epoch-key-not-compared',
    breaks: 'a writer that was overtaken writes on',
    found: /^4:/,
    bounds: { ...TWO_TRIMMED, unknowns: 0 },
    edits: [
      {
        file: HOLD,
        find: "return { key: EPOCH_KEY, target: 'mod_revision', revision: hold.epochRevision };",
        replace:
          "return { key: `no ${EPOCH_KEY}`, target: 'mod_revision', revision: hold.epoch * 0 };",
      },
    ],
  },
  {
    name: 'equal-identity-accepted',
    breaks: 'two processes of one name both hold the same epoch',
    found: /^2:/,
    bounds: TWO,
    edits: [
      {
        file: CLAIM,
        find: 'epoch.holder === state.who && epoch.nonce === state.nonce',
        replace: 'epoch.holder === state.who',
      },
    ],
  },
  {
    name: 'claim-compares-no-tail',
    breaks: 'a claim lands in a slot that was filled and trimmed since the look',
    found: /^[127]:/,
    bounds: { ...TWO_TRIMMED, unknowns: 0 },
    edits: [
      {
        file: CLAIM,
        find: "{ key: TAIL_KEY, target: 'mod_revision', revision: state.seenTailRevision },",
        replace: '',
      },
    ],
  },
  {
    name: 'claim-of-any-epoch',
    breaks: 'a claim from an old state of the log is made',
    found: /beyond the tail/,
    bounds: { ...TWO_TRIMMED, unknowns: 0 },
    edits: [
      {
        file: CLAIM,
        find: 'if (epoch.epoch >= state.epoch || tail.seq !== state.tailSeq) {',
        replace: 'if (epoch.epoch < 0) {',
      },
    ],
  },
];

const ON_SNAPSHOTS: readonly Variant[] = [
  {
    name: 'snapshot-pointer-not-fenced',
    breaks: 'a late pointer goes back behind what was trimmed',
    found: /^[46]:/,
    bounds: { ...ALONE, trims: 0 },
    edits: [{ file: SNAPSHOT, find: POINTER_COMPARES, replace: 'compares: [],' }],
  },
  {
    name: 'pointer-compares-the-epoch-alone',
    breaks: 'a pointer of the same leader lands late and goes back',
    found: /^6:/,
    bounds: { ...ALONE, trims: 0 },
    edits: [{ file: SNAPSHOT, find: POINTER_COMPARES, replace: 'compares: [fence(hold)],' }],
  },
  {
    name: 'parts-deleted-before-the-pointer-moves',
    breaks: 'the snapshot that counts loses its parts',
    found: /^6:/,
    bounds: { ...ALONE, trims: 0, unknowns: 0 },
    edits: [
      { file: SNAPSHOT, find: "? 'part' : 'write' }", replace: "? 'part' : 'sweep' }" },
      {
        file: SNAPSHOT,
        find: `case 'write':
      return send({ ...state, phase: 'sweep' });
    case 'sweep':
      return done({ type: 'ok' });`,
        replace: `case 'sweep':
      return send({ ...state, phase: 'write' });
    case 'write':
      return done({ type: 'ok' });`,
      },
    ],
  },
  {
    name: 'sweep-of-all-but-its-own',
    breaks: 'a deletion that lands late takes the parts of the next snapshot',
    found: /^6:/,
    bounds: { ...ALONE, trims: 0 },
    edits: [
      {
        file: SNAPSHOT,
        find: "{ type: 'delete', ...partsBelow('snap', state.upToSeq) }",
        replace: `{ type: 'delete', ...partsBelow('snap', state.upToSeq) },
          { type: 'delete', key: partsBelow('snap', state.upToSeq + 1).endKey, endKey: 'snap0' }`,
      },
    ],
  },
];

const ON_TRIMS: readonly Variant[] = [
  {
    name: 'trim-without-boundary-first',
    breaks: 'slots are gone that the boundary does not close',
    found: /^3:/,
    bounds: { ...ALONE, snapshots: 1, trims: 1, unknowns: 0 },
    edits: [
      {
        file: TRIM,
        find: "if (state.phase === 'sweep' && state.sweepEndSeq > state.upToSeq) return done({ type: 'ok' });",
        replace: `if (state.phase === 'write') return done({ type: 'ok' });
  if (state.sweepEndSeq > state.upToSeq) return send({ ...state, phase: 'write' });`,
      },
      {
        file: TRIM,
        find: "return send({ ...state, phase: 'write', seenRevision: view.trim.revision });",
        replace:
          'return sweep({ ...state, seenRevision: view.trim.revision }, found.at(-1)?.[0]?.key);',
      },
    ],
  },
  {
    name: 'boundary-not-compared',
    breaks: 'a boundary that lands late opens slots that were closed',
    found: /^7:/,
    bounds: ALONE,
    edits: [
      {
        file: TRIM,
        find: "compares: [fence(hold), { key: TRIM_KEY, target: 'mod_revision', revision: seenRevision }],",
        replace: 'compares: [fence(hold)].slice(seenRevision * 0),',
      },
    ],
  },
];

/** Of parts of payloads: below the boundary they are swept with their slots, above it never. */
const ON_PARTS: readonly Variant[] = [
  {
    name: 'sweep-of-parts-above-the-boundary',
    breaks: 'a deletion takes the payload of an entry that counts',
    found: /^3: .* 0 of 1 parts/,
    bounds: { ...ALONE, snapshots: 1, trims: 1, unknowns: 0 },
    edits: [
      PARTED,
      {
        file: TRIM,
        find: "{ type: 'delete', ...partsBelow('part', sweepEndSeq) },",
        replace: "{ type: 'delete', ...partsBelow('part', sweepEndSeq + 9) },",
      },
    ],
  },
];

const ON_READS: readonly Variant[] = [
  {
    name: 'reader-ignores-the-boundary',
    breaks: 'a log that is trimmed while it is read seems damaged',
    found: /is missing/,
    bounds: { ...TWO_TRIMMED, unknowns: 0 },
    edits: [
      {
        file: READ,
        find: 'if (state.afterSeq < view.trim.seq) {',
        replace: 'if (view.trim.seq < 0) {',
      },
    ],
  },
  {
    name: 'reader-keeps-an-old-pointer',
    breaks: 'a snapshot that is replaced while it is read seems damaged',
    found: /lacks its part/,
    bounds: { ...TWO, appends: 2, snapshots: 2, unknowns: 0 },
    edits: [
      {
        file: LOAD,
        find: 'if (view.snapshot.revision !== state.view?.snapshot.revision) {',
        replace: 'if (state.view === null) {',
      },
      {
        file: LOAD,
        find: 'return takeParts(state, view, answer.found',
        replace: 'return takeParts(state, state.view, answer.found',
      },
    ],
  },
];

export const VARIANTS: readonly Variant[] = [
  ...ON_APPENDS,
  ...ON_CLAIMS,
  ...ON_SNAPSHOTS,
  ...ON_TRIMS,
  ...ON_PARTS,
  ...ON_READS,
];
