/**
 * What kind of world a seed stands for: sizes, what the jobs are, which faults there are and how often.
 * Each seed has some of the faults and not all: many faults at once hide what few would show.
 */
import { jobId, type JobId, manifestHash } from '../../src/core/base/units.ts';
import { encodeCheckpoint } from '../../src/core/job/checkpoint.ts';
import type { JobRetention, JobSpec } from '../../src/core/job/protocol.ts';
import { Chance } from './world/chance.ts';
import type { Midway } from './world/midway.ts';

export const LEASE_TTL_MS = 1600;
/** In one world of eight. */
const SHORT_LEASE_TTL_MS = 1100;
export const LEADER_TTL_MS = 1000;
/** How long a message travels at most where all are far from each other. */
export const FAR_MS = 250;
/** Standbys read the log unasked so often, and otherwise when the store tells them of something. */
export const FOLLOW_MS = 500;

/** Of a thousand worlds: so many begin when most of their job is done. */
const MIDWAY_PERMILLE = 800;
/** Jobs that such worlds choose from. */
const MIDWAY_JOBS = 32;

export interface FaultRates {
  /** Of a thousand messages between nodes and coordinators. */
  readonly lost: number;
  readonly doubled: number;
  readonly late: number;
  /** Of a thousand calls of the store. */
  readonly storeAnswerLost: number;
  readonly storeRequestLost: number;
  readonly storeRequestLate: number;
  readonly storeRefused: number;
  readonly storeWriteFailed: number;
  /** Of a thousand moments at which a coordinator's phase changed: something strikes it right there. */
  readonly aimed: number;
  /** Of a thousand appends whose answer is lost: the lead ends right there. */
  readonly inTheDark: number;
  /** Milliseconds between two faults that strike at any time; 0 for none. */
  readonly everyMs: number;
}

export type Strike =
  | 'kill coordinator'
  | 'short pause'
  | 'long pause'
  | 'stall'
  | 'wall clock'
  | 'monotonic clock'
  | 'cut store'
  | 'cut nodes'
  | 'one way'
  | 'reset'
  | 'kill node'
  | 'pause node'
  | 'cut node'
  | 'double id'
  | 'lose node'
  | 'hand over'
  | 'rolling restart'
  | 'revoke lead';

const STRIKES: readonly Strike[] = [
  'kill coordinator',
  'short pause',
  'long pause',
  'stall',
  'wall clock',
  'monotonic clock',
  'cut store',
  'cut nodes',
  'one way',
  'reset',
  'kill node',
  'pause node',
  'cut node',
  'double id',
  'lose node',
  'hand over',
  'rolling restart',
  'revoke lead',
];

/** What an operator does while the job runs. */
export type Intervention =
  'drain' | 'fail' | 'begin run' | 'pause' | 'drain node' | 'release node' | 'release lease';

export interface Scene {
  readonly seed: number;
  /** Null: the world begins without any job. */
  readonly midway: Midway | null;
  readonly coordinators: number;
  readonly nodes: number;
  /** One job, or two on the same data. */
  readonly jobs: readonly JobSpec[];
  /** A checkpoint that the nodes of the first job register with; empty for none. */
  readonly resumeFrom: Uint8Array;
  readonly resumed: readonly (readonly [number, number])[];
  /** Shared by all on one machine, or of several machines in etcd's model. */
  readonly store: 'one machine' | 'many machines';
  /** With many machines: the election is on the same store, under its leases. */
  readonly electsByStore: boolean;
  readonly want: number;
  readonly workMs: number;
  /** How many times as long the first node takes for its work. */
  readonly slowness: number;
  /** Leases a node works on in one go, and how often it does only part of one. */
  readonly workAtOnce: number;
  readonly partly: number;
  readonly quarantines: number;
  readonly snapshotEntries: number;
  readonly queueMax: number;
  readonly storeDelayMs: number;
  /** How long a client waits at most for an answer that does not come. */
  readonly silenceMs: number;
  readonly networkDelayMs: number;
  /** Between two looks of a leader for leases that have ended. */
  readonly tickMs: number;
  /** How far the rates of the machines' clocks are from the world's, in parts of a thousand. */
  readonly driftPermille: number;
  /** Clocks beyond what leases are built for: nothing may go wrong but deliveries that overlap. */
  readonly wildClocks: boolean;
  readonly strikes: readonly Strike[];
  readonly rates: FaultRates;
  readonly interventions: readonly Intervention[];
  /** Which completed jobs stay; null: all. */
  readonly keepJobs: JobRetention | null;
  /** The operator wants the jobs forgotten, and says so until they are. */
  readonly forgets: boolean;
  /** How many jobs that were forgotten the operator makes again, under their names. */
  readonly again: number;
  /** Whoever starts nodes sees their processes end, and tells the leader. */
  readonly tellsOfDeaths: boolean;
  /** Somebody speaks in the nodes' names and has everything wrong. */
  readonly hasStranger: boolean;
  /** Each coordinator was told of the jobs at its start, and creates what is not there. */
  readonly jobsAtStart: boolean;
  /** When everything is healed. */
  readonly healAtMs: number;
}

/** The id that nodes name, whether the job has it or takes it from them. */
export const NODES_JOB: JobId = jobId('job-a');
const HASH = manifestHash('5e'.repeat(32));

export function sceneOf(seed: number): Scene {
  const common = commonScene(seed);
  // Whoever starts nodes gives each an id of its own.
  const tellsOfDeaths = common.tellsOfDeaths && !common.strikes.includes('double id');
  const scene = { ...common, tellsOfDeaths };
  if (seed % 8 === 5 && scene.networkDelayMs < FAR_MS) return hurried(scene);
  return seed % 16 === 7 ? darkened(scene) : scene;
}

/** Leases hardly outlive a fail-over, and nodes hold fewer of them: what is due meets what is late more often. */
function hurried(scene: Scene): Scene {
  const jobs = scene.jobs.map((spec) => ({ ...spec, leaseTtlMs: SHORT_LEASE_TTL_MS }));
  return { ...scene, jobs, want: scene.want >> 1 };
}

/** The store often does what it is asked and falls silent, and the next leader trims soon. */
function darkened(scene: Scene): Scene {
  const { rates } = scene;
  return {
    ...scene,
    store: 'many machines',
    snapshotEntries: 4,
    silenceMs: 900,
    rates: { ...rates, storeAnswerLost: 100, inTheDark: 300 },
  };
}

function commonScene(seed: number): Scene {
  const chance = new Chance(seed ^ 0x5ca1ab1e);
  const isMidway = chance.happens(MIDWAY_PERMILLE);
  // What was done on a job before is worked out once for each job.
  const jobSeed = isMidway ? chance.below(MIDWAY_JOBS) : seed;
  const ofJob = isMidway ? new Chance(jobSeed ^ 0x00b5e11e) : chance;
  const slowness = new Chance(jobSeed ^ 0x51047e55).pick([1, 1, 5, 12]);
  // There is a tail to split off only of leases that are worked on in many parts.
  const blockSize = ofJob.between(1, 4) * (slowness === 1 ? 1 : 8);
  const base = specOf(ofJob, jobSeed, blockSize, isMidway);
  const midway = isMidway
    ? { rangesLeft: ofJob.between(16, 40), isHeld: ofJob.happens(150) }
    : null;
  const twoJobs = !isMidway && chance.happens(250);
  const jobs = twoJobs ? splitJobs(base, blockSize) : [base];
  const mayResume = !twoJobs && !isMidway && !base.commitsOutputs;
  const resumed = mayResume && chance.happens(400) ? doneOf(chance, base) : [];
  const wildClocks = chance.happens(60);
  // Answers that take long, and leases that are worked on until they run out: what counts is from when one counts. A client
  // whose clock runs twice as fast as well would give up before any answer can come.
  const isFar = chance.happens(60) && !wildClocks;
  return {
    seed,
    midway,
    coordinators: 3,
    nodes: 5,
    jobs,
    resumed,
    resumeFrom: resumed.length === 0 ? new Uint8Array(0) : checkpointOf(base, resumed),
    store: chance.happens(600) ? 'many machines' : 'one machine',
    ...(isFar ? { want: 24, workAtOnce: 2 } : paceOf(chance, isMidway)),
    // A slow node that is far as well would not be done with such leases in the time that is watched.
    workMs: isFar && slowness === 1 ? chance.between(200, 400) : workMsOf(chance),
    slowness,
    partly: chance.pick([0, 100, 300]),
    quarantines: chance.pick([0, 0, 50]),
    snapshotEntries: chance.pick([6, 12, 30, 1000]),
    queueMax: chance.happens(150) ? 12 : 65_536,
    storeDelayMs: chance.pick([5, 15, 30]),
    silenceMs: 350,
    networkDelayMs: isFar ? FAR_MS : chance.pick([3, 10, 30]),
    // Who counts a lease from the answer is wrong by as long as that travels, which a rare look would not see.
    tickMs: isFar ? 50 : 250,
    driftPermille: wildClocks ? 0 : chance.pick([0, 10, 30]),
    wildClocks,
    strikes: STRIKES.filter(() => chance.happens(350)),
    rates: ratesOf(chance),
    interventions: interventionsOf(chance, twoJobs),
    // Of a chance of their own, so that the other worlds stay as they were.
    tellsOfDeaths: new Chance(seed ^ 0x0dead70d).happens(500),
    ...forgettingOf(new Chance(seed ^ 0x0f026e77), slowness > 1 || isFar),
    electsByStore: chance.happens(600),
    hasStranger: chance.happens(400),
    jobsAtStart: chance.happens(300),
    // Where answers take long, leases have to run out before that.
    healAtMs: isFar ? chance.between(2500, 4500) : chance.between(600, 1600),
  };
}

/** Where less is left to do, nodes hold less and go in smaller steps: all of them have something. */
function paceOf(chance: Chance, isMidway: boolean): Pick<Scene, 'want' | 'workAtOnce'> {
  return isMidway
    ? { want: chance.between(4, 8), workAtOnce: chance.between(3, 8) }
    : { want: chance.between(12, 32), workAtOnce: chance.between(8, 20) };
}

function specOf(chance: Chance, seed: number, blockSize: number, isMidway: boolean): JobSpec {
  const samples = 200 * blockSize - chance.below(blockSize);
  const commitsOutputs = chance.happens(500);
  const adoptsFirstJobId = !isMidway && chance.happens(200);
  return {
    jobId: adoptsFirstJobId ? jobId('unnamed') : NODES_JOB,
    manifestHash: HASH,
    sampleCount: samples,
    blockSize,
    worldSize: 5,
    minWorldSize: chance.between(1, 4),
    shuffle: chance.happens(500),
    seed: BigInt(seed),
    epoch: chance.below(3),
    leaseTtlMs: LEASE_TTL_MS,
    // Most jobs are done within a second: in some nodes are heard of often by then.
    heartbeatIntervalMs: seed % 8 === 3 ? 250 : 900,
    commitsOutputs,
    adoptsFirstJobId,
  };
}

function splitJobs(base: JobSpec, blockSize: number): readonly JobSpec[] {
  const half = { sampleCount: 100 * blockSize, minWorldSize: 1 };
  return [
    { ...base, ...half, adoptsFirstJobId: false, jobId: NODES_JOB, worldSize: 3 },
    { ...base, ...half, adoptsFirstJobId: false, jobId: jobId('job-b'), worldSize: 3 },
  ];
}

function doneOf(chance: Chance, spec: JobSpec): readonly (readonly [number, number])[] {
  const done: (readonly [number, number])[] = [];
  let at = chance.below(20);
  while (done.length < 5) {
    const end = Math.min(spec.sampleCount, at + chance.between(1, 15));
    if (end <= at) break;
    done.push([at, end]);
    at = end + chance.between(1, 30);
  }
  return done;
}

function checkpointOf(spec: JobSpec, done: readonly (readonly [number, number])[]): Uint8Array {
  return encodeCheckpoint({ ...spec, done: done.map(([start, end]) => ({ start, end })) });
}

function workMsOf(chance: Chance): number {
  return chance.happens(120) ? chance.between(400, 1000) : chance.between(60, 200);
}

function ratesOf(chance: Chance): FaultRates {
  const lossy = chance.happens(500);
  const badStore = chance.happens(500);
  return {
    lost: lossy ? chance.pick([0, 20, 80]) : 0,
    doubled: lossy ? chance.pick([0, 30, 150]) : 0,
    late: lossy ? chance.pick([0, 30, 100]) : 0,
    storeAnswerLost: badStore ? chance.pick([0, 20, 60]) : 0,
    storeRequestLost: badStore ? chance.pick([0, 20, 60]) : 0,
    storeRequestLate: badStore ? chance.pick([0, 20, 60]) : 0,
    storeRefused: badStore ? chance.pick([0, 20, 60]) : 0,
    storeWriteFailed: badStore ? chance.pick([0, 10]) : 0,
    aimed: chance.pick([0, 4, 12]),
    inTheDark: 0,
    everyMs: chance.pick([0, 150, 400]),
  };
}

/** Of a chance of its own, so that the other worlds stay as they were. */
function forgettingOf(
  chance: Chance,
  takesLong: boolean,
): Pick<Scene, 'keepJobs' | 'forgets' | 'again'> {
  const keepMs = chance.pick([0, 0, 150, 700]);
  const keepJobs = chance.happens(250) ? { latest: chance.pick([0, 0, 1]), keepMs } : null;
  const forgets = chance.happens(120);
  const isForgotten = keepJobs !== null || forgets;
  const again = isForgotten && !takesLong && chance.happens(600) ? 1 : 0;
  return { keepJobs, forgets, again };
}

function interventionsOf(chance: Chance, twoJobs: boolean): readonly Intervention[] {
  if (twoJobs) return [];
  const all: readonly Intervention[] = [
    'drain',
    'fail',
    'begin run',
    'pause',
    'drain node',
    'release node',
    'release lease',
  ];
  return all.filter(() => chance.happens(90));
}
