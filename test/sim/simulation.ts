/**
 * One seed's world, put together: coordinators, nodes and an operator on a network and a store; what
 * befalls them; what must hold. A safety phase with faults, then everything is healed and has to end.
 */
import { Mx8Error } from '../../src/core/base/errors.ts';
import type { JobId } from '../../src/core/base/units.ts';
import type { Command, JobSpec, Registered, Reply } from '../../src/core/job/protocol.ts';
import type { NodeOutcome } from '../../src/core/node/holder-protocol.ts';
import type { Writer } from '../../src/coordinator/writer.ts';
import { MemoryElectionBoard } from '../../src/log/memory-election.ts';
import type { Election } from '../../src/ports/election.ts';
import type { EventFields, EventLevel } from '../../src/ports/event-sink.ts';
import type { LogStore } from '../../src/ports/log-store.ts';
import { Agent } from './actors/agent.ts';
import { Coordinator } from './actors/coordinator.ts';
import type { AnswerBody, Request } from './actors/messages.ts';
import { Operator } from './actors/operator.ts';
import { checkAnswerIsDurable } from './checkers/answers.ts';
import { checkWant } from './checkers/bounds.ts';
import { checkAllGone, checkForgotten } from './checkers/forgetting.ts';
import { checkLeadTime } from './checkers/lead-time.ts';
import { expectRefused } from './checkers/damage.ts';
import { LeaseTime } from './checkers/lease-time.ts';
import { NodeTime } from './checkers/node-time.ts';
import { checkRefusal } from './checkers/refusals.ts';
import { Stranger } from './actors/stranger.ts';
import { DECIDED_MS, Progress } from './checkers/progress.ts';
import { checkReplay, checkSnapshot } from './checkers/replay.ts';
import { FOLLOW_MS, LEADER_TTL_MS, NODES_JOB, type Scene } from './scene.ts';
import { Strikes } from './strikes.ts';
import { Outputs } from './truth/outputs.ts';
import { type Slot, Truth } from './truth/truth.ts';
import { begunJob } from './world/midway.ts';
import { Network, STORE_PLACE } from './world/network.ts';
import { ManyMachines } from './world/many-machines-log.ts';
import { OneMachine } from './world/one-machine-log.ts';
import { Process } from './world/process.ts';
import { SimElection } from './world/sim-election.ts';
import { StoreWay } from './world/store-way.ts';
import { World } from './world/world.ts';

const NODE_PLACE = 3;
const DOUBLE_PLACE = 10;
const OPERATOR_PLACE = 12;
const STRANGER_PLACE = 13;
const NO_BYTES = new Uint8Array(0);
/** One in so many entries the whole state is compared and checked, or the snapshot that counts. */
const FULL_CHECK_ENTRIES = 24;
/** Worlds that take snapshots as rarely as this have none at their beginning. */
const KEPT_ENTRIES = 1000;
/** In one world of so many standbys are compared at the end. */
const STANDBYS_CHECKED = 4;
/**
 * What is given, once all faults are over, to standbys to be there again (they wait for old entries to go)
 * and to coordinators to decide what they were asked.
 */
const REST_MS = Math.max(2 * LEADER_TTL_MS + 1500, DECIDED_MS);
/** A standby reads unasked by a clock that may be slow, from a store that may be far. */
const FOLLOWED_MS = 3 * FOLLOW_MS;

export class Simulation {
  readonly world: World;
  readonly network: Network;
  readonly way: StoreWay;
  readonly truth: Truth;
  readonly outputs: Outputs;
  readonly store: OneMachine | ManyMachines;
  readonly board: MemoryElectionBoard;
  readonly leaseTime: LeaseTime;
  readonly nodeTime: NodeTime;
  readonly progress: Progress;
  readonly strikes: Strikes;
  readonly coordinators: readonly Coordinator[];
  readonly agents: Agent[];
  readonly doubles: Agent[] = [];
  readonly operator: Operator;
  /** Processes started so far; names them. */
  starts = 0;
  #snapshotChecked = 0;
  #entriesChecked = 0;
  #areNodesEnded = false;
  /** When what was paused has gone on. */
  #settledMs = 0;
  /** When the last node had ended. */
  #doneMs: number | null = null;
  /** The last entry of the log as `#look` saw it, and since when. */
  #tail = { seq: -1, sinceMs: 0 };

  constructor(scene: Scene, say: ((line: string) => void) | null) {
    this.world = new World(scene, say);
    this.network = new Network(this.world);
    this.way = new StoreWay(this.world, this.network);
    this.truth = new Truth(this.world);
    this.outputs = new Outputs(this.world, this.truth);
    const Store = scene.store === 'one machine' ? OneMachine : ManyMachines;
    this.store = new Store(this.world, this.way, this.truth);
    this.board = new MemoryElectionBoard(new Process(this.world, 'store', STORE_PLACE));
    this.leaseTime = new LeaseTime(this.world, this.truth);
    this.nodeTime = new NodeTime(this.world, this.leaseTime);
    this.progress = new Progress(this);
    this.coordinators = Array.from(
      { length: scene.coordinators },
      (_, place) => new Coordinator(this, place),
    );
    this.agents = Array.from({ length: scene.nodes }, (_, index) => {
      const spec = scene.jobs[index % scene.jobs.length] as JobSpec;
      return new Agent(this, NODE_PLACE + index, `n${index}`, spec);
    });
    this.operator = new Operator(this, OPERATOR_PLACE);
    this.strikes = new Strikes(this);
    const phasesAt = (place: number): number => this.coordinators[place]?.phases ?? 0;
    this.network.phasesAt = phasesAt;
    this.store.phasesAt = phasesAt;
    this.#aimAtWriters();
    this.truth.onRecord((landed) => {
      checkWant(this.world, landed);
      checkForgotten(this.world, this.truth, landed);
      this.leaseTime.onRecord(landed);
      this.nodeTime.onRecord(landed);
      const { record } = landed;
      if (record.type === 'job_created') this.#startAgentsOf(record.spec);
      if (record.type === 'job_completed') this.strikes.aimAtLate(record.job);
      if (record.type === 'job_forgotten') this.#onForgotten(record.job);
      if (record.type === 'finalize_granted') this.strikes.aimAtFinalizer(record.job, record.node);
    });
  }

  /**
   * V8 allocates a function that is assigned to a property where it is made in its old generation, and then a world
   * that is over outlives every scavenge: so these have a name first.
   */
  #aimAtWriters(): void {
    const { store } = this;
    // Who wrote it does not know yet: a moment worth aiming at.
    const onLanded = ({ nonce }: Slot): void => {
      const writer = this.coordinators.find(({ log }) => log.nonce === nonce);
      if (writer !== undefined) this.world.onceSettled(() => this.onPhase(writer, writer.process));
    };
    this.truth.onLanded = onLanded;
    if (!(store instanceof ManyMachines)) return;
    const onSilence = (process: Process): void => {
      const writer = this.coordinators.find((one) => one.process === process);
      if (writer?.log.operation === 'append') this.strikes.aimInTheDark(writer);
    };
    store.onSilence = onSilence;
  }

  async begin(): Promise<void> {
    const { world } = this;
    try {
      await this.#recall();
    } catch (error) {
      // The core decided what came before as well: what is wrong there is found like anything else.
      world.fail('what was before', String(error));
      return;
    }
    for (const coordinator of this.coordinators) {
      world.after(world.chance.below(50), null, () => coordinator.start());
    }
    this.operator.start();
    if (world.scene.hasStranger) new Stranger(this, STRANGER_PLACE).start();
    this.strikes.begin();
    world.after(world.scene.healAtMs, null, () => this.#heal());
    this.#look();
  }

  /** Most of the job was done before this world: its log says so. */
  async #recall(): Promise<void> {
    const { world, truth, outputs } = this;
    const { midway, jobs, snapshotEntries } = world.scene;
    const [spec] = jobs;
    if (midway === null || spec === undefined) return;
    const past = begunJob(spec, midway);
    truth.recall(past);
    outputs.recall(past.twin.token, past.staged);
    await this.store.recall(past, snapshotEntries < KEPT_ENTRIES);
    if (snapshotEntries < KEPT_ENTRIES) this.#snapshotChecked = past.slots.length;
    world.mix(spec.leaseTtlMs, past.slots.length, past.snapshot.bytes.length);
    this.#startAgentsOf(spec);
  }

  get isNearlyDone(): boolean {
    for (const { spec, doneCount } of this.truth.jobs.values()) {
      if (spec.sampleCount - doneCount <= 12 * spec.blockSize) return true;
    }
    return false;
  }

  clockRate(): number {
    const { chance, scene } = this.world;
    if (scene.wildClocks) return chance.between(400, 2500);
    return 1000 + chance.between(-scene.driftPermille, scene.driftPermille);
  }

  openLog(process: Process): LogStore {
    return this.store.open(process);
  }

  openElection(process: Process): Election {
    if (this.store instanceof ManyMachines && this.world.scene.electsByStore) {
      return this.store.openElection(process, LEADER_TTL_MS);
    }
    return new SimElection(this.world, this.way, this.board, process, LEADER_TTL_MS);
  }

  logEvent(process: Process): (level: EventLevel, event: string, fields?: EventFields) => void {
    const { world } = this;
    if (!world.isVerbose) return () => undefined;
    return (_level, event, fields) => {
      world.say(() => `${process.name}: ${event} ${JSON.stringify(fields ?? {})}`);
    };
  }

  /** The lead is taken from whoever has it, without a word. */
  takeLead(): void {
    this.board.leader = null;
    this.board.changed();
    if (this.store instanceof ManyMachines) this.store.takeLead();
  }

  resumeFrom(agent: Agent): Uint8Array {
    const { jobs, resumeFrom } = this.world.scene;
    return agent.spec === jobs[0] ? resumeFrom : NO_BYTES;
  }

  /** Its job was forgotten, and nobody is about to make another of that name. */
  isGone(agent: Agent): boolean {
    const { past } = this.truth;
    if (this.operator.owes > 0 || this.#isCreated(agent)) return false;
    return past.some(({ spec }) => spec.jobId === agent.jobId || spec.jobId === agent.spec.jobId);
  }

  /** The job that it worked on was forgotten, and another has its name now. */
  isOfFormerJob({ jobId, spec, holder }: Agent): boolean {
    const present = this.truth.jobs.get(jobId) ?? this.truth.jobs.get(spec.jobId);
    return present !== undefined && present.token !== holder.jobToken;
  }

  /** All there was to do is done. */
  get isEnding(): boolean {
    return this.#doneMs !== null;
  }

  mayStart(agent: Agent): boolean {
    if (this.doubles.includes(agent)) return false;
    return !this.#areNodesEnded && !agent.isDone && !agent.isLost;
  }

  endAllNodes(): void {
    this.#areNodesEnded = true;
    for (const agent of [...this.agents, ...this.doubles]) {
      if (agent.holder.mode.type !== 'idle') agent.process.die();
    }
  }

  startAllNodes(): void {
    if (!this.#areNodesEnded) return;
    this.#areNodesEnded = false;
    for (const agent of this.agents) {
      if (!agent.isDone && !agent.isLost && this.#isCreated(agent)) agent.restart();
    }
  }

  #isCreated({ jobId, spec }: Agent): boolean {
    return this.truth.jobs.has(jobId) || this.truth.jobs.has(spec.jobId);
  }

  /** A machine is gone for good; mostly another takes its place, under a name of its own. */
  loseNode(agent: Agent): void {
    const { world } = this;
    const others = this.agents.filter(({ isLost, spec }) => !isLost && spec === agent.spec);
    const { minWorldSize } = agent.spec;
    if (agent.isLost || !this.#isCreated(agent) || others.length <= Math.max(1, minWorldSize))
      return;
    // A slow node alone would not be done in the time that is watched.
    if (others.every((other) => other === agent || other.isSlow)) return;
    agent.lose();
    if (this.agents.length > world.scene.nodes || world.chance.happens(300)) return;
    const name = `${agent.nodeId}-next`;
    const next = new Agent(this, DOUBLE_PLACE + 1, name, agent.spec);
    this.agents.push(next);
    world.after(world.chance.between(50, 800), next.process, () => next.start());
  }

  /** A second process with the id of a node that lives. */
  startDouble(agent: Agent): void {
    if (this.doubles.length > 0) return;
    if (!this.#isCreated(agent)) return;
    const double = new Agent(this, DOUBLE_PLACE, agent.nodeId, agent.spec);
    this.doubles.push(double);
    double.start();
  }

  /** Connections to the coordinator at `place` break; some clients do not notice. */
  resetClientsOf(place: number): void {
    const { world } = this;
    const coordinator = this.coordinators[place];
    for (const agent of [...this.agents, ...this.doubles]) {
      const { client, process, jobId, nodeId, instanceId } = agent;
      if (client.target !== place || !process.isAlive || !world.chance.happens(800)) continue;
      world.after(this.network.delayMs(), process, () => client.onReset(place));
      if (coordinator === undefined || !coordinator.process.isAlive) continue;
      this.#hearOfBreak(coordinator, { jobId, nodeId, instanceId });
    }
  }

  /** A node's process has ended: mostly the coordinator that it spoke to sees its session break. */
  breakSessionOf({ client, jobId, nodeId, instanceId }: Agent): void {
    const coordinator = this.coordinators[client.target];
    if (coordinator?.process.isAlive !== true || !this.world.chance.happens(600)) return;
    this.#hearOfBreak(coordinator, { jobId, nodeId, instanceId });
  }

  #hearOfBreak(
    coordinator: Coordinator,
    { jobId, nodeId, instanceId }: Pick<Agent, 'jobId' | 'nodeId' | 'instanceId'>,
  ): void {
    this.world.after(this.network.delayMs(), coordinator.process, () => {
      coordinator.disconnect(jobId, nodeId, instanceId);
    });
  }

  // ---- what coordinators and nodes tell ----------------------------------------------------------

  onPhase(coordinator: Coordinator, process: Process): void {
    if (!process.isAlive || !this.world.isFaulty || coordinator.process !== process) return;
    this.strikes.aim(coordinator);
  }

  /** It has replayed the log and claimed it, and is about to serve. */
  onClaimed(coordinator: Coordinator, writer: Writer): void {
    const { world, truth } = this;
    const { epoch, seq } = writer.figures;
    world.mix(epoch, seq);
    coordinator.servedEpoch = epoch;
    coordinator.servingSinceMs = world.nowMs;
    coordinator.tookOverLeases = [...writer.state.jobs.values()].some((job) => job.leases.size > 0);
    this.leaseTime.begin(epoch, coordinator.process);
    checkReplay(world, truth, writer.state, seq, `the state of ${coordinator.process.name}`);
    this.onPhase(coordinator, coordinator.process);
  }

  checkAnswer(
    coordinator: Coordinator,
    ask: Request['ask'],
    body: AnswerBody,
    askedAtMs: number,
  ): void {
    if (body.type === 'refused') {
      if (body.code === 'internal') this.world.fail('no bugs', body.message);
      if (ask.type !== 'pieces') checkRefusal(this.world, this.truth, ask, body.code);
      return;
    }
    checkLeadTime(coordinator);
    if (ask.type === 'pieces' || body.type === 'pieces') return;
    const epoch = coordinator.servedEpoch;
    checkAnswerIsDurable(this.world, this.truth, epoch, ask, body);
    this.#noteRenewals(ask, body, epoch, askedAtMs);
    // To leave, and to report a failure, one need not be a member.
    if ('nodeId' in ask && !UNHEARD.has(ask.type)) {
      const heard = { instance: ask.instanceId, epoch, atMs: askedAtMs };
      this.nodeTime.heard(ask.jobId, ask.nodeId, heard);
    }
    this.world.mix(coordinator.place, askedAtMs & 0xffff);
  }

  #noteRenewals(ask: Command, body: Reply, epoch: number, askedAtMs: number): void {
    if (body.type === 'leases') {
      for (const { leaseId } of body.leases) this.leaseTime.acknowledged(leaseId, epoch, askedAtMs);
    } else if (body.type === 'renewed' && ask.type === 'renew') {
      for (const [index, leaseId] of ask.leaseIds.entries()) {
        if (body.ends[index] === null) continue;
        this.leaseTime.acknowledged(leaseId, epoch, askedAtMs);
      }
    } else if (body.type === 'accepted' && (ask.type === 'progress' || ask.type === 'commit')) {
      this.leaseTime.acknowledged(ask.leaseId, epoch, askedAtMs);
    }
  }

  checkDelivery(agent: Agent, leaseId: string, start: number, end: number): void {
    this.leaseTime.checkDelivery(agent, leaseId, start, end);
  }

  /** A node was let in: to the job that it was let in to before, if it was. */
  checkSameJob({ process, holder }: Agent, { jobToken }: Registered): void {
    if (holder.jobToken === null || holder.jobToken === jobToken) return;
    const what = `${process.name} of job ${holder.jobToken} is let in to ${String(jobToken)}`;
    this.world.fail('a node stays with its job', what);
  }

  /** A coordinator's process has ended by itself. */
  checkEnd(error: unknown): void {
    const isExpected =
      error instanceof Mx8Error && (error.retryable || EXPECTED_ENDS.has(error.code));
    if (!isExpected) this.world.fail('no bugs', `a coordinator ended: ${String(error)}`);
  }

  checkOutcome(agent: Agent, outcome: NodeOutcome): void {
    const { scene } = this.world;
    if (outcome.type === 'completed') {
      const twin = this.truth.ofToken(agent.jobId, agent.holder.jobToken);
      if (twin?.phase !== 'completed') {
        this.world.fail('answered is durable', `${agent.nodeId} holds the job for completed`);
      }
      return;
    }
    const isExpected =
      outcome.type === 'failed'
        ? outcome.code === 'node_id_in_use' ||
          (outcome.code === 'job_failed' && scene.interventions.includes('fail')) ||
          (outcome.code === 'job_unknown' && this.#wasForgotten(agent)) ||
          // One whose lead was taken refuses by what it knows until it hears of that.
          (outcome.code === 'job_unknown' && scene.strikes.includes('revoke lead'))
        : scene.interventions.some((one) => one === 'drain' || one === 'drain node');
    if (!isExpected) {
      this.world.fail('every call is decided', `${agent.nodeId}: ${JSON.stringify(outcome)}`);
    }
  }

  /** The job that it worked on, or whatever had the name where it never came so far. */
  #wasForgotten({ jobId, spec, holder }: Agent): boolean {
    const { jobToken } = holder;
    return this.truth.past.some((twin) =>
      jobToken === null
        ? twin.spec.jobId === jobId || twin.spec.jobId === spec.jobId
        : twin.token === jobToken,
    );
  }

  describe(): string {
    const jobs = [...this.truth.jobs.values()].map(
      ({ spec, phase, doneCount }) => `${spec.jobId} ${phase} ${doneCount}/${spec.sampleCount}`,
    );
    const nodes = this.agents.map(({ nodeId, outcome, holder, process }) => {
      const how = outcome === null ? holder.mode.type : outcome.type;
      return `${nodeId} ${process.isAlive ? how : 'dead'}`;
    });
    const leaders = this.coordinators.map(
      ({ process, leads }) => `${process.name}${leads ? '*' : ''}`,
    );
    return [...jobs, ...nodes, ...leaders].join(', ');
  }

  // ---- phases ------------------------------------------------------------------------------------

  #startAgentsOf(spec: JobSpec): void {
    const { world } = this;
    // Where the job was there before, those who serve it have to come first.
    const leastMs = world.nowMs === 0 ? 200 : 0;
    for (const agent of this.agents) {
      if (agent.spec.jobId !== spec.jobId || agent.isLost) continue;
      const { process } = agent;
      if (agent.holder.mode.type === 'idle') {
        world.after(leastMs + world.chance.below(200), process, () => agent.start());
        continue;
      }
      // Those that still work on one of this name that was forgotten hear of that by themselves.
      world.after(world.chance.below(200), null, () => {
        const isOver = agent.outcome !== null || !process.isAlive;
        if (agent.process === process && isOver && this.mayStart(agent)) agent.restart();
      });
    }
  }

  #onForgotten(job: JobId): void {
    const spec = this.world.scene.jobs.find(
      (one) => one.jobId === job || (one.adoptsFirstJobId && job === NODES_JOB),
    );
    if (spec !== undefined) this.operator.onForgotten(spec);
  }

  #heal(): void {
    const { world } = this;
    if (!world.isFaulty) return;
    world.say(() => 'everything is healed');
    world.isFaulty = false;
    this.network.heal();
    for (const double of this.doubles) double.process.die();
    const processes = [...this.coordinators, ...this.agents].map(({ process }) => process);
    this.#settledMs = Math.max(world.nowMs, ...processes.map((process) => process.pausedUntilMs));
    for (const agent of this.agents) agent.hurry();
    this.progress.begin(this.#settledMs);
  }

  /** Every now and then: what costs too much after every event, and whether all is over. */
  #look(): void {
    const { world } = this;
    world.after(150, null, () => {
      this.#checkSampled();
      const isDone =
        this.operator.owes === 0 && this.agents.every((agent) => agent.isDone || agent.isLost);
      // Without work there is nothing left that faults could spoil.
      if (isDone && world.isFaulty) this.#heal();
      if (isDone && this.#doneMs === null) this.#doneMs = Math.max(world.nowMs, this.#settledMs);
      if (this.#tail.seq !== this.truth.tailSeq) {
        this.#tail = { seq: this.truth.tailSeq, sinceMs: world.nowMs };
      }
      // Whoever follows reads a new entry at its next look.
      const isFollowed = world.nowMs > this.#tail.sinceMs + FOLLOWED_MS;
      const isLate = isFollowed && this.#doneMs !== null && world.nowMs > this.#doneMs + REST_MS;
      if (!world.isFaulty && isDone && (isLate || this.#isAtRest)) this.#end();
      else this.#look();
    });
  }

  get #isAtRest(): boolean {
    if (this.progress.silentMember !== null) return false;
    return this.coordinators.every(
      ({ process, candidacy, waiting }) =>
        process.isAlive && candidacy.view.appliedSeq === this.truth.tailSeq && waiting === 0,
    );
  }

  #checkSampled(): void {
    const { truth } = this;
    const { snapshot } = this.store;
    const isFirst = this.#snapshotChecked === 0;
    if (
      snapshot !== null &&
      (isFirst || snapshot.seq >= this.#snapshotChecked + FULL_CHECK_ENTRIES)
    )
      this.#checkSnapshot();
    if (truth.tailSeq < this.#entriesChecked + FULL_CHECK_ENTRIES) return;
    this.#entriesChecked = truth.tailSeq;
    this.#checkLive();
  }

  #checkSnapshot(): void {
    const { snapshot } = this.store;
    if (snapshot === null || snapshot.seq === this.#snapshotChecked) return;
    this.#snapshotChecked = snapshot.seq;
    checkSnapshot(this.world, this.truth, snapshot.bytes, snapshot.seq);
  }

  #checkLive(): void {
    for (const { candidacy, log, process, leads } of this.coordinators) {
      if (!process.isAlive || log.operation !== 'none') continue;
      const seq = candidacy.view.appliedSeq;
      const isLatest = seq === this.truth.tailSeq;
      if (leads && isLatest)
        checkReplay(this.world, this.truth, candidacy.state, seq, process.name);
    }
  }

  #end(): void {
    const { world } = this;
    this.progress.end();
    this.outputs.checkEnd();
    checkAllGone(
      world,
      this.truth,
      this.coordinators.find(({ leads }) => leads),
    );
    this.#checkSnapshot();
    for (const { candidacy, process, log, leads } of this.coordinators) {
      // What is being written is in the state already.
      if (!process.isAlive || log.operation !== 'none') continue;
      // A standby was compared whenever it took over.
      if (!leads && world.scene.seed % STANDBYS_CHECKED !== 0) continue;
      const { appliedSeq } = candidacy.view;
      checkReplay(world, this.truth, candidacy.state, appliedSeq, process.name);
    }
    for (const twin of this.truth.jobs.values()) {
      if (!twin.isDrained) world.fail('exact cover', `${twin.spec.jobId} ended with samples left`);
      for (const lease of twin.leases.values()) {
        if (lease.ended === null) world.fail('exact cover', `${lease.id} is held after the end`);
      }
    }
    this.#probeDamage();
  }

  /** Now and then the last thing that happens is that somebody reads a damaged log. */
  #probeDamage(): void {
    const { world, operator } = this;
    const probe = world.chance.happens(100) ? this.store.openDamaged(operator.process) : null;
    const over = (): void => {
      world.isOver = true;
    };
    if (probe === null) over();
    else expectRefused(world, probe.log, operator.process, probe.seq, over);
  }
}

/** Answered although they prove nothing of the node that they name. */
const UNHEARD: ReadonlySet<string> = new Set(['leave', 'fail_job', 'disconnect']);

const EXPECTED_ENDS: ReadonlySet<string> = new Set([
  'coordinator_state_write_failed',
  'candidate_duplicate',
]);
