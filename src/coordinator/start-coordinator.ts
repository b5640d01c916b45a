/**
 * Starts a coordinator: recovers its state from the log, takes leadership, serves gRPC. From then on the
 * writer decides everything; what is here only connects it to the world.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { committedPieces, jobIds } from '../core/job/coordinator.ts';
import type { CommittedPiece, Fact, JobSpec } from '../core/job/protocol.ts';
import type { JobId } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorClient } from '../ports/coordinator-client.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { LogStore } from '../ports/log-store.ts';
import type { ManifestStore } from '../ports/manifest-store.ts';
import type { Random } from '../ports/random.ts';
import type { CoordinatorBackend } from '../wire/backend.ts';
import { expectReply } from '../wire/command-client.ts';
import { type GrpcServer, type ServerTls, startGrpcServer } from '../wire/grpc-server.ts';
import { MESSAGE_BYTES_MAX_DEFAULT } from '../wire/limits.ts';
import { logFacts } from './fact-events.ts';
import { PIECES_PER_CHUNK, TICK_INTERVAL_MS_DEFAULT } from './limits.ts';
import { LocalClient } from './local-client.ts';
import { ManifestShelf } from './manifest-shelf.ts';
import { PushHub } from './push-hub.ts';
import { Writer } from './writer.ts';

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
  /**
   * The coordinator cannot go on (its log failed, or another leads) and serves no more. The process
   * should end with this error; started again it goes on from what was answered.
   */
  readonly onFatal: (error: Mx8Error) => void;
}

export interface CoordinatorServer {
  readonly host: string;
  readonly port: number;
  /** The same coordinator without the way over gRPC. */
  readonly client: CoordinatorClient;
  /**
   * Goes on with a job whose former nodes are all known to be dead, with this many nodes from now on:
   * nothing waits for the leases of the dead. False when there is no such job.
   */
  beginRun(jobId: JobId, worldSize: number): Promise<boolean>;
  /** Calls `listener` with everything that happens, once it is durable. */
  onFact(listener: (fact: Fact) => void): void;
  /** Answers what was asked, stops serving and closes the log; within a second. */
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
  readonly #options: CoordinatorOptions;
  readonly #writer: Writer;
  readonly #shelf: ManifestShelf;
  readonly #backend: CoordinatorBackend;
  readonly #listeners: ((fact: Fact) => void)[] = [];
  #grpc: GrpcServer | null = null;
  #stopped: Promise<void> | null = null;

  constructor(options: CoordinatorOptions) {
    const { log, clock, random, events } = options;
    const tickIntervalMs = options.tickIntervalMs ?? TICK_INTERVAL_MS_DEFAULT;
    const onFatal = (error: Mx8Error): void => this.#fail(error);
    this.#options = options;
    this.host = options.bind.host;
    this.#writer = new Writer({ log, clock, random, events, tickIntervalMs, onFatal });
    this.#shelf = new ManifestShelf(options.manifests);
    const hub = new PushHub();
    this.#writer.onFacts((facts) => {
      logFacts(facts, events);
      hub.publish(facts);
      this.#tell(facts);
    });
    this.#backend = backendOf(this.#writer, this.#shelf, hub, options);
    this.client = new LocalClient(this.#backend, clock);
  }

  get port(): number {
    return this.#grpc?.port ?? this.#options.bind.port;
  }

  async start(): Promise<void> {
    const { bind, clock, events, jobs = [] } = this.#options;
    const startMs = clock.nowMs();
    await this.#writer.start();
    for (const spec of jobs) {
      expectReply(await this.#writer.submit({ type: 'create_job', spec }), 'job_created');
    }
    this.#grpc = await startGrpcServer({
      backend: this.#backend,
      clock,
      bind,
      tls: this.#options.tls ?? null,
      insecure: this.#options.insecure ?? false,
      messageBytesMax: this.#options.grpcMaxMessageBytes ?? MESSAGE_BYTES_MAX_DEFAULT,
    });
    const { epoch, entriesReplayed } = this.#writer.figures;
    events.emit('info', 'coordinator_serving', {
      host: this.host,
      port: this.port,
      epoch,
      jobs: this.#backend.jobIds().length,
      entries_replayed: entriesReplayed,
      start_ms: Math.round(clock.nowMs() - startMs),
    });
  }

  async beginRun(jobId: JobId, worldSize: number): Promise<boolean> {
    const reply = await this.#writer.submit({ type: 'begin_run', jobId, worldSize });
    if (reply.type === 'refused' && reply.code === 'job_unknown') return false;
    expectReply(reply, 'ok');
    return true;
  }

  onFact(listener: (fact: Fact) => void): void {
    this.#listeners.push(listener);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.#grpc?.stop();
    await this.#writer.stop();
    await this.client.close();
    await this.#shelf.close();
    await this.#options.log.close();
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

function backendOf(
  writer: Writer,
  shelf: ManifestShelf,
  hub: PushHub,
  { clock, events }: CoordinatorOptions,
): CoordinatorBackend {
  const jobSpec = (jobId: JobId): JobSpec | null => writer.state.jobs.get(jobId)?.spec ?? null;
  return {
    get epoch() {
      return writer.figures.epoch;
    },
    submit: (command) => writer.submit(command),
    subscribe: (jobId, nodeId, listener) => hub.subscribe(jobId, nodeId, listener),
    jobIds: () => jobIds(writer.state),
    jobSpec,
    manifest: (jobId, hash) => shelf.ofJob(jobId, jobSpec(jobId), hash),
    committedPieces: (jobId) => piecesOf(writer, jobId),
    nowUnixMs: () => clock.unixMs(),
    onInternalError: (error) => {
      const stack = error.cause instanceof Error ? (error.cause.stack ?? '') : '';
      events.emit('error', 'call_failed', { message: error.message, stack });
    },
  };
}

async function* piecesOf(writer: Writer, jobId: JobId): AsyncIterable<readonly CommittedPiece[]> {
  for (let after = -1; ;) {
    const from = after;
    const pieces = await writer.read((state) =>
      state.jobs.has(jobId) ? committedPieces(state, jobId, from, PIECES_PER_CHUNK) : null,
    );
    if (pieces === null) {
      throw new Mx8Error('job_unknown', `this coordinator runs no job "${jobId}"`);
    }
    const last = pieces.at(-1);
    if (last === undefined) return;
    yield pieces;
    after = last.start;
  }
}
