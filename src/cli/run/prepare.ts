/** Everything a run settles before it starts a process: module, output folder, input, memory. */
import { availableParallelism } from 'node:os';
import { Mx8Error } from '../../core/base/errors.ts';
import { redactText } from '../../core/base/redact.ts';
import { type JobId, jobId } from '../../core/base/units.ts';
import { capAboveLimit, effectiveRssCap, rssCapFields } from '../../core/memory/rss-cap.ts';
import type { JobSpec } from '../../core/job/protocol.ts';
import {
  checkOutputOutside,
  claimOutput,
  inspectOutput,
  jobFileHash,
  type LoadedJob,
  loadJobModule,
  type OutputState,
} from '../../job/index.ts';
import { readMemoryLimits } from '../../platform/cgroup.ts';
import type { EventSink } from '../../ports/event-sink.ts';
import type { ManifestStore } from '../../ports/manifest-store.ts';
import type { Places } from '../../ports/place.ts';
import { type ResolvedLink, resolveLink } from '../../snapshots/index.ts';
import { openOutput, outputLocation } from '../../storage/output-stores.ts';
import { countText } from '../../view/format.ts';
import type { CommandIo } from '../command-io.ts';
import type { RunOptions } from './run-options.ts';
import { formatChoice, formatText } from '../format-choice.ts';
import { jobSpecOf } from '../job-spec.ts';
import { openManifestStore } from '../manifest-store.ts';
import { StoreTraffic } from '../../storage/http/store-traffic.ts';
import { randomId } from '../random-id.ts';
import { snapshotAgeText } from '../snapshot-age.ts';
import { openStores, storeArguments, storeOptions } from '../stores.ts';
import { runBlockSize } from './block-size.ts';
import { defaultWorkers, type MemoryPlan, planMemory } from './memory-plan.ts';
import { beginRunState, checkRunState, runStateFolder } from './run-state.ts';
import { tidyBefore } from './tidy-runs.ts';
import type { StatusScreen } from './status-screen.ts';

export interface PreparedRun {
  readonly name: string;
  /** Absolute. */
  readonly jobFile: string;
  /** An absolute path, or where it is in a store. */
  readonly out: string;
  /** Absolute. */
  readonly stateFolder: string;
  readonly spec: JobSpec;
  readonly manifests: ManifestStore;
  /** What this process itself has under way to stores. */
  readonly traffic: StoreTraffic;
  readonly memory: MemoryPlan;
  readonly workersPerNode: number;
  /** The same as one would type it here. */
  readonly outText: string;
  /** What to type to go on with this run. */
  readonly resumeCommand: string;
  /** What the input is where a plain link found an older snapshot; else null. */
  readonly snapshotAge: string | null;
}

export interface RunSurroundings {
  readonly io: CommandIo;
  readonly screen: StatusScreen;
  readonly events: EventSink;
}

export async function prepareRun(
  jobFile: string,
  options: RunOptions,
  surroundings: RunSurroundings,
): Promise<PreparedRun> {
  const { io, events } = surroundings;
  const loaded = await loadJobModule(jobFile, io);
  const { memory, workersPerNode } = memoryOf(options, events);
  const out = outputFolder(loaded, options);
  const traffic = new StoreTraffic(io.clock);
  const ports = { ...io, events, traffic };
  await using places = openStores(options, ports);
  const output = openOutput(out, places);
  const state = await inspectOutput(output);
  checkOccupancy(out, state, options);
  if (state.type === 'job') checkSameJob(out, state, loaded, options);
  const statePlace = { out, runState: options.runState };
  if (state.type === 'job') checkRunState(statePlace, state);
  const codeSha256 = await jobFileHash(loaded.path);
  if (state.type === 'job') sayCodeChanged(state, codeSha256, loaded, options, surroundings);
  const manifests = openManifestStore(options, ports, storeOptions(options));
  const input = await pinInput(loaded, options, state, manifests, places, surroundings);
  const id = state.type === 'job' ? state.claim.jobId : newJobId(loaded.name, io);
  await claimOutput(output, {
    jobId: id,
    inputManifestHash: input.hash,
    sink: loaded.job.output.kind,
    jobName: loaded.name,
    input: redactedInput(options.data ?? loaded.job.input),
    state: state.type === 'job' ? state.claim.state : await beginRunState(statePlace, id),
    codeSha256,
  });
  if (state.type !== 'job') await tidyBefore(statePlace, { ...io, events });
  return {
    name: loaded.name,
    jobFile: loaded.path,
    out,
    stateFolder: runStateFolder(statePlace, id),
    spec: specOf(id, input, loaded, workersPerNode, options),
    manifests,
    traffic,
    memory,
    workersPerNode,
    outText: options.out ?? loaded.job.output.dir ?? out,
    resumeCommand: resumeCommand(jobFile, options.out, options),
    snapshotAge: input.snapshotAge,
  };
}

/** As it can be pasted into a shell, with what the run was given. */
function resumeCommand(jobFile: string, out: string | null, options: RunOptions): string {
  const words = ['npx', 'mx8', 'run', jobFile];
  if (out !== null) words.push('--out', out);
  if (options.nodes !== 1) words.push('--nodes', String(options.nodes));
  if (options.ramBytes !== null) words.push('--ram-gb', String(options.ramBytes / 1024 ** 3));
  if (options.workers !== null) words.push('--workers', String(options.workers));
  if (options.onError !== 'fail') words.push('--on-error', options.onError);
  if (options.manifestStoreRoot !== null) words.push('--manifest-store', options.manifestStoreRoot);
  if (options.runState !== null) words.push('--run-state', options.runState);
  words.push(...storeArguments(options));
  return [...words, '--resume'].map(shellWord).join(' ');
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function specOf(
  id: JobId,
  input: { readonly hash: JobSpec['manifestHash']; readonly sampleCount: number },
  loaded: LoadedJob,
  workersPerNode: number,
  options: RunOptions,
): JobSpec {
  const { nodes } = options;
  const shape = { sampleCount: input.sampleCount, batchSize: loaded.job.batch };
  return jobSpecOf({
    ...options,
    jobId: id,
    manifestHash: input.hash,
    sampleCount: input.sampleCount,
    blockSize: options.blockSize ?? runBlockSize({ ...shape, nodes, workersPerNode }),
    worldSize: nodes,
    // Whoever is there begins: a node that starts late, or dies early, keeps nobody waiting.
    minWorldSize: 1,
    commitsOutputs: true,
  });
}

function memoryOf(
  options: RunOptions,
  events: EventSink,
): { readonly memory: MemoryPlan; readonly workersPerNode: number } {
  const { ramBytes, nodes, workers, maxInflightBytes, maxProcessRssBytes } = options;
  const wanted = { maxRamBytes: ramBytes, maxProcessRssBytes: null };
  const readings = readMemoryLimits();
  const cap = effectiveRssCap(wanted, readings);
  const tooMuch = capAboveLimit({ name: '--ram-gb', bytes: ramBytes }, readings);
  if (tooMuch !== null) events.emit('warn', 'memory_cap_above_limit', tooMuch);
  if (cap.derived) events.emit('info', 'rss_cap_defaulted', rssCapFields(cap));
  const totalBytes = cap.capBytes;
  const workersPerNode = workers ?? defaultWorkers({ totalBytes, nodes }, availableParallelism());
  const derivedFrom = cap.derived ? cap.source : null;
  const limits = { maxInflightBytes, maxProcessRssBytes, derivedFrom };
  return { memory: planMemory({ totalBytes, nodes, workersPerNode, ...limits }), workersPerNode };
}

function outputFolder(loaded: LoadedJob, options: RunOptions): string {
  const folder = options.out ?? loaded.job.output.dir;
  if (folder !== null) return outputLocation(folder);
  throw new Mx8Error(
    'flag_invalid',
    `job module ${loaded.path} names no output folder; say where the output goes with --out DIR`,
    { flag: 'out' },
  );
}

function checkOccupancy(out: string, state: OutputState, options: RunOptions): void {
  if (options.resume && state.type === 'free') {
    throw new Mx8Error(
      'output_nothing_to_resume',
      `there is nothing to resume in ${out}: it holds no job; run without --resume to start one`,
      { path: out },
    );
  }
  if (options.resume || state.type !== 'job') return;
  const isComplete = state.outputManifestHash !== null;
  throw new Mx8Error(
    'output_occupied',
    `output folder ${out} holds ${isComplete ? 'the finished' : 'an unfinished'} output of job ${state.claim.jobId}; ${isComplete ? 'choose another --out' : 'pass --resume to go on with it, or choose another --out'}`,
    { path: out, job_id: state.claim.jobId },
  );
}

/** An output is of one job over one input: going on with another would mix two in one folder. */
function checkSameJob(
  out: string,
  state: Extract<OutputState, { readonly type: 'job' }>,
  loaded: LoadedJob,
  options: RunOptions,
): void {
  const { jobName, input, jobId: id } = state.claim;
  const facts: readonly (readonly [string, string | null, string | null])[] = [
    ['job', jobName, loaded.name],
    // One that is signed anew is the same input.
    ['input', redactedInput(input), redactedInput(options.data)],
  ];
  for (const [what, has, wants] of facts) {
    if (has === null || wants === null || has === wants) continue;
    throw new Mx8Error(
      'output_occupied',
      `output folder ${out} holds the output of ${what} ${has}, not of ${wants}; go on with ${has}, or choose another --out`,
      { path: out, job_id: id },
    );
  }
}

/** Mending process() and going on is meant to be possible; that the output has rows of both is said. */
function sayCodeChanged(
  { claim, outputManifestHash }: Extract<OutputState, { readonly type: 'job' }>,
  codeSha256: string,
  loaded: LoadedJob,
  { json }: RunOptions,
  { screen, events }: RunSurroundings,
): void {
  const before = claim.codeSha256;
  if (before === undefined || before === codeSha256 || outputManifestHash !== null) return;
  const { jobId: id } = claim;
  const fields = { job_id: id, path: loaded.path, sha256_before: before, sha256: codeSha256 };
  events.emit('warn', 'job_code_changed', fields);
  if (json) return;
  screen.print(
    `${loaded.path} is not what job ${id} began with: what is committed stays as it was made, the rest is made with the new code; for all of it choose another --out without --resume`,
  );
}

/** As it is written into the output, which others read. */
function redactedInput(link: string | null): string | null {
  return link === null ? null : redactText(link);
}

interface PinnedInput extends Pick<ResolvedLink, 'hash' | 'sampleCount'> {
  readonly snapshotAge: string | null;
}

/** A resumed job reads exactly what it began with; nothing is listed again. */
async function pinInput(
  loaded: LoadedJob,
  options: RunOptions,
  state: OutputState,
  manifests: ManifestStore,
  places: Places,
  surroundings: RunSurroundings,
): Promise<PinnedInput> {
  if (state.type === 'job') {
    const reader = await manifests.open(state.claim.inputManifestHash);
    const { hash, sampleCount } = reader;
    await reader.close();
    return { hash, sampleCount, snapshotAge: null };
  }
  const link = options.data ?? loaded.job.input;
  if (link === null) {
    throw new Mx8Error(
      'flag_invalid',
      `job module ${loaded.path} names no input; say what it reads with --data LINK`,
      { flag: 'data' },
    );
  }
  await checkOutputOutside(link, outputFolder(loaded, options));
  const { io, screen, events } = surroundings;
  const choice = formatChoice(options, loaded.job);
  const resolved = await resolveLink(link, {
    store: manifests,
    places,
    clock: io.clock,
    events,
    signal: io.signal,
    ...choice,
    onProgress: ({ phase, samples }) => {
      const text = `${loaded.name}: ${phase} ${link}, ${countText(samples)} samples`;
      screen.show(text.slice(0, io.columns - 1), text);
    },
  });
  const format = formatText(resolved, choice.rowsPerSample);
  if (format !== null && !options.json) screen.print(`samples: ${format}`);
  const snapshotAge = snapshotAgeText(link, resolved, io.clock.unixMs());
  if (snapshotAge !== null && !options.json) screen.print(`reads ${snapshotAge}`);
  return { ...resolved, snapshotAge };
}

/** Readable, and unlike that of any other run of the job. */
function newJobId(name: string, io: CommandIo): JobId {
  const safe = name.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 80);
  return jobId(`${safe}-${randomId(io.random)}`);
}
