/** Known bugs of how nodes that wait for work relieve slow ones. */
import type { Mutation } from '../../support/mutations/mutation-loader.ts';

const APPLY = 'src/core/job/apply.ts';
const CODEC = 'src/core/job/codec.ts';
const LEASES = 'src/core/job/decide-leases.ts';
const RELIEF = 'src/core/job/decide-relief.ts';

export const RELIEF_MUTATIONS: readonly Mutation[] = [
  {
    name: 'split-keeps-its-end',
    breaks: 'who holds a lease whose tail was split off works up to the cut',
    edits: [{ file: APPLY, find: '  lease.end = at;\n', replace: '' }],
  },
  {
    name: 'holder-not-told-of-the-cut',
    breaks: 'the holder of a lease hears where it ends by now',
    edits: [
      {
        file: LEASES,
        find: "  return { type: 'accepted', cursor, repeated, end };",
        replace: "  return { type: 'accepted', cursor, repeated, end: end + 1 };",
      },
    ],
  },
  {
    name: 'both-of-a-double-commit',
    breaks: 'of a lease and its double the first to commit takes all',
    edits: [{ file: LEASES, find: '  endOther(tx, job, lease);\n', replace: '' }],
  },
  {
    name: 'doubled-lease-requeued',
    breaks: 'what a lease leaves behind is its double’s, if it has one',
    edits: [
      {
        file: LEASES,
        find: "  if (by === null) tx.emit({ type: 'lease_returned', ...record });",
        replace: "  if (by !== '') tx.emit({ type: 'lease_returned', ...record });",
      },
    ],
  },
  {
    name: 'double-counted-as-leased',
    breaks: 'samples that two nodes work on are held once',
    edits: [
      {
        file: CODEC,
        find: 'if (lease.doubles === null) leased += lease.end - cursor;',
        replace: 'leased += lease.end - cursor;',
      },
    ],
  },
  {
    name: 'split-of-what-is-consumed',
    breaks: 'in a job without outputs nobody works on what another may have delivered',
    edits: [
      {
        file: RELIEF,
        find: '!job.spec.commitsOutputs || ',
        replace: '',
      },
    ],
  },
];
