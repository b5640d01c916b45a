/** `mx8 submit`: gives a running coordinator another job. */
import { Mx8Error } from '../../core/base/errors.ts';
import { countedText } from '../../view/format.ts';
import { CLIENT_FLAGS, openClient } from '../client.ts';
import type { CommandIo } from '../command-io.ts';
import { defineCommand } from '../command.ts';
import type { Command, CommandLine } from '../command.ts';
import { EXIT_DONE } from '../exit-codes.ts';
import { withDefault } from '../flag.ts';
import type { OptionsOf } from '../flag.ts';
import * as cluster from '../flags/cluster.ts';
import * as data from '../flags/data.ts';
import * as screen from '../flags/screen.ts';
import { openManifestStore } from '../manifest-store.ts';
import { JOB_SPEC_FLAGS, openJob } from '../open-job.ts';
import type { OpenedJob } from '../open-job.ts';
import { randomId } from '../random-id.ts';
import { openGuestTraffic } from '../store-guest.ts';
import { STORE_FLAGS, storeOptions } from '../stores.ts';

const FLAGS = {
  ...JOB_SPEC_FLAGS,
  jobId: withDefault(cluster.jobIdFlag, null, 'the job’s name, or one drawn by chance'),
  ...CLIENT_FLAGS,
  manifestStoreRoot: data.manifestStoreRoot,
  manifestCacheBytes: data.manifestCacheBytes,
  json: screen.json,
  ...STORE_FLAGS,
} as const;

export const command: Command = defineCommand({
  name: 'submit',
  summary: 'give a running coordinator another job',
  about:
    'Pins the input in the manifest store, which must be the one that the coordinator uses, and creates the job. The same job submitted again is left as it is; another one of the same id is refused.',
  argument: {
    name: 'JOB.ts',
    doc: 'A module whose default export is made by defineJob; needed for jobs with outputs.',
    isRequired: false,
  },
  flags: FLAGS,
  examples: [
    {
      command: 'mx8 submit embed.job.ts --data ./docs --world-size 2',
      doc: 'then: mx8 agent embed.job.ts --job-id embed',
    },
    { command: 'mx8 submit --data ./photos --job-id photos --shuffle', doc: 'read it with load()' },
  ],
  run,
});

async function run(
  { options, argument }: CommandLine<typeof FLAGS>,
  io: CommandIo,
): Promise<number> {
  const { random } = io;
  // A job that takes its id from the first node would take it from nodes of other jobs here.
  const fallbackId = argument === '' ? `job-${randomId(random)}` : null;
  const job = await openedJob(argument, { ...options, jobId: options.jobId ?? fallbackId }, io);
  if (job === null) {
    throw new Mx8Error('flag_invalid', 'mx8 submit needs JOB.ts, --data LINK or both', {
      flag: '--data',
    });
  }
  const client = openClient(options, io);
  try {
    const { spec, existed } = await client.submitJob(job.spec);
    const { jobId, manifestHash, sampleCount, blockSize } = spec;
    const facts = { job_id: jobId, manifest_hash: manifestHash, sample_count: sampleCount };
    io.stdout(
      options.json
        ? `${JSON.stringify({ event: 'submitted', ...facts, block_size: blockSize, existed })}\n`
        : `job ${jobId} ${existed ? 'was there already' : 'submitted'}: ${countedText(sampleCount, 'sample')} in blocks of ${blockSize}\nmanifest_hash: ${manifestHash}\n${job.snapshotAge === null ? '' : `input: ${job.snapshotAge}\n`}`,
    );
  } finally {
    await client.close();
  }
  return EXIT_DONE;
}

/** The listing of the input is part of the budget of the jobs that run already. */
async function openedJob(
  moduleFile: string,
  options: OptionsOf<typeof FLAGS>,
  io: CommandIo,
): Promise<OpenedJob | null> {
  await using guest = openGuestTraffic('submit', options, io);
  const ports = { ...io, traffic: guest.traffic };
  const manifests = openManifestStore(options, ports, storeOptions(options));
  return await openJob(moduleFile, options, manifests, options, ports);
}
