/** `mx8 doctor`: the runbook, carried out. */
import { diagnoseCoordinators } from '../../view/diagnose-coordinators.ts';
import { diagnoseJob } from '../../view/diagnose-job.ts';
import { diagnoseMachine } from '../../view/diagnose-machine.ts';
import { type Finding, worstOf } from '../../view/diagnosis.ts';
import { CLIENT_FLAGS } from '../client.ts';
import type { CommandIo } from '../command-io.ts';
import { defineCommand } from '../command.ts';
import type { Command, CommandLine } from '../command.ts';
import { collectCoordinators, collectJobs, collectMachine } from '../doctor/collect.ts';
import { doctorJson, doctorText, type Examined } from '../doctor/doctor-text.ts';
import { EXIT_DONE, EXIT_UNHEALTHY } from '../exit-codes.ts';
import * as cluster from '../flags/cluster.ts';
import * as data from '../flags/data.ts';
import * as screen from '../flags/screen.ts';
import { packageVersion } from '../version.ts';

const FLAGS = {
  ...CLIENT_FLAGS,
  jobId: cluster.jobIdFlag,
  manifestStoreRoot: data.manifestStoreRoot,
  staleHeartbeatMs: screen.staleHeartbeatMs,
  leaseStallMs: screen.leaseStallMs,
  json: screen.json,
} as const;

export const command: Command = defineCommand({
  name: 'doctor',
  summary: 'run the runbook: say what is wrong, what to type and what should then be seen',
  about:
    'Looks at this machine, at every coordinator of the list and at their jobs, and says for each section of the runbook what it checked, what it found, which command to run next and what should then be seen. It changes nothing. Exit code 0: nothing needs a person; 6: something does.',
  argument: null,
  flags: FLAGS,
  examples: [
    { command: 'mx8 doctor --coord-url 10.0.0.5:50051,10.0.0.6:50051', doc: 'when paged' },
    { command: 'mx8 doctor --json', doc: 'one object, for a script' },
  ],
  run,
});

async function run({ options }: CommandLine<typeof FLAGS>, io: CommandIo): Promise<number> {
  const surroundings = { ...options, limits: options };
  const [coordinators, { jobs, error }] = await Promise.all([
    collectCoordinators(surroundings, io),
    collectJobs(surroundings, io),
  ]);
  const examined: Examined[] = [
    { of: 'this machine', findings: diagnoseMachine(collectMachine(surroundings)) },
    { of: 'coordinators', findings: diagnoseCoordinators(coordinators, packageVersion()) },
    ...jobs.map((job) => ({ of: `job ${job.snapshot.spec.jobId}`, findings: diagnoseJob(job) })),
  ];
  if (error !== '') examined.push({ of: 'jobs', findings: [unseen(error)] });
  io.stdout((options.json ? doctorJson : doctorText)(examined));
  const worst = worstOf(examined.flatMap(({ findings }) => findings));
  return worst === 'problem' || worst === 'unknown' ? EXIT_UNHEALTHY : EXIT_DONE;
}

function unseen(error: string): Finding {
  return {
    check: 'jobs can be looked at',
    section: 'coordinator',
    status: 'unknown',
    found: `No snapshot of a job could be had: ${error}`,
    run: ['npx mx8 doctor (again, once a coordinator leads)'],
    expect: 'A section for each job.',
  };
}
