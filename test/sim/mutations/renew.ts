/** Known bugs of how a node renews all that it holds at once. */
import type { Mutation } from '../../support/mutations/mutation-loader.ts';

const LEASES = 'src/core/job/decide-leases.ts';
const ANSWERS = 'src/core/node/holder-answers.ts';
const REFUSALS = 'src/core/node/holder-refusals.ts';

export const RENEW_MUTATIONS: readonly Mutation[] = [
  {
    name: 'lease-of-another-renewed',
    breaks: 'a node renews its own leases only',
    edits: [
      {
        file: LEASES,
        find: '    const found = findLease(job, node, id);\n    if (found.type ===',
        replace:
          '    const lease = job.leases.get(id as never);\n    const owner = job.nodes.get(lease?.nodeId ?? node.nodeId) ?? node;\n    const found = findLease(job, owner, id);\n    if (found.type ===',
      },
    ],
  },
  {
    name: 'renewal-only-answered',
    breaks: 'what is said to be renewed lives a full TTL',
    edits: [
      {
        file: LEASES,
        find: '    renew(tx, job, found.lease);\n    return found.lease.end;',
        replace: '    return found.lease.end;',
      },
    ],
  },
  {
    name: 'ended-lease-called-renewed',
    breaks: 'a renewal says which leases are gone',
    edits: [
      {
        file: LEASES,
        find: "    if (found.type === 'refused') return null;\n    if (found.type === 'finished') return found.end;",
        replace:
          "    if (found.type === 'refused') return found.code === 'lease_unknown' ? job.spec.sampleCount : null;\n    if (found.type === 'finished') return found.end;",
      },
    ],
  },
  {
    name: 'renewal-hides-the-cut',
    breaks: 'where each lease ends by now is in the answer to its renewal',
    edits: [
      {
        file: LEASES,
        find: '    return found.lease.end;\n',
        replace: '    return found.lease.end + 1;\n',
      },
    ],
  },
  {
    name: 'gone-lease-worked-on',
    breaks: 'a node stops work on a lease that a renewal says is gone',
    edits: [
      {
        file: ANSWERS,
        find: 'if (held.releasing !== null || end === undefined) continue;',
        replace: 'if (held.releasing !== null || end === undefined || end === null) continue;',
      },
    ],
  },
  {
    name: 'refused-renewal-repeated',
    breaks: 'a coordinator that does not know the renewal of all is told of each lease',
    edits: [
      {
        file: REFUSALS,
        find: '    state.renewsTogether = false;\n',
        replace: '',
      },
    ],
  },
];
