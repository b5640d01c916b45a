/**
 * What the durable log says of one job, kept in the plainest way: one cell per sample. It is written
 * from the records' meaning and shares no code with the coordinator's ledger, so that a mistake in one
 * shows against the other.
 */
import type { JobSpec } from '../../../src/core/job/protocol.ts';
import type { JobRecord } from '../../../src/core/job/records.ts';

export type LeaseEnd = 'finished' | 'expired' | 'released' | 'revoked' | 'overtaken';

export interface TwinLease {
  readonly id: string;
  readonly node: string;
  readonly start: number;
  end: number;
  /** Its end when it was granted: what its node may work up to before it hears of a split. */
  readonly grantedEnd: number;
  /** The other of a lease and its double. */
  other: TwinLease | null;
  cursor: number;
  ended: LeaseEnd | null;
  /** Entry with which it ended. */
  endedSeq: number;
  readonly grantedEpoch: number;
}

export interface TwinNode {
  readonly rank: number;
  instance: string | null;
  /** Entry of its last registration. */
  sinceSeq: number;
  /** An operator asked it to go: it is granted nothing more. */
  isDraining: boolean;
  readonly live: Set<string>;
}

export type TwinPhase = 'running' | 'draining' | 'failed' | 'finalizing' | 'completed';

/** Where in the log something happened. */
export interface Place {
  readonly seq: number;
  readonly epoch: number;
}

type RecordOfJob = Exclude<JobRecord, { readonly type: 'job_created' | 'job_forgotten' }>;

export class JobTwin {
  spec: JobSpec;
  /** Tells it from others of its name. */
  readonly token: string;
  readonly created: Place;
  /** Null as long as the coordinators have it. */
  forgotten: Place | null = null;
  /** On the wall clock of the leader that wrote it down. */
  completedUnixMs: number | null = null;
  /** The name that it was created with, when it took that of its first node. */
  adoptedFrom: string | null = null;
  /** By sample: committed (or quarantined) or not. */
  readonly done: Uint8Array;
  /** By sample: the lease that holds it. */
  readonly holder: (TwinLease | null)[];
  readonly leases: Map<string, TwinLease> = new Map<string, TwinLease>();
  readonly nodes: Map<string, TwinNode> = new Map<string, TwinNode>();
  /** `lease:start-end` of every committed piece. */
  readonly pieces: Map<
    string,
    { readonly lease: string; readonly start: number; readonly end: number }
  > = new Map<string, { readonly lease: string; readonly start: number; readonly end: number }>();
  /** `node instance rank` of everybody who ever was a member. */
  readonly members: Set<string> = new Set<string>();
  readonly finalizeTokens: Map<string, string> = new Map<string, string>();
  /** Tokens that were or are the finalizer's; the last one counts until its node goes. */
  finalizer: string | null = null;
  phase: TwinPhase = 'running';
  /** The last entry that changed the phase. */
  phaseSeq = 0;
  /** The last entry that changed this job. */
  seq = 0;
  isReady = false;
  isPaused = false;
  doneCount = 0;
  quarantined = 0;
  timesFailed = 0;
  timesDrained = 0;
  outputManifestHash: string | null = null;
  readonly #fail: (checker: string, message: string) => void;

  constructor(
    spec: JobSpec,
    token: string,
    created: Place,
    fail: (checker: string, message: string) => void,
  ) {
    this.spec = spec;
    this.token = token;
    this.created = created;
    this.done = new Uint8Array(spec.sampleCount);
    this.holder = new Array<TwinLease | null>(spec.sampleCount).fill(null);
    this.#fail = fail;
  }

  /** As it stands, for a world of its own. Leases that have ended change no more, and are shared. */
  copy(fail: (checker: string, message: string) => void): JobTwin {
    const copy = new JobTwin(this.spec, this.token, this.created, fail);
    const { phase, phaseSeq, seq, isReady, doneCount, quarantined } = this;
    Object.assign(copy, { phase, phaseSeq, seq, isReady, doneCount, quarantined });
    copy.done.set(this.done);
    for (const [id, lease] of this.leases) {
      const own = lease.ended === null ? { ...lease } : lease;
      copy.leases.set(id, own);
      if (own !== lease) copy.holder.fill(own, own.cursor, own.end);
    }
    for (const [id, node] of this.nodes) copy.nodes.set(id, { ...node, live: new Set(node.live) });
    for (const [key, piece] of this.pieces) copy.pieces.set(key, piece);
    for (const member of this.members) copy.members.add(member);
    return copy;
  }

  #enter(phase: TwinPhase): void {
    this.phase = phase;
    this.phaseSeq = this.seq;
  }

  get isDrained(): boolean {
    return this.doneCount === this.spec.sampleCount;
  }

  apply(record: RecordOfJob, token: string, { seq, epoch }: Place): void {
    this.seq = seq;
    switch (record.type) {
      case 'lease_granted':
        this.#grant(record, token, epoch);
        return;
      case 'lease_split':
        this.#split(record, token, epoch);
        return;
      case 'lease_doubled':
        this.#double(record, token, epoch);
        return;
      case 'lease_superseded':
        this.#supersede(record);
        return;
      case 'progress':
        this.#commit(record.lease, null, record.cursor, 0);
        return;
      case 'committed':
        this.#commit(record.lease, record.start, record.end, record.quarantined.length);
        return;
      case 'lease_returned':
        this.#giveBack(record.lease, record.why);
        return;
      case 'resume_applied':
        this.#resume(record.done);
        return;
      default:
        this.#applyToJob(record, token);
    }
  }

  #applyToJob(
    record: Exclude<
      RecordOfJob,
      {
        type:
          | 'lease_granted'
          | 'lease_split'
          | 'lease_doubled'
          | 'lease_superseded'
          | 'progress'
          | 'committed'
          | 'lease_returned'
          | 'resume_applied';
      }
    >,
    token: string,
  ): void {
    switch (record.type) {
      case 'node_registered':
        this.#register(record.node, record.instance, record.rank);
        return;
      case 'rank_released':
        this.#leave(record.node);
        return;
      case 'job_adopted':
        this.adoptedFrom = this.spec.jobId;
        this.spec = { ...this.spec, jobId: record.newJob, adoptsFirstJobId: false };
        return;
      case 'job_ready':
        if (this.isReady) this.#fail('membership', 'the barrier is passed once');
        if (this.nodes.size < this.spec.minWorldSize) {
          this.#fail('membership', `the barrier opened with ${this.nodes.size} nodes`);
        }
        this.isReady = true;
        return;
      case 'job_failed':
        this.#enter('failed');
        this.timesFailed += 1;
        return;
      case 'job_draining':
        this.#enter('draining');
        this.timesDrained += 1;
        return;
      case 'job_resumed':
        this.#enter('running');
        this.finalizer = null;
        return;
      case 'job_paused':
        this.isPaused = true;
        return;
      case 'job_unpaused':
        this.isPaused = false;
        return;
      case 'node_draining': {
        const node = this.nodes.get(record.node);
        if (node === undefined) this.#fail('membership', `${record.node} drains and is no member`);
        else node.isDraining = true;
        return;
      }
      case 'node_tuned':
      case 'job_tuned':
        return;
      case 'world_size_set':
        this.spec = { ...this.spec, worldSize: record.worldSize, minWorldSize: 1 };
        return;
      case 'finalize_granted':
        if (!this.isDrained)
          this.#fail('exact cover', 'publication began before all was committed');
        if (this.finalizer !== null)
          this.#fail('one finalizer', `${token} was granted beside another`);
        this.finalizer = token;
        this.finalizeTokens.set(token, record.node);
        this.#enter('finalizing');
        return;
      case 'job_completed':
        if (!this.isDrained) this.#fail('exact cover', 'completed before all was committed');
        if (this.phase === 'completed') this.#fail('completed once', 'completed again');
        this.#enter('completed');
        this.outputManifestHash = record.outputManifestHash;
        this.completedUnixMs = record.atUnixMs ?? null;
        return;
      default:
        record satisfies never;
    }
  }

  #grant(
    record: { readonly node: string; readonly start: number; readonly end: number },
    token: string,
    epoch: number,
  ): void {
    const lease = this.#lease(record, token, epoch);
    for (let sample = lease.start; sample < lease.end; sample += 1) {
      if (this.done[sample] === 1)
        this.#fail('exact cover', `${sample} is granted and was committed`);
      const other = this.holder[sample];
      if (other !== null && other !== undefined) {
        this.#fail('exact cover', `${sample} is granted to ${token} and held by ${other.id}`);
      }
      this.holder[sample] = lease;
    }
  }

  #lease(
    record: { readonly node: string; readonly start: number; readonly end: number },
    token: string,
    epoch: number,
  ): TwinLease {
    const { node, start, end } = record;
    if (this.leases.has(token)) this.#fail('tokens are unique', `${token} is granted twice`);
    const owner = this.nodes.get(node);
    if (owner === undefined) this.#fail('membership', `${node} gets ${token} and is no member`);
    if (!this.isReady) this.#fail('membership', `${token} is granted before the barrier`);
    if (this.phase !== 'running')
      this.#fail('phases', `${token} is granted to a ${this.phase} job`);
    if (this.isPaused) this.#fail('phases', `${token} is granted in a pause`);
    if (owner?.isDraining === true) this.#fail('phases', `${token} is granted to a draining node`);
    const range = { start, end, grantedEnd: end, cursor: start };
    const lives = { other: null, ended: null, endedSeq: Infinity };
    const lease = { ...range, id: token, node, ...lives, grantedEpoch: epoch };
    this.leases.set(token, lease);
    owner?.live.add(token);
    return lease;
  }

  #live(id: string, what: string): TwinLease | null {
    const lease = this.leases.get(id);
    if (lease?.ended === null) return lease;
    this.#fail('a stale token changes nothing', `${id} is ${what} and does not live`);
    return null;
  }

  /** Two leases of the same samples: the first holds them until one of the two ends. */
  #double(
    record: { readonly lease: string; readonly node: string },
    token: string,
    epoch: number,
  ): void {
    const lease = this.#live(record.lease, 'doubled');
    if (lease === null) return;
    if (lease.other !== null) this.#fail('exact cover', `${lease.id} is doubled again`);
    if (!this.spec.commitsOutputs)
      this.#fail('exact cover', `${lease.id} is doubled, and delivers`);
    if (lease.node === record.node) this.#fail('exact cover', `${lease.id} is doubled by its node`);
    const { cursor: start, end } = lease;
    const double = this.#lease({ node: record.node, start, end }, token, epoch);
    double.other = lease;
    lease.other = double;
  }

  #supersede(record: {
    readonly lease: string;
    readonly by: string;
    readonly why: LeaseEnd;
  }): void {
    const lease = this.#live(record.lease, 'superseded');
    const other = this.#live(record.by, 'given more');
    if (lease === null || other === null) return;
    if (lease.other !== other || lease.cursor !== other.cursor || lease.end !== other.end) {
      this.#fail(
        'exact cover',
        `${lease.id} is superseded by ${other.id}, which holds other samples`,
      );
    }
    for (let sample = lease.cursor; sample < lease.end; sample += 1) this.holder[sample] = other;
    lease.other = null;
    other.other = null;
    this.#end(lease, record.why);
  }

  /** The tail goes from one holder to another: it is nobody's only in between. */
  #split(
    record: { readonly lease: string; readonly at: number; readonly node: string },
    token: string,
    epoch: number,
  ): void {
    const lease = this.#live(record.lease, 'split');
    if (lease === null) return;
    const { at, node } = record;
    const { end } = lease;
    if (at <= lease.cursor || at >= end) {
      this.#fail('cursors', `${lease.id} is split at ${at}, in [${lease.cursor}, ${end})`);
    }
    if (!this.spec.commitsOutputs) this.#fail('exact cover', `${lease.id} is split, and delivers`);
    if (lease.node === node) this.#fail('exact cover', `${lease.id} is split for its own node`);
    for (let sample = at; sample < end; sample += 1) this.holder[sample] = null;
    lease.end = at;
    this.#grant({ node, start: at, end }, token, epoch);
  }

  #commit(id: string, from: number | null, to: number, quarantined: number): void {
    const lease = this.leases.get(id);
    if (lease === undefined || lease.ended !== null) {
      this.#fail('a stale token changes nothing', `${id} commits up to ${to} and does not live`);
      return;
    }
    if (from !== null && from !== lease.cursor) {
      this.#fail('cursors', `${id} commits from ${from}, but stands at ${lease.cursor}`);
    }
    if (to <= lease.cursor || to > lease.end) {
      this.#fail('cursors', `${id} goes from ${lease.cursor} to ${to} of ${lease.end}`);
      return;
    }
    for (let sample = lease.cursor; sample < to; sample += 1) {
      if (this.done[sample] === 1) this.#fail('committed once', `${sample} is committed again`);
      if (this.holder[sample] !== lease) this.#fail('committed once', `${sample} is not of ${id}`);
      this.done[sample] = 1;
      this.holder[sample] = null;
    }
    this.doneCount += to - lease.cursor;
    this.quarantined += quarantined;
    if (from !== null) this.pieces.set(`${id}:${from}-${to}`, { lease: id, start: from, end: to });
    lease.cursor = to;
    if (to === lease.end) this.#end(lease, 'finished');
  }

  #giveBack(id: string, why: LeaseEnd): void {
    const lease = this.leases.get(id);
    if (lease === undefined || lease.ended !== null) {
      this.#fail('a stale token changes nothing', `${id} is given back and does not live`);
      return;
    }
    if (lease.other !== null) this.#fail('exact cover', `${id} is given back and has a double`);
    for (let sample = lease.cursor; sample < lease.end; sample += 1) this.holder[sample] = null;
    this.#end(lease, why);
  }

  #end(lease: TwinLease, why: LeaseEnd): void {
    lease.ended = why;
    lease.endedSeq = this.seq;
    this.nodes.get(lease.node)?.live.delete(lease.id);
  }

  #resume(done: readonly number[]): void {
    if (this.leases.size > 0)
      this.#fail('resume', 'a checkpoint was applied after the first lease');
    for (let at = 0; at + 1 < done.length; at += 2) {
      for (let sample = done[at] ?? 0; sample < (done[at + 1] ?? 0); sample += 1) {
        if (this.done[sample] === 1) continue;
        this.done[sample] = 1;
        this.doneCount += 1;
      }
    }
  }

  #register(node: string, instance: string | null, rank: number): void {
    const { seq } = this;
    const known = this.nodes.get(node);
    this.members.add(`${node} ${instance ?? ''} ${rank}`);
    for (const [other, { rank: taken }] of this.nodes) {
      if (other !== node && taken === rank) this.#fail('membership', `rank ${rank} is held twice`);
    }
    if (known !== undefined) {
      if (known.rank !== rank) this.#fail('membership', `${node} changes its rank`);
      if (known.instance !== instance && known.live.size > 0) {
        this.#fail('membership', `${node} is another process and holds the former one's leases`);
      }
      known.instance = instance;
      known.sinceSeq = seq;
      return;
    }
    this.nodes.set(node, { rank, instance, sinceSeq: seq, isDraining: false, live: new Set() });
    if (this.nodes.size > this.spec.worldSize) this.#fail('membership', 'more nodes than ranks');
  }

  #leave(node: string): void {
    const known = this.nodes.get(node);
    if (known === undefined) this.#fail('membership', `${node} leaves and is no member`);
    if (known !== undefined && known.live.size > 0) {
      this.#fail('membership', `${node} leaves and holds leases`);
    }
    this.nodes.delete(node);
    const token = this.finalizer;
    if (token !== null && this.finalizeTokens.get(token) === node) this.finalizer = null;
  }
}
