/**
 * Decisions about which jobs go. A completed one goes by age and number, once none of its nodes is left; one
 * that failed or was drained only by the word of a person, as nobody but the coordinator knows which of its
 * samples are committed; one that runs never. What was published stays where it is.
 */
import { DAY_MS } from '../base/retention.ts';
import { refused, type Refusal } from '../base/errors.ts';
import { forgetStores } from './decide-stores.ts';
import type { CoordinatorState, JobState } from './job-state.ts';
import type { Change, Operation } from './operations.ts';
import type { JobRetention, StepContext } from './protocol.ts';
import type { Transaction } from './transaction.ts';

export const JOB_RETENTION_DEFAULT: JobRetention = { latest: 100, keepMs: 7 * DAY_MS };

/**
 * Completed jobs that stay at most, however young: as many make a snapshot of 11 MiB, which is read in 0.4 s, and a tick of
 * 4 ms. A larger `latest` is kept.
 */
export const COMPLETED_JOBS_MAX = 10_000;

/** So that an entry stays small where thousands have piled up under a version that kept all. */
export const FORGOTTEN_PER_TICK_MAX = 100;

/** Nodes that a refusal names. */
const NODES_NAMED_MAX = 5;

/** Forgets the completed jobs that are old and not among the last ones, or too many, oldest first. */
export function forgetOld(tx: Transaction): void {
  const { keepJobs = null, nowUnixMs } = tx.context;
  if (keepJobs === null || tx.state.jobs.size <= keepJobs.latest) return;
  const over = [...tx.state.jobs.values()].filter(({ phase }) => phase === 'completed');
  const old = over.filter(({ endedUnixMs }) => nowUnixMs - endedUnixMs >= keepJobs.keepMs);
  const tooMany = over.length - Math.max(keepJobs.latest, COMPLETED_JOBS_MAX);
  const most = Math.max(tooMany, Math.min(old.length, over.length - keepJobs.latest));
  if (most <= 0) return;
  // Those that are old are the first of them.
  const gone = over
    .sort((a, b) => a.endedUnixMs - b.endedUnixMs)
    .slice(0, most)
    // A node that is still there asks how the job ended.
    .filter((job) => job.nodes.size === 0 && !isOwn(job, tx.context))
    .slice(0, FORGOTTEN_PER_TICK_MAX);
  for (const job of gone) forget(tx, job, 'age');
}

export function forget(tx: Transaction, job: JobState, why: 'age' | 'operator'): void {
  const { phase, spec } = job;
  forgetStores(tx, job);
  tx.emit({ type: 'job_forgotten', job: spec.jobId, why, atUnixMs: tx.context.nowUnixMs });
  tx.fact({ event: 'job_forgotten', jobId: spec.jobId, why, phase });
}

/**
 * Whether an operator asks for what was done before: an answer was lost, or another was quicker. A token is told of
 * jobs that are there, so one that no job has is of a job that was forgotten; which job has its name by now is no matter.
 */
export function isGone(state: CoordinatorState, operation: Operation): boolean {
  if (operation.type !== 'forget' || operation.jobToken === undefined) return false;
  for (const { token } of state.jobs.values()) if (token === operation.jobToken) return false;
  return true;
}

/** Why an operator cannot have it forgotten now, and what to do first; null when it may go. */
export function forgetRefusal(job: JobState, context: StepContext): Refusal | null {
  const why = whyNot(job, context);
  return why === null ? null : refused('job_in_use', why);
}

function whyNot(job: JobState, context: StepContext): string | null {
  const { jobId, leaseTtlMs, sampleCount } = job.spec;
  if (job.phase === 'running') {
    return `job ${jobId} is ${job.paused ? 'paused' : 'running'}, ${doneOf(job)} of ${sampleCount} samples done: without the coordinator nobody knows which; let it end, or give it up with mx8 drain --job-id ${jobId} and forget it then`;
  }
  if (job.phase === 'finalizing') {
    return `job ${jobId} is finalizing: all of it is committed and not all is published; an agent of the job does that, and it may be forgotten then`;
  }
  if (isOwn(job, context)) {
    return `job ${jobId} is one that the coordinator was started with: it would be made anew, and worked on again, at the next start; start the coordinators without it (mx8 submit gives them jobs while they run) and forget it then`;
  }
  if (job.nodes.size === 0) return null;
  return `job ${jobId} still has nodes: ${namesOf(job)}; a node goes when its agent ends, or is not heard of for ${leaseTtlMs} ms; forget the job then`;
}

export function forgetChange(job: JobState): Change {
  const { sampleCount } = job.spec;
  const from = `${job.phase}, ${doneOf(job)} of ${sampleCount} samples done`;
  return { what: 'job', from, to: 'forgotten; what it published stays' };
}

function doneOf({ work }: JobState): number {
  return work.committed + work.quarantined;
}

function isOwn({ spec, adoptedFrom }: JobState, { ownJobs }: StepContext): boolean {
  if (ownJobs === undefined) return false;
  return ownJobs.has(spec.jobId) || (adoptedFrom !== null && ownJobs.has(adoptedFrom));
}

function namesOf({ nodes }: JobState): string {
  const names = [...nodes.keys()].slice(0, NODES_NAMED_MAX).join(', ');
  const more = nodes.size - NODES_NAMED_MAX;
  return more > 0 ? `${names} and ${more} more` : names;
}
