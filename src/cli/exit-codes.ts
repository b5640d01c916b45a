/**
 * How a command ends, for scripts and schedulers. `docs/cli.md` is generated from this table.
 */
import type { ErrorCode } from '../core/base/errors.ts';
import { Mx8Error, errorKind } from '../core/base/errors.ts';
import { STOP_EXIT_CODES } from '../platform/signals.ts';

export interface ExitCode {
  readonly code: number;
  readonly meaning: string;
}

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_DATA = 3;
export const EXIT_RETRY = 4;
export const EXIT_MEMORY = 5;
export const EXIT_UNHEALTHY = 6;
export const EXIT_BUG = 70;

/** A node or a server that is asked to stop has done its part: whoever watches it sees no failure. */
const NO_FAILURE = 'mx8 coordinator that serves and mx8 agent at work end with 0';

export const EXIT_CODES: readonly ExitCode[] = [
  { code: EXIT_DONE, meaning: 'Everything that was asked for is done.' },
  { code: EXIT_FAILED, meaning: 'It failed; the message says why and what to do.' },
  { code: EXIT_USAGE, meaning: 'What was typed cannot be carried out; nothing was started.' },
  { code: EXIT_DATA, meaning: 'The input data are missing, damaged or not what was pinned.' },
  { code: EXIT_RETRY, meaning: 'It may work later: the same command can be tried again as it is.' },
  {
    code: EXIT_MEMORY,
    meaning: 'A memory cap was about to be passed; the message names the knobs.',
  },
  { code: EXIT_UNHEALTHY, meaning: 'mx8 doctor found something that needs a person.' },
  { code: EXIT_BUG, meaning: 'A bug in mx8; MX8_LOG=debug shows the stack.' },
  { code: STOP_EXIT_CODES.SIGINT, meaning: `Stopped by SIGINT (Ctrl-C), cleanly; ${NO_FAILURE}.` },
  { code: STOP_EXIT_CODES.SIGTERM, meaning: `Stopped by SIGTERM, cleanly; ${NO_FAILURE}.` },
];

const USAGE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'flag_invalid',
  'flag_unknown',
  'command_unknown',
  'caps_conflict',
  'disk_cache_unusable',
  'link_invalid',
  'insecure_bind',
  'scheme_unsupported',
  'job_module_invalid',
  'job_options_invalid',
  'load_options_invalid',
  'output_occupied',
  'output_nothing_to_resume',
  'pack_not_resumable',
]);

const DATA: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'input_missing',
  'input_empty',
  'manifest_invalid',
  'manifest_missing',
  'manifest_corrupt',
  'file_empty',
  'label_missing',
  'sample_missing',
  'sample_changed',
  'sample_unreadable',
  'sample_corrupt',
  'shard_corrupt',
  'object_missing',
  'object_changed',
  'object_answer_invalid',
  'unpack_budget_exceeded',
]);

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof Mx8Error)) return EXIT_BUG;
  if (error.code === 'interrupted') {
    return error.details['signal'] === 'SIGTERM' ? STOP_EXIT_CODES.SIGTERM : STOP_EXIT_CODES.SIGINT;
  }
  if (error.code === 'internal') return EXIT_BUG;
  if (error.code === 'rss_cap_exceeded') return EXIT_MEMORY;
  if (USAGE.has(error.code)) return EXIT_USAGE;
  if (DATA.has(error.code)) return EXIT_DATA;
  return errorKind(error.code).retryable ? EXIT_RETRY : EXIT_FAILED;
}
