/**
 * Runs a protocol scenario: a text of commands and what they are expected to say. The coordinator's
 * state machine is driven exactly as the shell drives it (each command is one log entry), with a clock
 * that only `advance` and `tick` move. After every command the full invariants are checked, and the
 * state is compared with a replay of the log.
 *
 * A command is a line that starts with `> `; the lines after it are its facts and its reply.
 */
import assert from 'node:assert/strict';
import { jobId, type JobId, manifestHash, monoMs, nodeId } from '../../src/core/base/units.ts';
import {
  decodeRecords,
  decodeSnapshot,
  encodeRecords,
  encodeSnapshot,
} from '../../src/core/job/codec.ts';
import {
  applyEntry,
  assertInvariants,
  committedPieces,
  type CoordinatorState,
  emptyState,
  step,
  takeOver,
} from '../../src/core/job/coordinator.ts';
import { IDLE_STATS } from '../../src/core/job/job-state.ts';
import { type Operation, UNTUNED } from '../../src/core/job/operations.ts';
import type { Command, Fact, JobRetention, JobSpec, Reply } from '../../src/core/job/protocol.ts';
import type { StoreReport } from '../../src/core/transfer/store-report.ts';

const HASH = manifestHash('ab'.repeat(32));
const START_MS = 1000;

interface Entry {
  readonly epoch: number;
  readonly seq: number;
  readonly payload: Uint8Array;
}

export class ScenarioWorld {
  #state: CoordinatorState = emptyState();
  #nowMs = START_MS;
  #epoch = 1;
  #seq = 0;
  /** By lease: where it ended when a node was given it. */
  readonly #ends: Map<string, number> = new Map<string, number>();
  #log: Entry[] = [];
  #snapshot: { readonly bytes: Uint8Array; readonly seq: number } | null = null;
  #keepJobs: JobRetention | null = null;
  #ownJobs: ReadonlySet<JobId> = new Set();
  /** By node: of the job that it was let in to. */
  readonly #jobTokens: Map<string, string> = new Map<string, string>();
  #checkpoint: Uint8Array = new Uint8Array(0);

  /** Runs one command line and returns the lines it says. */
  run(line: string): string[] {
    const [verb = '', ...words] = line.trim().split(/\s+/);
    switch (verb) {
      case 'advance':
        this.#nowMs += Number(words[0]);
        return [];
      case 'tick':
        this.#nowMs += Number(words[0] ?? 0);
        return this.#do({ type: 'tick' });
      case 'restart':
        return this.#restart();
      case 'snapshot':
        this.#snapshot = { bytes: encodeSnapshot(this.#state), seq: this.#seq };
        return [];
      case 'keep': {
        // Of completed jobs so many, and all that completed within so long.
        this.#keepJobs = { latest: Number(words[0]), keepMs: Number(words[1]) };
        return [];
      }
      case 'own':
        this.#ownJobs = new Set(words.map(jobId));
        return [];
      case 'jobs':
        return [`  ${[...this.#state.jobs.keys()].join(', ') || 'none'}`];
      case 'pieces':
        return committedPieces(this.#state, jobId('job'), -1, 1000).map(
          (piece) =>
            `[${piece.start}, ${piece.end}) by ${piece.leaseId}${piece.quarantined.length > 0 ? ` quarantined ${piece.quarantined.join(',')}` : ''}`,
        );
      case 'save-checkpoint': {
        const reply = this.#step({ type: 'get_checkpoint', jobId: jobId('job') }).reply;
        assert(reply.type === 'checkpoint');
        this.#checkpoint = reply.bytes;
        return [`checkpoint of ${reply.bytes.length} bytes`];
      }
      case 'forget-everything':
        this.#state = emptyState();
        this.#log = [];
        this.#snapshot = null;
        this.#seq = 0;
        return [];
      default:
        return this.#do(this.#parse(verb, words));
    }
  }

  /** What a node says that comes `again`. */
  #known(node: string, words: readonly string[]): { jobToken?: string } {
    const jobToken = words.includes('again') ? this.#jobTokens.get(node) : undefined;
    return jobToken === undefined ? {} : { jobToken };
  }

  #parse(verb: string, words: readonly string[]): Command {
    const named = new Map(words.filter((word) => word.includes('=')).map(splitNamed));
    const plain = words.filter((word) => !word.includes('='));
    const [first = '', second = '', third = '', fourth = ''] = plain;
    const job = jobId(named.get('job') ?? 'job');
    const from = {
      jobId: job,
      nodeId: nodeId(first === '' ? 'nobody' : first),
      instanceId: named.get('instance') ?? null,
    };
    switch (verb) {
      case 'create':
        return { type: 'create_job', spec: specOf(plain, named) };
      case 'register': {
        const resumeFrom = plain.includes('resume') ? this.#checkpoint : new Uint8Array(0);
        const caps = {
          maxFetchConcurrency: 1,
          maxDecodeConcurrency: 1,
          maxInflightBytes: 1,
          maxRamBytes: 1,
        };
        return { type: 'register', ...from, caps, resumeFrom, ...this.#known(first, plain) };
      }
      case 'lease': {
        const held =
          named
            .get('held')
            ?.split(',')
            .filter((id) => id !== '') ?? null;
        return { type: 'request_lease', ...from, want: Number(second), held: held as never };
      }
      case 'progress':
        return {
          type: 'progress',
          ...from,
          leaseId: second,
          cursor: Number(third),
          deliveredSamples: 0,
          deliveredBytes: 0,
        };
      case 'commit': {
        const quarantined = named.get('quarantine')?.split(',').map(Number) ?? [];
        const [start, end] = [Number(third), Number(fourth)];
        return {
          type: 'commit',
          ...from,
          leaseId: second,
          start,
          end,
          rows: end - start,
          bytes: 0,
          quarantined,
        };
      }
      case 'beat': {
        const stores = second === '' ? {} : { stores: [storeReport(second, named)] };
        return { type: 'heartbeat', ...from, stats: IDLE_STATS, sentAtUnixMs: 0, ...stores };
      }
      case 'guest': {
        const stores = second === '' ? [] : [storeReport(second, named)];
        return { type: 'share_stores', guestId: nodeId(first), stores };
      }
      case 'release':
        return { type: 'release', ...from, leaseId: second };
      case 'renew':
        return { type: 'renew', ...from, leaseIds: plain.slice(1) };
      case 'leave':
      case 'disconnect':
        return { type: verb, ...from };
      case 'finalize':
        return { type: 'request_finalize', ...from };
      case 'complete':
        return { type: 'complete_job', ...from, finalizeToken: second, outputManifestHash: HASH };
      case 'fail':
        return {
          type: 'fail_job',
          ...from,
          code: 'process_failed',
          message: plain.slice(1).join(' '),
          ...this.#known(first, plain),
        };
      case 'resume':
        return { type: 'resume_job', jobId: job };
      case 'begin-run':
        return { type: 'begin_run', jobId: job, worldSize: Number(named.get('world') ?? 1) };
      case 'died':
        return { type: 'node_died', jobId: job, died: from.nodeId };
      case 'drain':
        return { type: 'drain_job', jobId: job };
      case 'operator':
      case 'would-operate': {
        const operation = operationOf(first, second, named);
        return { type: 'operate', jobId: job, operation, dryRun: verb === 'would-operate' };
      }
      case 'status':
        return { type: 'get_snapshot', jobId: job };
      default:
        throw new Error(`a scenario knows no command "${verb}"`);
    }
  }

  #step(command: Command): { reply: Reply; facts: readonly Fact[] } {
    const seq = this.#seq + 1;
    const context = {
      nowMs: monoMs(this.#nowMs),
      nowUnixMs: this.#nowMs,
      epoch: this.#epoch,
      seq,
      nextIndex: 0,
      relief: 'double' as const,
      keepJobs: this.#keepJobs,
      ownJobs: this.#ownJobs,
    };
    const result = step(this.#state, command, context);
    if (result.records.length > 0) {
      this.#log.push({ epoch: this.#epoch, seq, payload: encodeRecords(result.records) });
      this.#seq = seq;
    }
    assertInvariants(this.#state);
    return result;
  }

  #do(command: Command): string[] {
    const { reply, facts } = this.#step(command);
    if (reply.type === 'registered' && command.type === 'register') {
      this.#jobTokens.set(command.nodeId, reply.jobToken ?? '');
    }
    const replayed = this.#replay();
    assert.deepEqual(
      encodeSnapshot(replayed, { durableOnly: true }),
      encodeSnapshot(this.#state, { durableOnly: true }),
      'the replay of the log is the state',
    );
    return [...facts.map(factLine), ...replyLines(reply), ...this.#newEnd(command, reply)];
  }

  /** What a holder is told of its lease that it was not when the lease was granted. */
  #newEnd(command: Command, reply: Reply): string[] {
    if (reply.type === 'leases') {
      for (const { leaseId, range } of reply.leases) this.#ends.set(leaseId, range.end);
    }
    if (reply.type !== 'accepted' || !('leaseId' in command)) return [];
    const isKnown = reply.end === this.#ends.get(command.leaseId);
    return isKnown ? [] : [`  the lease ends at ${String(reply.end)}`];
  }

  #replay(): CoordinatorState {
    const state = this.#snapshot === null ? emptyState() : decodeSnapshot(this.#snapshot.bytes);
    for (const entry of this.#log) {
      if (entry.seq <= (this.#snapshot?.seq ?? 0)) continue;
      applyEntry(state, { ...entry, records: decodeRecords(entry.payload) }, monoMs(this.#nowMs));
    }
    return state;
  }

  /** The coordinator dies and another process takes over from the log, at another clock. */
  #restart(): string[] {
    this.#state = this.#replay();
    this.#epoch += 1;
    this.#seq += 1;
    this.#nowMs += 1_000_000;
    this.#log.push({ epoch: this.#epoch, seq: this.#seq, payload: encodeRecords([]) });
    takeOver(this.#state, monoMs(this.#nowMs));
    assertInvariants(this.#state);
    return [`epoch ${this.#epoch}`];
  }
}

function splitNamed(word: string): [string, string] {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
}

function specOf(flags: readonly string[], named: ReadonlyMap<string, string>): JobSpec {
  const number = (name: string, fallback: number): number => Number(named.get(name) ?? fallback);
  const worldSize = number('world', 1);
  return {
    jobId: jobId(named.get('job') ?? 'job'),
    manifestHash: HASH,
    sampleCount: number('samples', 10),
    blockSize: number('block', 5),
    worldSize,
    minWorldSize: number('min', worldSize),
    shuffle: flags.includes('shuffle'),
    seed: BigInt(named.get('seed') ?? 0),
    epoch: number('epoch', 0),
    leaseTtlMs: number('ttl', 10_000),
    heartbeatIntervalMs: 1000,
    commitsOutputs: flags.includes('outputs'),
    adoptsFirstJobId: flags.includes('adopts'),
  };
}

/** `wants` under way and waiting, of which `flying` and, on average, `serving` are under way; totals. */
function storeReport(host: string, named: ReadonlyMap<string, string>): StoreReport {
  const number = (name: string, fallback = 0): number => Number(named.get(name) ?? fallback);
  const flying = number('flying', number('wants'));
  return {
    ...{ host, wanted: number('wants'), inFlight: flying },
    servingMilli: 1000 * number('serving', flying),
    ...{ answeredTotal: number('answered'), refusedTotal: number('refused') },
    ...{ firstByteUsTotal: 50_000 * number('answered'), pauseMs: number('pause') },
    untimedTotal: 0,
    share: named.has('share') ? number('share') : null,
  };
}

/** `pause`, `resume`, `forget`, `drain NODE`, `release LEASE`, `release-node NODE`, `cap NODE want=N`. */
function operationOf(verb: string, target: string, named: ReadonlyMap<string, string>): Operation {
  const node = target === '' ? null : nodeId(target);
  switch (verb) {
    case 'pause':
    case 'resume':
    case 'forget':
      return { type: verb };
    case 'drain':
      return { type: 'drain', nodeId: node };
    case 'release':
      return { type: 'release_lease', leaseId: target };
    case 'release-node':
      return { type: 'release_node', nodeId: nodeId(target) };
    case 'cap': {
      const want = named.get('want');
      const inflight = named.get('inflight');
      const tuning = {
        ...UNTUNED,
        want: want === undefined ? null : Number(want),
        maxInflightBytes: inflight === undefined ? null : Number(inflight),
      };
      return { type: 'tune', nodeId: node, tuning };
    }
    default:
      throw new Error(`an operator does not ${verb}`);
  }
}

function factLine(fact: Fact): string {
  const { event, ...fields } = fact;
  const text = Object.entries(fields)
    .filter(([name]) => name !== 'jobId')
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
  return `  * ${event}${text === '' ? '' : ` ${text}`}`;
}

function replyLines(reply: Reply): string[] {
  switch (reply.type) {
    case 'refused':
      return [`  ${reply.code}: ${reply.message}`];
    case 'registered':
      return [
        `  rank ${reply.assignedRank} of ${reply.spec.worldSize}, ${reply.registeredNodes} registered, ${reply.jobReady ? 'ready' : 'not ready'}, ${reply.phase}`,
      ];
    case 'leases': {
      const leases = reply.leases.map(
        (lease) =>
          `  ${lease.leaseId} [${lease.range.start}, ${lease.range.end}) at ${lease.cursor}`,
      );
      const rest =
        leases.length > 0
          ? []
          : [`  none${reply.jobDrained ? ', drained' : `, wait ${reply.waitMs} ms`}`];
      return [...leases, ...rest];
    }
    case 'accepted':
      return [`  cursor ${reply.cursor}${reply.repeated ? ' (repeated)' : ''}`];
    case 'renewed':
      return reply.ends.map((end) => (end === null ? '  not its own' : `  ends at ${end}`));
    case 'finalize':
      return [`  token ${reply.finalizeToken ?? 'none'}, ${reply.phase}`];
    case 'snapshot': {
      const { unissued, leased, committed, quarantined } = reply.samples;
      return [
        `  ${reply.phase}: unissued ${unissued}, leased ${leased}, committed ${committed}, quarantined ${quarantined}; ${reply.liveLeases.length} leases, ${reply.registeredNodes} nodes`,
        ...reply.liveLeases.map(
          (lease) =>
            `  ${lease.leaseId} ${lease.nodeId} at ${lease.cursor}, expires in ${lease.expiresInMs} ms`,
        ),
      ];
    }
    case 'operated':
      if (reply.changes.length === 0) return ['  nothing to change'];
      return reply.changes.map(({ what, from, to }) => `  ${what}: ${from} -> ${to}`);
    case 'ok':
      if (reply.storeShares === undefined) return ['  ok'];
      return reply.storeShares.map(
        ({ host, requests, pauseMs }) =>
          `  ${host}: ${requests} in flight${pauseMs > 0 ? `, after ${pauseMs} ms` : ''}`,
      );
    case 'checkpoint':
    case 'job_created':
      return [
        `  ${reply.type}${reply.type === 'job_created' && reply.existed ? ' (existed)' : ''}`,
      ];
    default:
      return reply satisfies never;
  }
}

/** The scenario's text with every expectation replaced by what was really said. */
export function rerun(text: string): string {
  const world = new ScenarioWorld();
  const out: string[] = [];
  let inAnswer = false;
  for (const line of text.split('\n')) {
    if (line.startsWith('> ')) {
      out.push(line, ...world.run(line.slice(2)));
      inAnswer = true;
    } else if (!inAnswer || line.trim() === '' || line.startsWith('#')) {
      inAnswer = false;
      out.push(line);
    }
  }
  return out.join('\n');
}
