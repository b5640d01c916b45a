/** A data set and, where there is one, a job module, made into the specification of a job. */
import { Mx8Error } from '../core/base/errors.ts';
import type { JobSpec } from '../core/job/protocol.ts';
import { checkOutputOutside, loadJobModule } from '../job/index.ts';
import type { LoadedJob } from '../job/index.ts';
import type { ManifestStore } from '../ports/manifest-store.ts';
import { resolveLink } from '../snapshots/index.ts';
import { countedText } from '../view/format.ts';
import type { CommandIo } from './command-io.ts';
import * as cluster from './flags/cluster.ts';
import { formatChoice } from './format-choice.ts';
import * as data from './flags/data.ts';
import { FORMAT_FLAGS } from './flags/format.ts';
import { checkJobOptions, jobSpecOf } from './job-spec.ts';
import type { StoreSurroundings } from './manifest-store.ts';
import { snapshotAgeText } from './snapshot-age.ts';
import { openStores } from './stores.ts';
import type { StoreFlagOptions } from './stores.ts';
import type { OptionsOf } from './flag.ts';
import { StatusScreen } from './run/status-screen.ts';

/** The flags that say what a job is. */
export const JOB_SPEC_FLAGS: {
  readonly data: typeof data.dataLink;
  readonly format: typeof FORMAT_FLAGS.format;
  readonly columns: typeof FORMAT_FLAGS.columns;
  readonly rowsPerSample: typeof FORMAT_FLAGS.rowsPerSample;
  readonly unpackRatioMax: typeof FORMAT_FLAGS.unpackRatioMax;
  readonly unpackBytesMax: typeof FORMAT_FLAGS.unpackBytesMax;
  readonly jobId: typeof cluster.jobIdFlag;
  readonly worldSize: typeof cluster.worldSize;
  readonly minWorldSize: typeof cluster.minWorldSize;
  readonly blockSize: typeof data.blockSize;
  readonly shuffle: typeof data.shuffle;
  readonly seed: typeof data.seed;
  readonly epoch: typeof data.epoch;
  readonly leaseTtlMs: typeof cluster.leaseTtlMs;
  readonly heartbeatIntervalMs: typeof cluster.heartbeatIntervalMs;
} = {
  data: data.dataLink,
  ...FORMAT_FLAGS,
  jobId: cluster.jobIdFlag,
  worldSize: cluster.worldSize,
  minWorldSize: cluster.minWorldSize,
  blockSize: data.blockSize,
  shuffle: data.shuffle,
  seed: data.seed,
  epoch: data.epoch,
  leaseTtlMs: cluster.leaseTtlMs,
  heartbeatIntervalMs: cluster.heartbeatIntervalMs,
};

export interface OpenedJob {
  readonly spec: JobSpec;
  /** What its input is where a plain link found an older snapshot, and how to renew it; else null. */
  readonly snapshotAge: string | null;
}

/**
 * Pins the input and says what the job is; null where neither flag nor module names an input. Work
 * counts when its output is committed where there is a job module, else when it is delivered.
 */
export async function openJob(
  moduleFile: string,
  options: OptionsOf<typeof JOB_SPEC_FLAGS>,
  manifests: ManifestStore,
  stores: StoreFlagOptions,
  io: CommandIo & StoreSurroundings,
): Promise<OpenedJob | null> {
  checkJobOptions(options);
  const loaded = moduleFile === '' ? null : await loadJobModule(moduleFile, io);
  const link = options.data ?? loaded?.job.input ?? null;
  if (link === null) {
    if (loaded === null) return null;
    throw new Mx8Error(
      'flag_invalid',
      `job module ${loaded.path} names no input; say what it reads with --data LINK`,
      { flag: 'data' },
    );
  }
  // Where the module names no folder, each agent does, and checks it.
  const out = loaded?.job.output.dir ?? null;
  if (out !== null) await checkOutputOutside(link, out);
  const format = formatChoice(options, loaded?.job);
  const input = await pinInput(link, manifests, format, stores, io);
  const spec = jobSpecOf({
    ...options,
    jobId: options.jobId ?? idOf(loaded),
    manifestHash: input.hash,
    sampleCount: input.sampleCount,
    blockSize: options.blockSize,
    commitsOutputs: loaded !== null,
  });
  return { spec, snapshotAge: snapshotAgeText(link, input, io.clock.unixMs()) };
}

/** A job with a module has its name; one without takes the id of the first node, as v0 clients expect. */
function idOf(loaded: LoadedJob | null): string | null {
  return loaded === null ? null : loaded.name.replaceAll(/[^\x21-\x7e]/g, '-').slice(0, 128);
}

async function pinInput(
  link: string,
  store: ManifestStore,
  format: ReturnType<typeof formatChoice>,
  stores: StoreFlagOptions,
  io: CommandIo & StoreSurroundings,
): ReturnType<typeof resolveLink> {
  using screen = new StatusScreen(io);
  await using places = openStores(stores, io);
  return await resolveLink(link, {
    store,
    places,
    ...format,
    clock: io.clock,
    events: io.events,
    signal: io.signal,
    onProgress: ({ phase, samples }) => {
      const line = `${phase} ${link}, ${countedText(samples, 'sample')}`;
      screen.show(line.slice(0, io.columns - 1), line);
    },
  });
}
