/**
 * A node that holds leases of a job for a loader: the shell around the lease holder. It makes the calls
 * the machine asks for, keeps its one timer, and passes on which leases came and went.
 */
import { assert } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { LeaseId } from '../core/base/units.ts';
import type { Lease, NodeCaps, NodeStats, Registered } from '../core/job/protocol.ts';
import type {
  HolderAnswer,
  HolderCall,
  HolderEffect,
  HolderEvent,
  NodeOutcome,
} from '../core/node/holder-protocol.ts';
import type { HolderOptions, HolderState } from '../core/node/holder-state.ts';
import { holderWakeMs, newHolder, stepHolder } from '../core/node/lease-holder.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { CoordinatorClient, NodeIdentity, Push } from '../ports/coordinator-client.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { StoreSharer } from '../ports/store-sharer.ts';

export interface NodeSessionOptions {
  readonly client: CoordinatorClient;
  readonly node: NodeIdentity;
  readonly caps: NodeCaps;
  readonly resumeFrom: Uint8Array;
  readonly holder: HolderOptions;
  readonly clock: Clock;
  readonly events: EventSink;
  /** For heartbeats: as it is at that moment. */
  readonly stats: () => NodeStats;
  readonly stores: StoreSharer;
  readonly onRegistered: (answer: Registered) => void;
  readonly onLease: (lease: Lease) => void;
  readonly onLeaseLost: (leaseId: LeaseId) => void;
  readonly onEnded: (outcome: NodeOutcome) => void;
}

type WithoutTime<T> = T extends unknown ? Omit<T, 'nowMs'> : never;

const OK: HolderAnswer = { type: 'ok' };

export class NodeSession {
  readonly #options: NodeSessionOptions;
  readonly #state: HolderState;
  readonly #held: Set<LeaseId> = new Set();
  #timer: TimerHandle | null = null;
  #ended: boolean = false;
  #disconnects: number = 0;

  constructor(options: NodeSessionOptions) {
    this.#options = options;
    this.#state = newHolder(options.holder, options.clock.nowMs());
    options.client.onPush((push) => this.#onPush(push));
  }

  get disconnects(): number {
    return this.#disconnects;
  }

  start(): void {
    this.tell({ type: 'start' });
  }

  /** Everything of the lease below `cursor` is done with. */
  delivered(leaseId: LeaseId, cursor: number, samples: number, bytes: number): void {
    this.tell({ type: 'delivered', leaseId, cursor, samples, bytes });
  }

  /** Reports what is done, gives back the rest, and leaves; `onEnded` follows. */
  wind(): void {
    this.tell({ type: 'stop_requesting' });
    for (const leaseId of this.#held) this.tell({ type: 'release', leaseId });
  }

  /** Leaves at once. Nothing is heard any more afterwards. */
  cut(): void {
    this.tell({ type: 'leave', outcome: { type: 'stopped' } });
    this.#ended = true;
    this.#timer?.clear();
  }

  tell(event: WithoutTime<HolderEvent>): void {
    if (this.#ended) return;
    const nowMs = this.#options.clock.nowMs();
    for (const effect of stepHolder(this.#state, { ...event, nowMs })) this.#carryOut(effect);
    this.#arm();
  }

  #arm(): void {
    this.#timer?.clear();
    const wakeMs = this.#ended ? null : holderWakeMs(this.#state);
    if (wakeMs === null) return;
    const { clock } = this.#options;
    const waitMs = Math.ceil(Math.max(0, elapsedMs(clock.nowMs(), wakeMs)));
    this.#timer = clock.setTimer(waitMs, () => this.tell({ type: 'tick' }));
  }

  #carryOut(effect: HolderEffect): void {
    const { events, node } = this.#options;
    switch (effect.type) {
      case 'call':
        this.#call(effect.callId, effect.call);
        return;
      case 'registered':
        this.#options.onRegistered(effect.answer);
        return;
      case 'lease_started':
        this.#held.add(effect.lease.leaseId);
        this.#options.onLease(effect.lease);
        return;
      case 'lease_lost':
        this.#held.delete(effect.leaseId);
        this.#options.onLeaseLost(effect.leaseId);
        return;
      case 'lease_finished':
      case 'lease_released':
        this.#held.delete(effect.leaseId);
        return;
      case 'ended':
        this.#ended = true;
        this.#options.onEnded(effect.outcome);
        return;
      case 'fact':
        events.emit(effect.level, effect.event, { ...effect.fields, node_id: node.nodeId });
        return;
      case 'lease_shortened':
      case 'piece_committed':
      case 'finalize_granted':
        assert(false, 'a loader commits no outputs');
        return;
      default:
        effect satisfies never;
    }
  }

  #call(callId: number, call: HolderCall): void {
    this.#make(call).then(
      (answer) => this.tell({ type: 'answered', callId, answer }),
      (error: unknown) => this.tell({ type: 'call_failed', callId, ...failureOf(error) }),
    );
  }

  async #make(call: HolderCall): Promise<HolderAnswer> {
    const { client, node, caps, resumeFrom } = this.#options;
    switch (call.type) {
      case 'register':
        return client.register({ ...node, ...call.known }, caps, resumeFrom);
      case 'heartbeat':
        await this.#beat();
        return OK;
      case 'request_leases':
        return client.requestLeases(node, call.want, call.held);
      case 'progress':
        return { type: 'accepted', ...(await client.reportProgress(node, call)) };
      case 'renew':
        return { type: 'renewed', ends: await client.renew(node, call.leaseIds) };
      case 'release':
        await client.release(node, call.leaseId);
        return OK;
      case 'leave':
        await client.leave(node);
        return OK;
      case 'commit':
      case 'fail_job':
      case 'request_finalize':
      case 'complete_job':
        throw new Mx8Error('internal', `A loader was asked to call ${call.type}.`);
      default:
        return call satisfies never;
    }
  }

  async #beat(): Promise<void> {
    const { client, node, stats, stores, clock } = this.#options;
    // A share counts from before it was asked for.
    const askedMs = clock.nowMs();
    stores.hear(await client.heartbeat(node, stats(), stores.reports()), askedMs);
  }

  #onPush(push: Push): void {
    switch (push.type) {
      case 'lease_revoked':
      case 'job_failed':
      case 'work_waits':
        this.tell(push);
        return;
      case 'drain':
        this.#options.events.emit('info', 'node_draining', { reason: push.reason });
        this.wind();
        return;
      case 'tuned':
        // A program's own caps are part of its options; how many leases it holds may be moved.
        if (push.tuning.want !== null) this.tell({ type: 'want', want: push.tuning.want });
        return;
      case 'connected':
      case 'disconnected':
        if (push.type === 'disconnected') this.#disconnects += 1;
        this.tell(push);
        return;
      default:
        push satisfies never;
    }
  }
}

function failureOf(error: unknown): {
  readonly code: Mx8Error['code'];
  readonly message: string;
} {
  if (error instanceof Mx8Error) return { code: error.code, message: error.message };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}
