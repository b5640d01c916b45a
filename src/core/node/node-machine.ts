/**
 * An agent's decisions: the lease holder and the supervision of workers, joined. The shell in
 * `src/agent/` makes the calls, starts the processes and publishes the outputs that the effects name.
 *
 * What one says to the other: a lease that starts or ends is an assignment that comes or goes; what a
 * worker delivers, stages or gives back goes to the coordinator; what makes the job impossible ends it.
 */
import type { ErrorCode } from '../base/errors.ts';
import type { MonoMs } from '../base/units.ts';
import { monoMs } from '../base/units.ts';
import type { Registered } from '../job/protocol.ts';
import { crewWakeMs, newCrew, stepCrew } from './crew.ts';
import type { CrewEffect, CrewEvent } from './crew-protocol.ts';
import type { CrewOptions, CrewState } from './crew-state.ts';
import type { HolderEffect, HolderEvent } from './holder-protocol.ts';
import type { HolderOptions, HolderState } from './holder-state.ts';
import { holderWakeMs, newHolder, stepHolder } from './lease-holder.ts';

export interface NodeOptions {
  readonly holder: HolderOptions;
  readonly crew: CrewOptions;
}

export interface NodeState {
  readonly holder: HolderState;
  readonly crew: CrewState;
}

type FromShell = Extract<
  HolderEvent,
  {
    type:
      | 'start'
      | 'answered'
      | 'call_failed'
      | 'lease_revoked'
      | 'want'
      | 'job_failed'
      | 'work_waits'
      | 'disconnected'
      | 'connected'
      | 'leave'
      | 'fail'
      | 'finalized';
  }
>;
type FromWorkers = Exclude<
  CrewEvent,
  { type: 'lease_started' | 'lease_gone' | 'lease_shortened' | 'wind_down' | 'tick' }
> & { readonly nowMs: MonoMs };

export type NodeEvent =
  | FromShell
  | FromWorkers
  | { readonly type: 'tick'; readonly nowMs: MonoMs }
  /** Ask for nothing more, finish the batches in hand, commit them, release the rest, leave. */
  | { readonly type: 'drain'; readonly nowMs: MonoMs };

type ForShell = Extract<
  HolderEffect,
  { type: 'call' | 'registered' | 'piece_committed' | 'finalize_granted' | 'ended' | 'fact' }
>;
type ForWorkers = Extract<CrewEffect, { type: 'spawn' | 'kill' | 'start_work' | 'stop_work' }>;

export type NodeEffect = ForShell | ForWorkers;

export function newNode(options: NodeOptions, nowMs: MonoMs): NodeState {
  return { holder: newHolder(options.holder, nowMs), crew: newCrew(options.crew, nowMs) };
}

/** When to send the next `tick`; null when nothing is due before something else happens. */
export function nodeWakeMs(state: NodeState): MonoMs | null {
  if (state.holder.mode.type === 'ended') return null;
  const holder = holderWakeMs(state.holder);
  const crew = crewWakeMs(state.crew);
  if (holder === null || crew === null) return holder ?? crew;
  return monoMs(Math.min(holder, crew));
}

export function stepNode(state: NodeState, event: NodeEvent): readonly NodeEffect[] {
  if (state.holder.mode.type === 'ended') return [];
  const out: NodeEffect[] = [];
  // In order of arrival: each machine hears of everything in the order in which it came about.
  const queue: Message[] = [...entry(event)];
  for (let message = queue.shift(); message !== undefined; message = queue.shift()) {
    if (message.to === 'holder') {
      for (const effect of stepHolder(state.holder, message.event)) {
        routeFromHolder(state, effect, event.nowMs, queue, out);
      }
    } else {
      for (const effect of stepCrew(state.crew, message.event, event.nowMs)) {
        routeFromCrew(effect, event.nowMs, queue, out);
      }
    }
  }
  return out;
}

type Message =
  | { readonly to: 'holder'; readonly event: HolderEvent }
  | { readonly to: 'crew'; readonly event: CrewEvent };

function entry(event: NodeEvent): readonly Message[] {
  const { nowMs } = event;
  const holderTick: Message = { to: 'holder', event: { type: 'tick', nowMs } };
  switch (event.type) {
    case 'tick':
      return [holderTick, { to: 'crew', event: { type: 'tick' } }];
    case 'start':
      return [
        { to: 'holder', event },
        { to: 'crew', event: { type: 'tick' } },
      ];
    case 'drain':
      return [
        { to: 'holder', event: { type: 'stop_requesting', nowMs } },
        { to: 'crew', event: { type: 'wind_down' } },
      ];
    case 'worker_ready':
    case 'worker_exited':
    case 'worker_failed':
    case 'batch_begun':
    case 'batch_done':
    case 'piece_staged':
    case 'work_done':
      // The tick first, so that a lease whose time has run out takes nothing more that was done on it.
      return [holderTick, { to: 'crew', event }];
    default:
      return [{ to: 'holder', event }];
  }
}

function routeFromHolder(
  state: NodeState,
  effect: HolderEffect,
  nowMs: MonoMs,
  queue: Message[],
  out: NodeEffect[],
): void {
  switch (effect.type) {
    case 'lease_started':
      queue.push({ to: 'crew', event: { type: 'lease_started', lease: effect.lease } });
      return;
    case 'lease_shortened':
      queue.push({ to: 'crew', event: effect });
      return;
    case 'lease_lost':
    case 'lease_finished':
    case 'lease_released':
      queue.push({ to: 'crew', event: { type: 'lease_gone', leaseId: effect.leaseId } });
      return;
    case 'registered': {
      out.push(effect);
      const refusal = kindRefusal(state.crew.options.stages, effect.answer);
      if (refusal === null) return;
      const outcome = { type: 'failed', ...refusal } as const;
      queue.push({ to: 'holder', event: { type: 'leave', nowMs, outcome } });
      return;
    }
    default:
      out.push(effect);
  }
}

function routeFromCrew(
  effect: CrewEffect,
  nowMs: MonoMs,
  queue: Message[],
  out: NodeEffect[],
): void {
  switch (effect.type) {
    case 'delivered':
    case 'piece_staged':
    case 'release':
    case 'fail':
      queue.push({ to: 'holder', event: { ...effect, nowMs } });
      return;
    default:
      out.push(effect);
  }
}

/** A job with outputs needs agents that make them, and the other way round. */
function kindRefusal(
  stages: boolean,
  answer: Registered,
): { readonly code: ErrorCode; readonly message: string } | null {
  const { jobId, commitsOutputs } = answer.spec;
  if (stages === commitsOutputs) return null;
  if (commitsOutputs) {
    const message = `job ${jobId} commits outputs: give the agent the job module that makes them`;
    return { code: 'job_commits_outputs', message };
  }
  const message = `job ${jobId} was submitted without outputs, and this agent was given a job module; submit the job with its module`;
  return { code: 'job_options_invalid', message };
}
