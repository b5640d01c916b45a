/**
 * One coordinator's machine: it starts the real candidacy and writer on a fresh process, hands requests
 * to the real back end, and is started again when it ends. What is missing to a real one is gRPC.
 */
import { Mx8Error } from '../../../src/core/base/errors.ts';
import type { JobId, NodeId } from '../../../src/core/base/units.ts';
import type { Command, CommittedPiece, Policy } from '../../../src/core/job/protocol.ts';
import { Candidacy } from '../../../src/coordinator/candidacy.ts';
import { FAREWELL_ANSWER_MS, FAREWELL_MS } from '../../../src/coordinator/limits.ts';
import { ManifestShelf } from '../../../src/coordinator/manifest-shelf.ts';
import { PushHub } from '../../../src/coordinator/push-hub.ts';
import { RoleBackend } from '../../../src/coordinator/role-backend.ts';
import type { LeaderInfo } from '../../../src/ports/election.ts';
import { MemoryManifestStore } from '../../../src/testing/memory-manifest-store.ts';
import { FOLLOW_MS, type Scene } from '../scene.ts';
import type { Simulation } from '../simulation.ts';
import { Process } from '../world/process.ts';
import { WatchedLog } from '../world/watched-log.ts';
import { WatchedElection } from '../world/watched-election.ts';
import { checkQueue } from '../checkers/bounds.ts';
import { checkDeaths } from '../checkers/deaths.ts';
import { checkLed } from '../checkers/lead-time.ts';
import { phaseBit } from '../world/coverage.ts';
import type { Client } from './client.ts';
import type { Answer, AnswerBody, Request } from './messages.ts';

interface Asked {
  readonly type: string;
  readonly atMs: number;
}

const MANIFESTS = new ManifestShelf(new MemoryManifestStore());

export class Coordinator {
  readonly simulation: Simulation;
  readonly place: number;
  process: Process;
  log: WatchedLog;
  election: WatchedElection;
  candidacy: Candidacy;
  #backend: RoleBackend;
  #hub: PushHub;
  /** Answers that leave at the end of this event, by client. */
  #outbox: Map<Client, Answer[]> = new Map<Client, Answer[]>();
  readonly #subscriptions: Map<string, () => void> = new Map<string, () => void>();
  /** Epoch it served in when last looked at, and since when. */
  servedEpoch = 0;
  servingSinceMs = 0;
  tookOverLeases = false;
  answersUntilMs = 0;
  /** What was handed to the back end and is not answered yet: what it is, and since when. */
  #asked: Set<Asked> = new Set<Asked>();
  #handedOverTo: LeaderInfo | null = null;
  readonly #checkQueue = (): void => checkQueue(this);
  /** Its process is of a version that renews leases one by one only, and tells nobody of work. */
  #isOld = false;

  constructor(simulation: Simulation, place: number) {
    this.simulation = simulation;
    this.place = place;
    const started = this.#make();
    this.process = started.process;
    this.log = started.log;
    this.election = started.election;
    this.candidacy = started.candidacy;
    this.#hub = started.hub;
    this.#backend = started.backend;
  }

  /** A new process, with nothing of the former one. */
  restart(): void {
    const started = this.#make();
    this.process = started.process;
    this.log = started.log;
    this.election = started.election;
    this.candidacy = started.candidacy;
    this.#hub = started.hub;
    this.#backend = started.backend;
    this.#outbox = new Map();
    this.#subscriptions.clear();
    this.servedEpoch = 0;
    this.#asked = new Set();
    this.#handedOverTo = null;
    this.start();
  }

  start(): void {
    const { process } = this;
    this.simulation.world.say(() => `${process.name} starts`);
    this.candidacy.start().catch((error: unknown) => this.#ended(process, error));
  }

  /** Ends it at once, as kill -9 does; it is started again after a while. */
  kill(): void {
    const { process } = this;
    if (!process.isAlive) return;
    this.simulation.world.say(() => `${process.name} is killed`);
    process.die();
    this.simulation.resetClientsOf(this.place);
    this.#startAgain();
  }

  /** Hands over and ends, as SIGTERM does. */
  handOver(): void {
    const { process } = this;
    if (!process.isAlive) return;
    this.simulation.world.say(() => `${process.name} hands over`);
    this.#backend.beginHandOver();
    void this.candidacy.stop();
  }

  /** It has let go of the lead: whoever still asks is told who leads, as soon as that is known. */
  async #farewell(process: Process): Promise<void> {
    const { election } = this;
    const backend = this.#backend;
    const deadlineMs = process.nowMs() + FAREWELL_MS;
    let leader: LeaderInfo | null = null;
    while (leader === null && process.nowMs() < deadlineMs) {
      await process.sleep(FAREWELL_MS / 50);
      leader = await election.leader().catch(() => null);
    }
    backend.handedOver(leader);
    if (this.process === process) this.#handedOverTo = leader;
    await process.sleep(FAREWELL_ANSWER_MS);
  }

  get waiting(): number {
    return this.#asked.size;
  }

  /** A request that came before `sinceMs` and is not decided; null when there is none. */
  undecidedSince(sinceMs: number): string | null {
    for (const { type, atMs } of this.#asked) if (atMs < sinceMs) return type;
    return null;
  }

  get leads(): boolean {
    return this.process.isAlive && this.candidacy.writer !== null;
  }

  /** Bits of the phases that it is in. */
  get phases(): number {
    if (!this.process.isAlive) return 0;
    const { world, truth } = this.simulation;
    const { operation, nonce } = this.log;
    let bits = 0;
    if (this.leads) {
      const isYoung = world.nowMs - this.servingSinceMs < 1000;
      if (this.tookOverLeases && isYoung) bits |= phaseBit('take-over with live leases');
      if (world.nowMs <= this.answersUntilMs) bits |= phaseBit('append to answer');
    } else if (this.election.isElected) bits |= phaseBit('claim to replay');
    else bits |= phaseBit('before claim');
    if (operation === 'append') {
      const isThere = truth.nonces.has(nonce);
      bits |= phaseBit(isThere ? 'outcome unknown' : 'append in flight');
      if (this.simulation.isNearlyDone) bits |= phaseBit('commit of the last range');
    } else if (operation === 'snapshot') bits |= phaseBit('snapshot');
    else if (operation === 'trim') bits |= phaseBit('trim');
    return bits;
  }

  receive(client: Client, requests: readonly Request[]): void {
    for (const request of requests) this.#take(client, request);
    this.simulation.world.onceSettled(this.#checkQueue, true);
  }

  disconnect(jobId: JobId, nodeId: NodeId, instanceId: string): void {
    const backend = this.#backend;
    this.simulation.nodeTime.broken(instanceId, this.servedEpoch);
    backend.submit({ type: 'disconnect', jobId, nodeId, instanceId }).catch(() => null);
  }

  /** False where it hears nothing now. Told at once, as `mx8 run` does, before the next process starts. */
  hearOfDeath(jobId: JobId, died: NodeId, instanceId: string): boolean {
    const { world, nodeTime } = this.simulation;
    if (!this.leads || this.process.pausedUntilMs > world.nowMs) return false;
    world.say(() => `${this.process.name} is told that ${died} has ended`);
    nodeTime.broken(instanceId, this.servedEpoch);
    this.#backend.submit({ type: 'node_died', jobId, died }).catch(() => null);
    return true;
  }

  #take(client: Client, request: Request): void {
    const { process, simulation } = this;
    const { ask } = request;
    const backend = this.#backend;
    if (ask.type === 'register') this.#subscribe(client, ask);
    // A stranger may have got in, and say that it goes.
    if (ask.type === 'disconnect') {
      simulation.nodeTime.broken(ask.instanceId ?? '', this.servedEpoch);
    }
    const asked = { type: ask.type, atMs: simulation.world.nowMs };
    const all = this.#asked;
    all.add(asked);
    const askedAtMs = process.nowMs();
    const done = (body: AnswerBody): void => {
      all.delete(asked);
      this.#post(client, process, request, body, askedAtMs);
    };
    if (ask.type === 'renew' && this.#isOld) {
      done({ type: 'refused', code: 'field_missing', message: 'field body is missing' });
      return;
    }
    const claimedBefore = simulation.truth.epoch;
    const decided = (body: AnswerBody): void => {
      checkLed(this, claimedBefore);
      done(this.#isOld ? asOld(body) : body);
    };
    const failed = (cause: unknown): void => {
      if (cause instanceof Mx8Error) {
        done({ type: 'refused', code: cause.code, message: cause.message });
      } else simulation.world.fail('no bugs', `a call ended in ${String(cause)}`);
    };
    if (ask.type === 'pieces') {
      piecesOf(backend, ask.jobId as JobId).then(
        (pieces) => decided({ type: 'pieces', pieces }),
        failed,
      );
    } else backend.submit(ask).then(decided, failed);
  }

  #subscribe(client: Client, command: Extract<Command, { type: 'register' }>): void {
    const { jobId, nodeId, instanceId } = command;
    const key = `${jobId} ${nodeId} ${instanceId ?? ''}`;
    this.#subscriptions.get(key)?.();
    const { process, simulation } = this;
    const unsubscribe = this.#hub.subscribe(jobId, nodeId, (push) => {
      if (!process.isAlive || (push.type === 'work_waits' && this.#isOld)) return;
      simulation.network.send(this.place, client.process, this.place, () => client.onPush(push));
    });
    this.#subscriptions.set(key, unsubscribe);
  }

  /** An answer leaves once everything of this moment has settled, unless the process died with it. */
  #post(
    client: Client,
    process: Process,
    { requestId, ask }: Request,
    body: AnswerBody,
    askedAtMs: number,
  ): void {
    if (!process.isAlive || this.process !== process) return;
    const { simulation } = this;
    // Only such an answer says where to go.
    const isElsewhere = body.type === 'refused' && body.code === 'not_leader';
    const answer = { requestId, body, leader: isElsewhere ? this.#hint() : null };
    const waiting = this.#outbox.get(client);
    simulation.checkAnswer(this, ask, body, askedAtMs);
    if (waiting !== undefined) {
      waiting.push(answer);
      return;
    }
    const answers = [answer];
    const outbox = this.#outbox;
    outbox.set(client, answers);
    simulation.world.onceSettled(() => {
      outbox.delete(client);
      const send = (): void => {
        this.answersUntilMs = simulation.world.nowMs + simulation.world.scene.networkDelayMs;
        simulation.network.send(this.place, client.process, this.place, () => {
          client.onAnswers(answers, this.place);
        });
      };
      if (process.pausedUntilMs > simulation.world.nowMs) process.later(0, send);
      else if (process.isAlive) send();
    }, true);
  }

  #hint(): number | null {
    const leader = (this.#handedOverTo ?? this.candidacy.view.leader)?.address;
    return leader === undefined ? null : Number(leader);
  }

  #startAgain(): void {
    const { world } = this.simulation;
    world.after(world.chance.between(30, 500), null, () => {
      if (!this.process.isAlive) this.restart();
    });
  }

  #ended(process: Process, error: unknown): void {
    if (!process.isAlive || this.process !== process) return;
    if (error === null) void this.#farewell(process).then(() => this.#gone(process, null));
    else this.#gone(process, error);
  }

  #gone(process: Process, error: unknown): void {
    if (!process.isAlive || this.process !== process) return;
    const { world } = this.simulation;
    world.say(() => `${process.name} ends: ${String(error)}`);
    if (error !== null) this.simulation.checkEnd(error);
    process.die();
    this.simulation.resetClientsOf(this.place);
    this.#startAgain();
  }

  #make(): {
    process: Process;
    log: WatchedLog;
    election: WatchedElection;
    candidacy: Candidacy;
    hub: PushHub;
    backend: RoleBackend;
  } {
    const { simulation, place } = this;
    const { world } = simulation;
    simulation.starts += 1;
    const who = `c${place}#${simulation.starts}`;
    // In some worlds versions are mixed, up and down.
    this.#isOld = world.scene.seed % 5 === 2 && world.chance.happens(500);
    const process = new Process(world, who, place, simulation.clockRate());
    const changed = (): void => simulation.onPhase(this, process);
    const log = new WatchedLog(simulation.openLog(process), world, simulation.truth, changed);
    const election = new WatchedElection(simulation.openElection(process), process, changed);
    const hub = new PushHub();
    const events = { emit: simulation.logEvent(process) };
    const address = (): string => String(place);
    const chance = world.chance;
    const candidacy = new Candidacy({
      log,
      election,
      codec: simulation.truth.codec,
      clock: process,
      random: { fraction: () => chance.below(1000) / 1000, bytes: (count) => chance.bytes(count) },
      events,
      tickIntervalMs: world.scene.tickMs,
      followIntervalMs: FOLLOW_MS,
      snapshotEntries: world.scene.snapshotEntries,
      queueCommandsMax: world.scene.queueMax,
      policy: policyOf(world.scene),
      who,
      address,
      prepare: async (writer) => {
        simulation.onClaimed(this, writer);
        if (!world.scene.jobsAtStart) return;
        for (const spec of world.scene.jobs) await writer.submit({ type: 'create_job', spec });
      },
      onFacts: (facts) => {
        checkDeaths(simulation, facts);
        hub.publish(facts);
      },
      onLeft: () => process.isAlive && simulation.resetClientsOf(place),
      onEnded: (error) => this.#ended(process, error),
    });
    const backend = new RoleBackend({
      leadership: candidacy,
      shelf: MANIFESTS,
      hub,
      clock: process,
      events,
      address,
      version: 'simulated',
      holdRequestsMax: world.scene.queueMax,
    });
    return { process, log, election, candidacy, hub, backend };
  }
}

function asOld(body: AnswerBody): AnswerBody {
  return 'waitMaxMs' in body ? { ...body, waitMaxMs: 0 } : body;
}

function policyOf({ keepJobs, jobsAtStart, jobs }: Scene): Policy {
  const ownJobs = new Set(jobsAtStart ? jobs.map(({ jobId }) => jobId) : []);
  return { relief: 'double', keepJobs, ownJobs };
}

async function piecesOf(backend: RoleBackend, jobId: JobId): Promise<readonly CommittedPiece[]> {
  const all: CommittedPiece[] = [];
  for await (const pieces of backend.committedPieces(jobId)) all.push(...pieces);
  return all;
}
