/**
 * What goes may go, and what is to go goes: nothing is forgotten that somebody works on or that only the
 * coordinator knows, nothing by itself before its time, and nothing that a coordinator would make anew.
 */
import type { Coordinator } from '../actors/coordinator.ts';
import type { JobTwin } from '../truth/job-twin.ts';
import type { LandedRecord, Truth } from '../truth/truth.ts';
import type { World } from '../world/world.ts';

const NAME = 'jobs go in their time';
/** A leader looks at its next tick, and writes then. */
const LATE_MS = 1500;

export function checkForgotten(world: World, truth: Truth, { record, twin }: LandedRecord): void {
  if (record.type !== 'job_forgotten' || twin === null) return;
  const { phase, nodes, completedUnixMs, spec } = twin;
  const fail = (why: string): void => world.fail(NAME, `${spec.jobId} is forgotten, and ${why}`);
  if (phase === 'running' || phase === 'finalizing') fail(`is ${phase}`);
  if (nodes.size > 0) fail(`has nodes: ${[...nodes.keys()].join(', ')}`);
  for (const { id, ended } of twin.leases.values()) if (ended === null) fail(`${id} is held`);
  if (world.scene.jobsAtStart) fail('would be made anew at the next start of a coordinator');
  if (record.why === 'operator') {
    if (!world.scene.forgets) fail('nobody asked for it');
    return;
  }
  const { keepJobs } = world.scene;
  if (phase !== 'completed') fail(`is ${phase}`);
  if (keepJobs === null) return fail('jobs are kept');
  const ageMs = record.atUnixMs - (completedUnixMs ?? 0);
  if (ageMs < keepJobs.keepMs) fail(`completed ${ageMs} ms ago`);
  const others = [...truth.jobs.values()].filter((one) => one.phase === 'completed').length - 1;
  if (others < keepJobs.latest) fail(`${others} completed ones are left`);
}

/** At the end of a world: what is old and not among the last is gone. */
export function checkAllGone(world: World, truth: Truth, leader: Coordinator | undefined): void {
  const { keepJobs, jobsAtStart } = world.scene;
  if (keepJobs === null || jobsAtStart || leader === undefined) return;
  if (world.nowMs - leader.servingSinceMs < LATE_MS) return;
  const over = [...truth.jobs.values()].filter(({ phase }) => phase === 'completed');
  const nowUnixMs = leader.process.unixMs();
  const isLate = ({ completedUnixMs, nodes, seq }: JobTwin): boolean =>
    nodes.size === 0 &&
    seq < truth.tailSeq &&
    nowUnixMs - (completedUnixMs ?? 0) >= keepJobs.keepMs + LATE_MS;
  const late = over.filter(isLate);
  if (over.length <= keepJobs.latest || late.length === 0) return;
  world.fail(NAME, `${late.map(({ spec }) => spec.jobId).join(', ')} completed long ago and stays`);
}
