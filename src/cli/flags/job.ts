/** The job: its module, its output, what happens to a sample that fails. */
import { flag, optionalFlag } from '../flag.ts';
import type { Flag } from '../flag.ts';
import { RUNS_KEEP_DAYS } from '../run/limits.ts';
import { choice, count, onOff, path } from '../kinds.ts';

export const outDir: Flag<string | null> = optionalFlag(
  path('DIR', 'a folder or a prefix of a store'),
  {
    name: 'out',
    variable: 'MX8_OUT',
    doc: 'The folder that the output goes to, or s3://, gs:// or az://BUCKET/PREFIX.',
  },
  'the output that the job names',
);

export const runState: Flag<string | null> = optionalFlag(
  path('DIR', 'a folder'),
  {
    name: 'run-state',
    variable: 'MX8_RUN_STATE',
    doc: 'The folder in which a run whose output goes to a store keeps what --resume needs; one of its own below it for each job.',
  },
  '~/.mx8/runs',
);

export const keepDays: Flag<number> = flag(
  count('days', { min: 1, max: 36_500 }),
  {
    name: 'keep-days',
    variable: 'MX8_KEEP_DAYS',
    doc: 'What was not used for so many days is removed.',
  },
  RUNS_KEEP_DAYS,
);

export const unfinished: Flag<boolean> = flag(
  onOff(),
  {
    name: 'unfinished',
    variable: 'MX8_UNFINISHED',
    doc: 'Remove the states of runs that were interrupted, too, and not worked on for --keep-days: they cannot be resumed then.',
  },
  false,
);

export const nodes: Flag<number> = flag(
  count('nodes', { min: 1, max: 256 }),
  { name: 'nodes', variable: 'MX8_NODES', doc: 'How many agents to start on this machine.' },
  1,
);

export const resume: Flag<boolean> = flag(
  onOff(),
  {
    name: 'resume',
    variable: 'MX8_RESUME',
    doc: 'Go on with the job that the output folder holds; nothing committed is done again.',
  },
  false,
);

export const onError: Flag<'fail' | 'quarantine'> = flag(
  choice(['fail', 'quarantine']),
  {
    name: 'on-error',
    variable: 'MX8_ON_ERROR',
    doc: 'What becomes of the job when a sample still fails after its retries.',
  },
  'fail',
);

export const jobFile: Flag<string | null> = optionalFlag(
  path('FILE', 'a job module'),
  {
    name: 'job-file',
    variable: 'MX8_JOB_FILE',
    doc: 'The job module, for where it cannot be given as the argument.',
  },
  'the argument',
);
