/** Known bugs of the writer and its replica. */
import type { Mutation } from '../../support/mutations/mutation-loader.ts';

const WRITER = 'src/coordinator/writer.ts';
const REPLICA = 'src/coordinator/replica.ts';

export const WRITER_MUTATIONS: readonly Mutation[] = [
  {
    name: 'answer-before-append',
    breaks: 'durable before spoken',
    edits: [
      {
        file: WRITER,
        find: 'if (records.length > 0) await this.#append(seq, records);\n    else if (!(await this.#mayAnswer(batch))) return;',
        replace:
          'const appended = records.length > 0 ? this.#append(seq, records) : null;\n    if (appended === null && !(await this.#mayAnswer(batch))) return;',
      },
      {
        file: WRITER,
        find: 'for (const answer of answers) answer();',
        replace: 'for (const answer of answers) answer();\n    await appended;',
      },
    ],
  },
  {
    name: 'answer-without-confirming',
    breaks: 'who answers led when he was asked',
    edits: [
      {
        file: WRITER,
        find: 'if (mayLead === undefined || batch.every(({ isOwn }) => isOwn)) return true;',
        replace: 'if (mayLead === undefined || batch.length > 0) return true;',
      },
    ],
  },
  {
    name: 'append-error-swallowed',
    breaks: 'no answer after an error of a write',
    edits: [
      {
        file: WRITER,
        find: 'await this.#options.log.append(seq, this.#epoch, payload, nonce);',
        replace:
          "await this.#options.log.append(seq, this.#epoch, payload, nonce).catch(() => ({ type: 'ok' }) as const);",
      },
    ],
  },
  {
    name: 'fenced-append-ignored',
    breaks: 'a writer that is fenced answers nothing',
    edits: [
      {
        file: WRITER,
        find: "    if (result.type === 'fenced') throw fenced(result.epoch);\n    this.#seq = seq;",
        replace: '    this.#seq = seq;',
      },
    ],
  },
  {
    name: 'no-look-after-append',
    breaks: 'append, then look whether the time is up, then answer',
    edits: [
      {
        file: WRITER,
        find: 'if (mayLead?.() === false) throw timeRanOutWriting();',
        replace: '',
      },
    ],
  },
  {
    name: 'snapshot-of-a-later-state',
    breaks: 'a snapshot is of the entry that it names',
    edits: [
      {
        file: WRITER,
        find: '() => log.snapshot(this.#seq, this.#epoch, state),',
        replace: '() => log.snapshot(this.#seq - 1, this.#epoch, state),',
      },
      {
        file: WRITER,
        find: '() => log.trim(this.#seq, this.#epoch),',
        replace: '() => log.trim(this.#seq - 1, this.#epoch),',
      },
    ],
  },
  {
    name: 'snapshot-outside-the-writer',
    breaks: 'a snapshot is built between two steps',
    edits: [
      {
        file: WRITER,
        find: 'await this.#snapshotIfDue();',
        replace: 'void this.#snapshotIfDue();',
      },
      {
        file: WRITER,
        find: '    const state = encodeSnapshot(this.#state);\n',
        replace:
          '    const upTo = this.#seq;\n    await this.#options.clock.sleep(20);\n    const state = encodeSnapshot(this.#state);\n',
      },
      {
        file: WRITER,
        find: '() => log.snapshot(this.#seq, this.#epoch, state),',
        replace: '() => log.snapshot(upTo, this.#epoch, state),',
      },
      {
        file: WRITER,
        find: '() => log.trim(this.#seq, this.#epoch),',
        replace: '() => log.trim(upTo, this.#epoch),',
      },
    ],
  },
  {
    name: 'leases-expired-by-a-fail-over',
    breaks: 'every live lease gets its full TTL again after a take-over',
    edits: [{ file: WRITER, find: '    takeOver(this.#state, clock.nowMs());\n', replace: '' }],
  },
  {
    name: 'equal-identity',
    breaks: 'an identity is fresh per start, and a claim is known by its own nonce',
    edits: [
      {
        file: WRITER,
        find: "this.#nonce = Buffer.from(random.bytes(12)).toString('base64url');",
        replace: "this.#nonce = 'coordinator';",
      },
      {
        file: 'src/core/log/claim.ts',
        find: ' && epoch.nonce === state.nonce',
        replace: '',
      },
    ],
  },
  {
    name: 'unclaimed-epoch',
    breaks: 'a leader writes under an epoch that it alone has claimed',
    edits: [
      {
        file: WRITER,
        find: 'log.claim(replica.seq, replica.epoch + 1, this.#nonce)',
        replace: 'log.claim(replica.seq, Math.max(1, replica.epoch), this.#nonce)',
      },
      {
        file: 'src/log/memory-log.ts',
        find: 'epoch <= disk.epoch ||',
        replace: 'epoch < disk.epoch ||',
      },
      {
        file: 'src/core/log/claim.ts',
        find: 'epoch.epoch >= state.epoch ||',
        replace: 'epoch.epoch > state.epoch ||',
      },
    ],
  },
  {
    name: 'queue-unbounded',
    breaks: 'what waits is bounded',
    edits: [
      {
        file: WRITER,
        find: 'if (this.#queue.length >= queueCommandsMax) {',
        replace: 'if (this.#queue.length < 0) {',
      },
    ],
  },
  {
    name: 'token-index-restarts',
    breaks: 'a lease token is the position of its grant',
    edits: [{ file: WRITER, find: 'nextIndex: records.length,', replace: 'nextIndex: 0,' }],
  },
  {
    name: 'token-without-epoch',
    breaks: 'live and replayed tokens are the same',
    edits: [
      {
        file: WRITER,
        find: '        epoch: this.#epoch,\n        seq,',
        replace: '        epoch: 1,\n        seq,',
      },
    ],
  },
  {
    name: 'token-counter-rewinds',
    breaks: 'a token is never used twice',
    edits: [
      {
        file: 'src/core/base/units.ts',
        find: 'return `${position.epoch}.${position.seq}.${position.index}` as LeaseId;',
        replace: 'return `${position.epoch}.0.${position.index}` as LeaseId;',
      },
    ],
  },
  {
    name: 'leases-by-the-wall-clock',
    breaks: 'liveness is judged by the monotonic clock',
    edits: [
      {
        file: WRITER,
        find: '        nowMs: clock.nowMs(),\n        nowUnixMs: clock.unixMs(),',
        replace:
          '        nowMs: (clock.unixMs() - 1_699_999_000_000) as never,\n        nowUnixMs: clock.unixMs(),',
      },
      {
        file: WRITER,
        find: 'takeOver(this.#state, clock.nowMs());',
        replace: 'takeOver(this.#state, (clock.unixMs() - 1_699_999_000_000) as never);',
      },
    ],
  },
  {
    name: 'torn-record-swallowed',
    breaks: 'a torn or changed record is refused with its place',
    edits: [
      {
        file: REPLICA,
        find: '    if (!(error instanceof Mx8Error)) throw error;\n    const details',
        replace: '    if (error instanceof Mx8Error) return [];\n    const details',
      },
      {
        file: 'src/core/log/entry-codec.ts',
        find: '    throw damaged(`entry ${entry.seq}`,',
        replace: '    if (payload.length > 1e9) throw damaged(`entry ${entry.seq}`,',
      },
    ],
  },
  {
    name: 'pending-state-reused',
    breaks: 'what was decided and not written is dropped with the lead',
    edits: [
      {
        file: 'src/coordinator/candidacy.ts',
        find: '      this.#replica = this.#newReplica();\n      this.#follower',
        replace: '      this.#follower',
      },
    ],
  },
  {
    name: 'replay-forgets-an-entry',
    breaks: 'a standby applies every entry',
    edits: [
      {
        file: REPLICA,
        find: 'if (entry.payload.length === 0) return;',
        replace: 'if (entry.payload.length === 0 || entry.seq % 50 === 7) return;',
      },
    ],
  },
];
