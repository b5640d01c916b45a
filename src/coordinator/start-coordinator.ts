/**
 * Starts a coordinator: recovers its state from the log, leads or stands by, serves gRPC. The writer
 * decides what is answered, the leadership who answers; what is here only connects them to the world.
 */
import { addressText } from '../core/base/bind-address.ts';
import { Mx8Error } from '../core/base/errors.ts';
import {
  type CoordinatorState,
  createRefusal,
  JOB_RETENTION_DEFAULT,
  manifestHashes,
} from '../core/job/coordinator.ts';
import type { Fact, JobRetention, JobSpec, Relief } from '../core/job/protocol.ts';
import type { JobId, NodeId } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorClient } from '../ports/coordinator-client.ts';
import type { CoordinatorInsight } from '../ports/coordinator-insight.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { LogStore } from '../ports/log-store.ts';
import type { ManifestStore } from '../ports/manifest-store.ts';
import type { Random } from '../ports/random.ts';
import type { StoreSharer } from '../ports/store-sharer.ts';
import type { Tracer } from '../ports/tracer.ts';
import { expectReply } from '../wire/command-client.ts';
import { type GrpcServer, type ServerTls, startGrpcServer } from '../wire/grpc-server.ts';
import { MESSAGE_BYTES_MAX_DEFAULT } from '../wire/limits.ts';
import type { StoreGuest } from '../wire/store-guest.ts';
import type { Election, LeaderInfo } from '../ports/election.ts';
import { Candidacy } from './candidacy.ts';
import { logFacts } from './fact-events.ts';
import { Insight } from './insight.ts';
import { type Leadership, SoleLeadership } from './leadership.ts';
import { LeaseSpans } from './lease-spans.ts';
import {
  FAREWELL_ANSWER_MS,
  FAREWELL_MS,
  LEASE_STALL_MS_DEFAULT,
  MAP_CELLS,
  TICK_INTERVAL_MS_DEFAULT,
} from './limits.ts';
import { LocalClient } from './local-client.ts';
import { ManifestShelf } from './manifest-shelf.ts';
import { Meters } from './meters.ts';
import { shareOwnRequests } from './own-requests.ts';
import { PushHub } from './push-hub.ts';
import { RecentEvents } from './recent-events.ts';
import { Rehearser } from './rehearser.ts';
import { RoleBackend } from './role-backend.ts';
import type { Writer } from './writer.ts';

export interface CoordinatorOptions {
  /** Where the state is kept. The coordinator closes it when it stops. */
  readonly log: LogStore;
  readonly manifests: ManifestStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  readonly bind: { readonly host: string; readonly port: number };
  readonly tls?: ServerTls;
  /** Allows a bind that other machines reach without TLS. */
  readonly insecure?: boolean;
  /** Created unless they exist; one that exists with other settings is refused. */
  readonly jobs?: readonly JobSpec[];
  /** Most bytes of a message, both ways. Default 64 MiB. */
  readonly grpcMaxMessageBytes?: number;
  /** How often leases are looked at for expiry. Default 100 ms. */
  readonly tickIntervalMs?: number;
  /** How nodes that wait for work relieve slow ones. Default: in every way. */
  readonly relief?: Relief;
  /** Most requests in flight of all agents of its jobs, and guests, at one store. Default: as many as it gives. */
  readonly storeRequestsMax?: number | null;
  /**
   * Which completed jobs stay, besides those of `jobs`, which all do; null: all. Default: the last 100, and those
   * that completed within seven days.
   */
  readonly keepJobs?: JobRetention | null;
  /** What this process itself asks of stores: while it leads, that is part of the budget. Default: nothing. */
  readonly stores?: StoreSharer;
  /** With one, several coordinators share the log: one leads, the others stand by. Closed at the end. */
  readonly election?: Election;
  /** Of mx8, for those who ask. */
  readonly version?: string;
  /** Where clients and other coordinators are told to find this one. Default: the bound address. */
  readonly advertise?: string;
  /** Collects a span for each lease. Default: nobody. */
  readonly tracer?: Tracer;
  /** A lease that stands still for so long is shown as stalled. Default 10 s. */
  readonly leaseStallMs?: number;
  /**
   * The coordinator cannot go on (its log failed, or another leads) and serves no more. The process
   * should end with this error; started again it goes on from what was answered.
   */
  readonly onFatal: (error: Mx8Error) => void;
}

export interface CoordinatorServer {
  readonly host: string;
  readonly port: number;
  /** `leader`, or `standby` as long as another one leads. */
  readonly role: 'leader' | 'standby';
  /** The same coordinator without the way over gRPC. */
  readonly client: CoordinatorClient;
  /** What metrics and pages of this process are drawn from. */
  readonly insight: CoordinatorInsight;
  /** Tells whoever asks where this process shows its page; null where it shows none. */
  setWebUrl(url: string | null): void;
  /**
   * Goes on with a job whose former nodes are all known to be dead, with this many nodes from now on:
   * nothing waits for the leases of the dead. False when there is no such job.
   */
  beginRun(jobId: JobId, worldSize: number): Promise<boolean>;
  /** What the node holds is available at once: its process is known to have ended. */
  nodeDied(jobId: JobId, nodeId: NodeId): Promise<void>;
  /** Calls `listener` with everything that happens, once it is durable. */
  onFact(listener: (fact: Fact) => void): void;
  /** Answers what was asked, hands over, stops serving and closes the log; within a second or two. */
  stop(): Promise<void>;
}

export async function startCoordinator(options: CoordinatorOptions): Promise<CoordinatorServer> {
  const running = new RunningCoordinator(options);
  try {
    await running.start();
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running;
}

class RunningCoordinator implements CoordinatorServer {
  readonly host: string;
  readonly client: CoordinatorClient;
  readonly insight: CoordinatorInsight;
  readonly #meters: Meters;
  readonly #recent: RecentEvents;
  readonly #spans: LeaseSpans | null;
  #webUrl: string | null = null;
  readonly #options: CoordinatorOptions;
  readonly #leadership: Leadership;
  readonly #shelf: ManifestShelf;
  readonly #hub: PushHub = new PushHub();
  readonly #backend: RoleBackend;
  readonly #listeners: ((fact: Fact) => void)[] = [];
  #grpc: GrpcServer | null = null;
  #guest: StoreGuest | null = null;
  #stopped: Promise<void> | null = null;
  readonly #rehearser: Rehearser;

  constructor(options: CoordinatorOptions) {
    const { clock, events, bind } = options;
    this.#options = options;
    this.host = bind.host;
    this.#shelf = new ManifestShelf(options.manifests);
    this.#meters = new Meters(clock);
    this.#recent = new RecentEvents(clock);
    this.#spans = options.tracer === undefined ? null : new LeaseSpans(options.tracer);
    this.#rehearser = new Rehearser({ ...options, shelf: this.#shelf });
    this.#leadership = this.#newLeadership();
    this.#backend = new RoleBackend({
      leadership: this.#leadership,
      shelf: this.#shelf,
      hub: this.#hub,
      clock,
      events,
      address: () => this.#address,
      version: options.version ?? '',
      webUrl: () => this.#webUrl,
      meter: this.#meters,
    });
    this.client = new LocalClient(this.#backend, clock);
    this.insight = new Insight({
      leadership: this.#leadership,
      clock,
      meters: this.#meters,
      recent: this.#recent,
      digest: { leaseStallMs: options.leaseStallMs ?? LEASE_STALL_MS_DEFAULT, cells: MAP_CELLS },
      coordinator: () => this.#backend.coordinator(),
    });
  }

  setWebUrl(url: string | null): void {
    this.#webUrl = url;
  }

  get port(): number {
    return this.#grpc?.port ?? this.#options.bind.port;
  }

  get role(): 'leader' | 'standby' {
    return this.#leadership.view.role;
  }

  get #address(): string {
    const { advertise, tls } = this.#options;
    if (advertise !== undefined) return advertise;
    const address = addressText({ host: this.host, port: this.port });
    return tls === undefined ? address : `https://${address}`;
  }

  /** A candidate serves before it knows who leads; a sole coordinator once it does. */
  async start(): Promise<void> {
    const { bind, clock, events, election } = this.#options;
    const startMs = clock.nowMs();
    if (election === undefined) await this.#leadership.start();
    this.#grpc = await startGrpcServer({
      backend: this.#backend,
      clock,
      bind,
      tls: this.#options.tls ?? null,
      insecure: this.#options.insecure ?? false,
      messageBytesMax: this.#options.grpcMaxMessageBytes ?? MESSAGE_BYTES_MAX_DEFAULT,
    });
    if (election !== undefined) await this.#leadership.start();
    this.#guest = shareOwnRequests(this.#options, this.client);
    const { epoch, appliedSeq } = this.#leadership.view;
    events.emit('info', 'coordinator_serving', {
      host: this.host,
      port: this.port,
      epoch,
      jobs: this.#leadership.state.jobs.size,
      seq: appliedSeq,
      start_ms: Math.round(clock.nowMs() - startMs),
    });
  }

  async beginRun(jobId: JobId, worldSize: number): Promise<boolean> {
    const reply = await this.#backend.submit({ type: 'begin_run', jobId, worldSize });
    if (reply.type === 'refused' && reply.code === 'job_unknown') return false;
    expectReply(reply, 'ok');
    return true;
  }

  async nodeDied(jobId: JobId, nodeId: NodeId): Promise<void> {
    const reply = await this.#backend.submit({ type: 'node_died', jobId, died: nodeId });
    expectReply(reply, 'ok');
  }

  onFact(listener: (fact: Fact) => void): void {
    this.#listeners.push(listener);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const { election, log } = this.#options;
    this.#rehearser.abort();
    this.#guest?.stop();
    if (election === undefined) await this.#grpc?.stop();
    else this.#backend.beginHandOver();
    await this.#leadership.stop();
    this.#spans?.end();
    if (election !== undefined) {
      await this.#sayWhoLeads(election);
      await this.#grpc?.stop();
      await election.close();
    }
    await this.client.close();
    await this.#shelf.close();
    await log.close();
  }

  /** Clients that still come here are told where to go, as soon as that is known. */
  async #sayWhoLeads(election: Election): Promise<void> {
    let leader: LeaderInfo | null = null;
    try {
      leader = await this.#successor(election);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      this.#options.events.emit('warn', 'hand_over_unknown', { message });
    }
    this.#backend.handedOver(leader);
    if (leader === null) return;
    await this.#grpc?.sendAway(this.#backend.notLeader());
    // Nodes of an older version are told by the end of their session.
    await this.#options.clock.sleep(FAREWELL_ANSWER_MS);
    this.#grpc?.endSessions();
  }

  async #successor(election: Election): Promise<LeaderInfo | null> {
    const { clock } = this.#options;
    const deadlineMs = clock.nowMs() + FAREWELL_MS;
    if ((await election.candidates()).length === 0) return null;
    while (clock.nowMs() < deadlineMs) {
      const leader = await election.leader();
      if (leader !== null) return leader;
      await clock.sleep(FAREWELL_MS / 50);
    }
    return null;
  }

  #newLeadership(): Leadership {
    const { log, clock, random, election, jobs = [] } = this.#options;
    const { relief = 'double', storeRequestsMax = null } = this.#options;
    const { keepJobs = JOB_RETENTION_DEFAULT } = this.#options;
    const events = this.#heard();
    const tickIntervalMs = this.#options.tickIntervalMs ?? TICK_INTERVAL_MS_DEFAULT;
    const who = Buffer.from(random.bytes(9)).toString('base64url');
    const address = (): string => this.#address;
    const prepare = (writer: Writer): Promise<void> => this.#createJobs(writer);
    const onFacts = (facts: readonly Fact[]): void => {
      logFacts(facts, this.#options.events);
      this.#hub.publish(facts);
      this.#recent.addFacts(facts);
      this.#spans?.add(facts);
      this.#meters.add(facts);
      if (facts.some(({ event }) => event === 'job_forgotten')) this.#closeManifests();
      this.#tell(facts);
    };
    const onFatal = (error: Mx8Error): void => this.#fail(error);
    const meters = this.#meters;
    const ownJobs = new Set(jobs.map(({ jobId }) => jobId));
    const policy = { relief, storeRequestsMax, keepJobs, ownJobs };
    const common = { log, clock, random, events, tickIntervalMs, policy, onFacts, meters };
    if (election === undefined) {
      return new SoleLeadership({ ...common, onFatal }, who, address, prepare);
    }
    return new Candidacy({
      ...common,
      election,
      who,
      address,
      prepare,
      check: (state) => this.#checkJobs(state),
      onLed: () => {
        this.#rehearser.begin();
        this.#closeManifests();
      },
      onLeaderChanged: () => this.#rehearser.abort(),
      onLeft: () => {
        this.#spans?.end();
        this.#grpc?.endSessions();
      },
      onEnded: (error) => {
        if (error !== null) this.#fail(error);
      },
    });
  }

  /** Those that no job reads any more. */
  #closeManifests(): void {
    this.#shelf
      .keepOnly(() => manifestHashes(this.#leadership.state))
      .catch((cause: unknown) => {
        const message = cause instanceof Error ? cause.message : String(cause);
        this.#options.events.emit('warn', 'manifest_close_failed', { message });
      });
  }

  /** The events of the leadership, which a page lists beside the facts. */
  #heard(): EventSink {
    return {
      emit: (level, event, fields = {}) => {
        this.#options.events.emit(level, event, fields);
        if (level !== 'debug') this.#recent.add(level, event, fields);
      },
    };
  }

  #checkJobs(state: CoordinatorState): void {
    for (const spec of this.#options.jobs ?? []) {
      const refusal = createRefusal(state, spec);
      if (refusal !== null) throw new Mx8Error(refusal.code, refusal.message);
    }
  }

  async #createJobs(writer: Writer): Promise<void> {
    for (const spec of this.#options.jobs ?? []) {
      expectReply(await writer.submit({ type: 'create_job', spec }, true), 'job_created');
    }
  }

  #fail(error: Mx8Error): void {
    const { events, onFatal } = this.#options;
    events.emit('error', 'coordinator_failed', { code: error.code, message: error.message });
    this.stop().catch((cause: unknown) => {
      const message = cause instanceof Error ? cause.message : String(cause);
      events.emit('error', 'coordinator_stop_failed', { message });
    });
    onFatal(error);
  }

  /** A listener that throws is a bug of a screen; it must not end the coordinator. */
  #tell(facts: readonly Fact[]): void {
    for (const listener of this.#listeners) {
      try {
        for (const fact of facts) listener(fact);
      } catch (cause) {
        const message = cause instanceof Error ? cause.message : String(cause);
        this.#options.events.emit('error', 'fact_listener_failed', { message });
      }
    }
  }
}
