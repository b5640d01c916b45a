/**
 * The agent: a shell around the node's machine. It makes the calls, runs the worker processes, publishes
 * what has been committed and, when its turn comes, finishes the job's output. Every decision is the
 * machine's.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { JobSpec, NodeStats } from '../core/job/protocol.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { HolderCall, NodeOutcome } from '../core/node/holder-protocol.ts';
import {
  newNode,
  nodeWakeMs,
  stepNode,
  type NodeEffect,
  type NodeEvent,
  type NodeState,
} from '../core/node/node-machine.ts';
import { checkOutputOutside, claimOutput, finalizeOutput } from '../job/index.ts';
import type { TimerHandle } from '../ports/clock.ts';
import type { AgentFigures } from '../ports/agent-figures.ts';
import { processVariables } from '../platform/variables.ts';
import type { OutputStore } from '../ports/output-store.ts';
import type { Places } from '../ports/place.ts';
import { openOutput } from '../storage/output-stores.ts';
import { OpenPlaces } from '../storage/places.ts';
import type { NodeIdentity, Push } from '../ports/coordinator-client.ts';
import { asFailure, makeCall } from './calls.ts';
import { ProcessCrew, type WithoutTime } from './crew-of-processes.ts';
import { LEAVE_TIMEOUT_MS, READ_RETRY_BASE_MS, READ_RETRY_MAX_MS } from './limits.ts';
import { ManifestRecords } from './manifest-records.ts';
import { AgentMeters } from './meters.ts';
import { compileAgentOptions, type AgentOptions, type CompiledAgentOptions } from './options.ts';
import { Publisher } from './publisher.ts';
import { StoreDesk } from './store-desk.ts';
import { Tuner } from './tuner.ts';
import { heapMiB, workerSettings } from './worker-plan.ts';

export type AgentOutcome = NodeOutcome;

export interface AgentHandle {
  /** Resolves, never rejects, when the agent's part is over and no process of it is left. */
  readonly done: Promise<AgentOutcome>;
  /** What its metrics are made of. */
  figures(): AgentFigures;
  /** Process ids of the workers that run now; for tests and screens. */
  readonly workerPids: readonly number[];
  /**
   * Stops asking for leases, finishes the batches in hand, commits them, gives the rest back and leaves,
   * within `drainTimeoutMs`; what is not finished by then is given up.
   */
  drain(reason?: string): Promise<AgentOutcome>;
  /** Leaves at once; what is not committed is done again by others. */
  stop(): Promise<AgentOutcome>;
}

/** Starts in the background; whatever goes wrong is the outcome. */
export function startAgent(options: AgentOptions): Promise<AgentHandle> {
  const agent = new Agent(compileAgentOptions(options));
  agent.start();
  return Promise.resolve(agent);
}

class Agent implements AgentHandle {
  readonly #options: CompiledAgentOptions;
  readonly #node: NodeIdentity;
  readonly #state: NodeState;
  readonly #crew: ProcessCrew;
  readonly #places: Places;
  /** Null where nothing is written. */
  readonly #out: OutputStore | null;
  readonly #publisher: Publisher | null;
  readonly #meters: AgentMeters = new AgentMeters();
  readonly #tuner: Tuner;
  readonly #over: AbortController = new AbortController();
  readonly #manifest: ManifestRecords;
  readonly #stores: StoreDesk;
  readonly done: Promise<AgentOutcome>;
  #resolve: (outcome: AgentOutcome) => void = () => undefined;
  #timer: TimerHandle | null = null;
  #leaveTimer: TimerHandle | null = null;
  #spec: JobSpec | null = null;
  #claim: Promise<void> | null = null;
  #finalizations = 0;
  #ended = false;
  /** True when what is in hand is not waited for. */
  #isGivingUp = false;

  constructor(options: CompiledAgentOptions) {
    this.#options = options;
    this.#tuner = new Tuner(options);
    this.#stores = new StoreDesk(options.clock);
    const { clock, random, jobId, nodeId, work } = options;
    const instanceId = hex(random.bytes(8));
    this.#node = { jobId, nodeId, instanceId };
    this.#state = newNode(machineOptions(options), clock.nowMs());
    const onError = (error: unknown): void => this.#fail(error);
    const [variables, traffic] = [processVariables(), this.#stores.open()];
    const surroundings = { clock, random, events: options.events, variables, traffic };
    this.#places = new OpenPlaces(options.stores, surroundings);
    this.#out = work.type === 'job' ? openOutput(work.out, this.#places) : null;
    this.#publisher = this.#out === null ? null : new Publisher(this.#out, onError);
    const { signal } = this.#over;
    this.#manifest = new ManifestRecords({ ...options, nodeId: this.#node.nodeId, signal });
    this.#crew = new ProcessCrew({
      clock,
      events: options.events,
      settings: (slot) => workerSettings(options, slot, instanceId, this.#tuner.effective),
      heapMiB: heapMiB(options),
      writeLine: options.writeWorkerLine,
      tell: (event) => this.#tell(event),
      records: (start, end) => this.#records(start, end),
      mayBegin: (sinkKind, input) => this.#claimOutput(sinkKind, input),
      onMemory: (part) => {
        if (this.#tuner.onMemory(part)) this.#applyCaps();
      },
      meters: this.#meters,
      stores: this.#stores,
    });
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get workerPids(): readonly number[] {
    return this.#crew.pids;
  }

  figures(): AgentFigures {
    const { maxProcessRssBytes, workers } = this.#options;
    const [{ jobId, nodeId }, { maxInflightBytes }] = [this.#node, this.#tuner.effective];
    const caps = { ...this.#options.caps, maxInflightBytes };
    const [stats, meters] = [this.#stats(), this.#meters];
    return { jobId, nodeId, stats, caps, maxProcessRssBytes, workers, meters };
  }

  start(): void {
    this.#options.client.onPush((push) => this.#onPush(push));
    this.#tell({ type: 'start' });
  }

  drain(reason = 'it was asked to drain'): Promise<AgentOutcome> {
    const { clock, drainTimeoutMs, events } = this.#options;
    if (this.#ended) return this.done;
    events.emit('info', 'agent_draining', { node_id: this.#node.nodeId, reason });
    this.#tell({ type: 'drain' });
    this.#leaveTimer ??= clock.setTimer(drainTimeoutMs, () => {
      this.#leave({ type: 'drained', reason: `${reason}; some work in hand was given up` });
    });
    return this.done;
  }

  stop(): Promise<AgentOutcome> {
    this.#leave({ type: 'stopped' });
    return this.done;
  }

  #leave(outcome: AgentOutcome): void {
    this.#isGivingUp = true;
    this.#tell({ type: 'leave', outcome });
    if (this.#ended) return;
    // The last call may find nobody; nothing depends on it but how soon others get the rest.
    this.#leaveTimer?.clear();
    this.#leaveTimer = this.#options.clock.setTimer(LEAVE_TIMEOUT_MS, () => this.#end(outcome));
  }

  #tell(event: WithoutTime<NodeEvent>): void {
    if (this.#ended) return;
    const { clock } = this.#options;
    for (const effect of stepNode(this.#state, { ...event, nowMs: clock.nowMs() })) {
      this.#carryOut(effect);
    }
    this.#arm();
  }

  #arm(): void {
    this.#timer?.clear();
    this.#timer = null;
    if (this.#ended) return;
    const { clock } = this.#options;
    const wakeMs = nodeWakeMs(this.#state);
    if (wakeMs === null) return;
    const waitMs = Math.max(0, elapsedMs(clock.nowMs(), wakeMs));
    this.#timer = clock.setTimer(Math.ceil(waitMs), () => this.#tell({ type: 'tick' }));
  }

  #carryOut(effect: NodeEffect): void {
    const { events } = this.#options;
    switch (effect.type) {
      case 'call':
        this.#call(effect.callId, effect.call);
        return;
      case 'registered':
        this.#spec = effect.answer.spec;
        return;
      case 'piece_committed':
        if (!effect.repeated) this.#meters.onCommitted(effect.piece);
        this.#publisher?.add(effect.piece);
        return;
      case 'finalize_granted':
        this.#finalize(effect.finalizeToken).catch((error: unknown) => this.#fail(error));
        return;
      case 'ended':
        this.#end(effect.outcome);
        return;
      case 'fact':
        events.emit(effect.level, effect.event, { ...effect.fields, node_id: this.#node.nodeId });
        return;
      default:
        this.#crew.carryOut(effect);
    }
  }

  #call(callId: number, call: HolderCall): void {
    const ended = this.#measured(call);
    const around = { stats: () => this.#stats(), stores: this.#stores };
    makeCall(this.#options, this.#node, call, around).then(
      (answer) => {
        ended();
        this.#tell({ type: 'answered', callId, answer });
      },
      (error: unknown) => {
        const failure = asFailure(error);
        ended(failure.message);
        this.#tell({ type: 'call_failed', callId, ...failure });
      },
    );
  }

  /** Times a call; a commit is also a part of the life of its lease. */
  #measured(call: HolderCall): (failure?: string) => void {
    const { clock, tracer } = this.#options;
    const { jobId, nodeId } = this.#node;
    const startMs = clock.nowMs();
    const span =
      call.type === 'commit'
        ? tracer?.start(
            'mx8.commit',
            { jobId, leaseId: call.piece.leaseId },
            { 'mx8.node_id': nodeId, 'mx8.rows': call.piece.rows },
          )
        : undefined;
    return (failure) => {
      span?.end(failure);
      this.#meters.onCall(call.type, elapsedMs(startMs, clock.nowMs()));
    };
  }

  #stats(): NodeStats {
    const { rssHighWaterBytes, ...queues } = this.#crew.stats;
    return {
      ...queues,
      ...this.#tuner.stats,
      ramHighWaterBytes: Math.max(rssHighWaterBytes, process.resourceUsage().maxRSS * 1024),
      batchPayloadP95OverP50Milli: this.#meters.jitter.p95OverP50Milli,
      batchJitterSloBreachesTotal: this.#meters.jitter.breachesTotal,
    };
  }

  /** The caps have changed: whoever goes by them is told. */
  #applyCaps(): void {
    this.#crew.tune();
    this.#tell({ type: 'want', want: this.#tuner.effective.want });
  }

  #onPush(push: Push): void {
    this.#meters.onPush(push);
    switch (push.type) {
      case 'tuned':
        this.#tuner.tune(push.tuning);
        this.#applyCaps();
        return;
      case 'lease_revoked':
      case 'job_failed':
      case 'work_waits':
      case 'disconnected':
      case 'connected':
        this.#tell(push);
        return;
      case 'drain':
        void this.drain(push.reason);
        return;
      default:
        push satisfies never;
    }
  }

  /** Makes the output folder this job's, once, before the first sample is worked on. */
  #claimOutput(sinkKind: string, input: string | null): Promise<void> {
    const { work, jobId } = this.#options;
    const { jobToken } = this.#state.holder;
    const [spec, out] = [this.#spec, this.#out];
    if (work.type !== 'job' || out === null || spec === null) return Promise.resolve();
    const inputManifestHash = spec.manifestHash;
    const claim = {
      ...{ jobId, inputManifestHash, sink: sinkKind },
      ...{ jobName: null, input: null, state: null },
      ...(jobToken === null ? {} : { jobToken }),
    };
    const claimed = async (): Promise<void> => {
      if (input !== null) await checkOutputOutside(input, work.out);
      await claimOutput(out, claim);
    };
    this.#claim ??= claimed().catch((error: unknown) => {
      // The fault of this agent's --out, not of the job: others go on.
      this.#leave({ type: 'failed', ...asFailure(error) });
      throw error;
    });
    return this.#claim;
  }

  async #records(start: number, end: number): Promise<readonly SampleRecord[]> {
    const spec = this.#spec;
    if (spec === null) throw new Mx8Error('internal', 'work before the registration');
    return this.#manifest.records(spec, start, end);
  }

  async #patiently<T>(read: () => Promise<T>): Promise<T> {
    const { clock } = this.#options;
    for (let waitMs = READ_RETRY_BASE_MS; ; waitMs = Math.min(READ_RETRY_MAX_MS, waitMs * 2)) {
      try {
        return await read();
      } catch (error) {
        if (!(error instanceof Mx8Error && error.retryable)) throw error;
      }
      await clock.sleep(waitMs, this.#over.signal);
    }
  }

  async #finalize(finalizeToken: string): Promise<void> {
    const { client, jobId, events } = this.#options;
    const [spec, out] = [this.#spec, this.#out];
    if (out === null || spec === null) throw new Mx8Error('internal', 'nothing to finalize');
    await this.#publisher?.idle();
    const { signal } = this.#over;
    const { outputManifestHash, wasDone } = await this.#patiently(() => {
      this.#finalizations += 1;
      return finalizeOutput({
        out,
        pieces: client.committedPieces(jobId),
        sampleCount: spec.sampleCount,
        nonce: `${this.#node.instanceId}-${this.#finalizations}`,
        signal,
      });
    });
    const fields = { output_manifest_hash: outputManifestHash, was_done: wasDone };
    events.emit('info', 'output_finalized', fields);
    this.#tell({ type: 'finalized', finalizeToken, outputManifestHash });
  }

  #fail(error: unknown): void {
    if (!this.#over.signal.aborted) this.#tell({ type: 'fail', ...asFailure(error) });
  }

  #end(outcome: AgentOutcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer?.clear();
    this.#leaveTimer?.clear();
    this.#over.abort(new Mx8Error('interrupted', 'the agent has ended'));
    this.#settle(outcome).catch((error: unknown) => {
      this.#options.events.emit('error', 'agent_end_failed', asFailure(error));
      this.#resolve(outcome);
    });
  }

  /** What was committed is published before the agent is done; others would do it otherwise. */
  async #settle(outcome: AgentOutcome): Promise<void> {
    await this.#crew.dismiss(this.#isGivingUp);
    await this.#publisher?.idle();
    await this.#manifest.close();
    await this.#places.close();
    this.#stores.close();
    const { type } = outcome;
    this.#options.events.emit('info', 'agent_ended', { node_id: this.#node.nodeId, outcome: type });
    this.#resolve(outcome);
  }
}

function machineOptions(options: CompiledAgentOptions): Parameters<typeof newNode>[0] {
  const { want, workers, work, onError, stallTimeoutMs, progressIntervalMs, random } = options;
  const stages = work.type === 'job';
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4);
  const seed = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  const { nodeIdBusyMaxMs } = options;
  return {
    holder: { want, progressIntervalMs, finalizes: stages, nodeIdBusyMaxMs, seed },
    crew: {
      workers,
      stages,
      stallTimeoutMs,
      onError,
      jobFile: work.type === 'job' ? work.jobFile : null,
    },
  };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
