/** What the operator's commands share: whom to ask, and how to say what changed. */
import { Mx8Error } from '../../core/base/errors.ts';
import { jobId, type JobId } from '../../core/base/units.ts';
import type { Change, Operation } from '../../core/job/operations.ts';
import type { CoordinatorClient } from '../../ports/coordinator-client.ts';
import { CLIENT_FLAGS, openClient } from '../client.ts';
import type { CommandIo } from '../command-io.ts';
import { EXIT_DONE } from '../exit-codes.ts';
import type { OptionsOf } from '../flag.ts';
import * as cluster from '../flags/cluster.ts';
import * as operator from '../flags/operator.ts';
import * as screen from '../flags/screen.ts';
import { onlyJob } from '../status/only-job.ts';

export const OPERATE_FLAGS: typeof CLIENT_FLAGS & {
  readonly jobId: typeof cluster.jobIdFlag;
  readonly dryRun: typeof operator.dryRun;
  readonly json: typeof screen.json;
} = {
  ...CLIENT_FLAGS,
  jobId: cluster.jobIdFlag,
  dryRun: operator.dryRun,
  json: screen.json,
};

/** Through a fail-over, and then the answer. */
const CALL_TIMEOUT_MS = 10_000;

/** `wanted`: what is to be done, or what finds that out of the coordinator. */
export async function operate(
  wanted: Operation | ((client: CoordinatorClient, id: JobId) => Promise<Operation>),
  options: OptionsOf<typeof OPERATE_FLAGS>,
  io: CommandIo,
): Promise<number> {
  const { dryRun, json } = options;
  const client = openClient(options, io, { callTimeoutMs: CALL_TIMEOUT_MS });
  try {
    const id = options.jobId === null ? onlyJob(await client.listJobs()) : jobId(options.jobId);
    const operation = typeof wanted === 'function' ? await wanted(client, id) : wanted;
    const changes = await client.operate(id, operation, dryRun);
    const text = json ? changesJson : changesText;
    io.stdout(text(id, changes, { dryRun, isForgotten: operation.type === 'forget' }));
  } catch (error) {
    throw asTyped(error);
  } finally {
    await client.close();
  }
  return EXIT_DONE;
}

/**
 * A node or lease that the coordinator does not know is what was typed here. To an agent the same answer
 * says to register or to ask for another lease, which may be tried again; a typing mistake may not.
 */
function asTyped(error: unknown): unknown {
  if (!(error instanceof Mx8Error)) return error;
  const answer = error.code;
  switch (answer) {
    case 'node_not_registered':
      return new Mx8Error('flag_invalid', `--node: ${error.message}`, { flag: '--node', answer });
    case 'lease_unknown': {
      const message = `--lease: ${error.message}; mx8 status lists those that are`;
      return new Mx8Error('flag_invalid', message, { flag: '--lease', answer });
    }
    default:
      return error;
  }
}

interface Asked {
  readonly dryRun: boolean;
  /** What it is where nothing is to change. */
  readonly isForgotten: boolean;
}

function changesText(job: string, changes: readonly Change[], asked: Asked): string {
  const { dryRun, isForgotten } = asked;
  if (changes.length === 0) {
    return `job ${job}: nothing to change, it is ${isForgotten ? 'forgotten' : 'so'} already\n`;
  }
  const head = dryRun ? `job ${job}: would change (nothing was done)` : `job ${job}: changed`;
  const wide = Math.max(...changes.map(({ what }) => what.length));
  const lines = changes.map(({ what, from, to }) => `  ${what.padEnd(wide)}  ${from} → ${to}`);
  return [head, ...lines].map((line) => `${line}\n`).join('');
}

function changesJson(job: string, changes: readonly Change[], { dryRun }: Asked): string {
  return `${JSON.stringify({ event: 'operated', job_id: job, dry_run: dryRun, changes })}\n`;
}
