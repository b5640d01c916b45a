/**
 * A standby rehearses: it plays the leader of a small job to itself, from the bytes of requests to the
 * bytes of answers. JavaScript is compiled as it is used, and what a leader does in its first moments, when
 * every node comes to it at once, would otherwise be done several times slower than a second later.
 *
 * Nothing of it is kept, shown or measured. It goes on in small pieces, between which the process does
 * whatever else there is to do, and ends when it is told to.
 */
import { jobId, manifestHash, type NodeId, nodeId } from '../core/base/units.ts';
import { IDLE_STATS } from '../core/job/job-state.ts';
import type { JobSpec, Lease, NodeCaps } from '../core/job/protocol.ts';
import { MemoryLog } from '../log/memory-log.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { Random } from '../ports/random.ts';
import type { SessionCall, SessionReceiver } from '../wire/grpc-service.ts';
import { uint64 } from '../wire/fields.ts';
import { unbatched } from '../wire/message-batcher.ts';
import type { WireMessage } from '../wire/schema.ts';
import { Sessions } from '../wire/session-server.ts';
import { v1Method } from '../wire/unary-caller.ts';
import { commandMessage, replyFrom, type SessionCommand } from '../wire/v1-session.ts';
import { logFacts } from './fact-events.ts';
import { SoleLeadership } from './leadership.ts';
import type { ManifestShelf } from './manifest-shelf.ts';
import { Meters } from './meters.ts';
import { PushHub } from './push-hub.ts';
import { RoleBackend } from './role-backend.ts';

const NODES = 20;
const LEASES_EACH = 20;
/** In which each lease is reported on: after so many nothing becomes faster any more. */
const ROUNDS = 6;
const TICK_INTERVAL_MS = 1000;
const SAMPLES_PER_LEASE = 1000;

const SPEC: JobSpec = {
  jobId: jobId('rehearsal'),
  manifestHash: manifestHash('0'.repeat(64)),
  sampleCount: NODES * LEASES_EACH * SAMPLES_PER_LEASE,
  blockSize: SAMPLES_PER_LEASE,
  worldSize: NODES,
  minWorldSize: NODES,
  shuffle: false,
  seed: 0n,
  epoch: 0,
  leaseTtlMs: 10_000,
  heartbeatIntervalMs: 1000,
  commitsOutputs: false,
  adoptsFirstJobId: false,
};

const CAPS: NodeCaps = {
  maxFetchConcurrency: 1,
  maxDecodeConcurrency: 1,
  maxInflightBytes: 1,
  maxRamBytes: 1,
};

const SILENT: EventSink = { emit: () => undefined };

export interface RehearsalPorts {
  readonly clock: Clock;
  readonly random: Random;
  /** Which nobody asks for anything. */
  readonly shelf: ManifestShelf;
}

/** Resolves when it is over, and says how many requests were answered. Rejects only if something is wrong. */
export async function rehearse(ports: RehearsalPorts, signal: AbortSignal): Promise<number> {
  const { clock, random, shelf } = ports;
  const [hub, meter] = [new PushHub(), new Meters(clock)];
  const { promise: failed, reject } = Promise.withResolvers<never>();
  const leadership = new SoleLeadership(
    {
      ...{ log: new MemoryLog(), clock, random, events: SILENT, tickIntervalMs: TICK_INTERVAL_MS },
      meters: meter,
      onFatal: reject,
      onFacts: (facts) => {
        logFacts(facts, SILENT);
        hub.publish(facts);
      },
    },
    'rehearsal',
    () => '',
    async (writer) => {
      await writer.submit({ type: 'create_job', spec: SPEC });
    },
  );
  await leadership.start();
  const backend = new RoleBackend({
    ...{ leadership, shelf, hub, clock, events: SILENT, meter },
    address: () => '',
    version: '',
  });
  try {
    return await Promise.race([play(new Sessions(backend), signal), failed]);
  } finally {
    await leadership.stop();
  }
}

async function play(sessions: Sessions, signal: AbortSignal): Promise<number> {
  const players = Array.from({ length: NODES }, (_, index) => new Player(sessions, index));
  for (let round = -2; round < ROUNDS; round += 1) {
    for (const player of players) {
      if (signal.aborted) break;
      if (round === -2) await player.register();
      else if (round === -1) await player.lease();
      else await player.report(round);
    }
  }
  for (const player of players) player.end();
  return players.reduce((sum, { answered }) => sum + answered, 0);
}

const { request, response } = v1Method('Session');

/** A node, and the call that carries its session. */
class Player implements SessionCall {
  readonly isPaused: boolean = false;
  answered = 0;
  readonly #node: { jobId: JobSpec['jobId']; nodeId: NodeId; instanceId: string };
  readonly #session: SessionReceiver;
  #lastRequestId = 0;
  #leases: readonly Lease[] = [];
  #unanswered = 0;
  #done: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  constructor(sessions: Sessions, index: number) {
    const name = `node-${index}`;
    this.#node = { jobId: SPEC.jobId, nodeId: nodeId(name), instanceId: name };
    this.#session = sessions.accept(this);
  }

  register(): Promise<void> {
    return this.#ask([
      { type: 'register', ...this.#node, caps: CAPS, resumeFrom: new Uint8Array(0) },
    ]);
  }

  lease(): Promise<void> {
    return this.#ask([{ type: 'request_lease', ...this.#node, want: LEASES_EACH, held: [] }]);
  }

  /** As in life some reports move the cursor and others, of older nodes, only renew; newer ones renew all at once. */
  report(round: number): Promise<void> {
    const reports = this.#leases.map(({ leaseId, cursor }, index): SessionCommand => {
      const moved = index % 4 === 0 ? round : 0;
      const delivered = { deliveredSamples: moved, deliveredBytes: moved };
      return { type: 'progress', ...this.#node, leaseId, cursor: cursor + moved, ...delivered };
    });
    const heartbeat = { type: 'heartbeat', stats: IDLE_STATS, sentAtUnixMs: 0 } as const;
    const leaseIds = this.#leases.map(({ leaseId }) => leaseId);
    const renewal = { type: 'renew', leaseIds } as const;
    return this.#ask([...reports, { ...this.#node, ...renewal }, { ...this.#node, ...heartbeat }]);
  }

  pause(): void {
    // So little is asked at a time that the session reads on.
  }

  resume(): void {
    // It never paused.
  }

  write(message: WireMessage, done: () => void): void {
    for (const one of unbatched(response.decode(response.encode(message)))) {
      // Once all are registered each of them is told so.
      if (uint64(one, 'requestId') === 0) continue;
      const reply = replyFrom(one);
      if (reply.type === 'leases') this.#leases = reply.leases;
      this.#unanswered -= 1;
      this.answered += 1;
    }
    done();
    if (this.#unanswered === 0) this.#done.resolve();
  }

  end(): void {
    this.#session.over();
  }

  refuse(error: Error): void {
    this.#done.reject(error);
  }

  #ask(commands: readonly SessionCommand[]): Promise<void> {
    this.#done = Promise.withResolvers<void>();
    this.#unanswered = commands.length;
    const [first, ...more] = commands.map((command) => {
      this.#lastRequestId += 1;
      return commandMessage(this.#lastRequestId, command);
    });
    this.#session.message(request.decode(request.encode({ ...first, more })));
    return this.#done.promise;
  }
}
