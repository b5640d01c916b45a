/** `mx8 forget`: have the coordinator forget a job that is over, or was given up. */
import { Mx8Error } from '../../core/base/errors.ts';
import { isId, type JobId } from '../../core/base/units.ts';
import type { Operation } from '../../core/job/operations.ts';
import type { LeaseChoice } from '../../core/job/protocol.ts';
import type { CoordinatorClient } from '../../ports/coordinator-client.ts';
import { CLIENT_FLAGS } from '../client.ts';
import type { CommandIo } from '../command-io.ts';
import { defineCommand } from '../command.ts';
import type { Command, CommandLine } from '../command.ts';
import * as operator from '../flags/operator.ts';
import * as screen from '../flags/screen.ts';
import { operate } from '../operate/operate.ts';

const NO_LEASES: LeaseChoice = {
  wholeUpTo: 0,
  part: { type: 'places', from: 0, count: 0 },
  stallMs: 0,
};

const FLAGS = { ...CLIENT_FLAGS, dryRun: operator.dryRun, json: screen.json } as const;

export const command: Command = defineCommand({
  name: 'forget',
  summary: 'have the coordinator forget a job that is over, or was given up',
  about:
    'Completed jobs are forgotten by age and number (--keep-jobs, --keep-jobs-days of the coordinator); this does it at once, and it is the only way for a job that failed or was drained, of which nobody but the coordinator knows what is committed. Outputs, their manifests and what lies in _mx8 stay as they are. A job that runs is refused: drain it first. The name is free for another job; what nodes of the forgotten one still ask is answered with job_unknown.',
  argument: { name: 'JOB', doc: 'The id of the job.', isRequired: true },
  flags: FLAGS,
  examples: [
    { command: 'mx8 forget embed-0412 --dry-run', doc: 'whether it may go, and how it stands' },
    { command: 'mx8 forget embed-0412', doc: '' },
  ],
  run,
});

async function run(
  { options, argument }: CommandLine<typeof FLAGS>,
  io: CommandIo,
): Promise<number> {
  if (!isId(argument)) {
    throw new Mx8Error('flag_invalid', `JOB takes the id of a job, got "${argument}"`, {
      flag: 'JOB',
    });
  }
  return operate(forgetting, { ...options, jobId: argument }, io);
}

/**
 * The job that has the name now, by its token: the request is repeated where its answer was lost, and then it has
 * gone, or another has its name, which is not meant.
 */
async function forgetting(client: CoordinatorClient, id: JobId): Promise<Operation> {
  const { jobToken } = await client.snapshot(id, NO_LEASES);
  return jobToken === undefined ? { type: 'forget' } : { type: 'forget', jobToken };
}
