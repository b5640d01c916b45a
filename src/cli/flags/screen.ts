/** What is shown: logs, colours, machine-readable output, and when a screen calls work stalled. */
import { isLogged, parseLogLevel, parseRustLog } from '../../platform/log-level.ts';
import type { LogLevel } from '../../platform/log-level.ts';
import { flag, optionalFlag } from '../flag.ts';
import type { Flag, Kind } from '../flag.ts';
import { choice, count, durationMs, onOff, path, text } from '../kinds.ts';

const LOG_TAKES = 'debug, info, warn, error or off, or directives such as info,mx8=debug';

const logKind: Kind<LogLevel> = {
  takes: LOG_TAKES,
  placeholder: 'LEVEL',
  parse: (raw) => parseLogLevel(raw) ?? undefined,
};
const rustLogKind: Kind<LogLevel> = {
  ...logKind,
  parse: (raw) => parseRustLog(raw) ?? undefined,
};

export const log: Flag<LogLevel> = {
  ...flag<LogLevel>(
    logKind,
    {
      name: 'log',
      variable: 'MX8_LOG',
      doc: 'Which events are logged to stderr; RUST_LOG is read where MX8_LOG is unset.',
    },
    'info',
  ),
  fallback: { variable: 'RUST_LOG', kind: rustLogKind },
};

export const logFormat: Flag<'auto' | 'human' | 'json'> = flag(
  choice(['auto', 'human', 'json']),
  {
    name: 'log-format',
    variable: 'MX8_LOG_FORMAT',
    doc: 'How a log line looks; auto is human on a terminal and JSON elsewhere.',
  },
  'auto',
);

export const colour: Flag<'auto' | 'always' | 'never'> = flag(
  choice(['auto', 'always', 'never']),
  {
    name: 'color',
    variable: 'MX8_COLOR',
    doc: 'Colours on stderr; auto is on for a terminal unless NO_COLOR is set.',
  },
  'auto',
);

export const json: Flag<boolean> = flag(
  onOff(),
  {
    name: 'json',
    variable: 'MX8_JSON',
    doc: 'Print JSON, one object a line, and errors as JSON too.',
  },
  false,
);

export const pollMs: Flag<number> = flag(
  durationMs({ min: 50, max: 3_600_000 }),
  {
    name: 'poll-ms',
    variable: 'MX8_TUI_POLL_MS',
    doc: 'How often a screen asks the coordinator again.',
  },
  1000,
);

export const headlessPolls: Flag<number> = flag(
  count('polls', { max: 1_000_000 }),
  {
    name: 'headless-polls',
    variable: 'MX8_TUI_HEADLESS_POLLS',
    doc: 'Ask this many times, print each answer and end; 0 goes on until stopped, on a screen where there is one.',
  },
  0,
);

export const manifestPath: Flag<string | null> = optionalFlag(
  path('FILE', 'a manifest file'),
  {
    name: 'manifest-path',
    variable: 'MX8_TUI_MANIFEST_PATH',
    doc: 'A copy of the job’s manifest from which a screen names the samples that are worked on.',
  },
  'the manifest is asked of the coordinator',
);

export const manifestHash: Flag<string | null> = optionalFlag(
  {
    takes: 'a manifest hash: 64 hex digits in lower case, with or without sha256: before them',
    placeholder: 'HASH',
    parse: (raw) => /^(?:sha256:)?([0-9a-f]{64})$/.exec(raw)?.[1],
  },
  {
    name: 'manifest-hash',
    variable: 'MX8_TUI_MANIFEST_HASH',
    doc: 'The manifest that the job is expected to read; a screen says when it is another.',
  },
  'whichever the job reads',
);

export const search: Flag<string | null> = optionalFlag(
  text('TEXT', 'a text to look for in locations and hints'),
  {
    name: 'search',
    variable: 'MX8_TUI_SEARCH',
    doc: 'Rows of the manifest that have this text are shown first.',
  },
  'the manifest from its first row on',
);

export const rowsPerPage: Flag<number | null> = optionalFlag(
  count('rows', { min: 1, max: 1000 }),
  {
    name: 'rows-per-page',
    variable: 'MX8_TUI_ROWS_PER_PAGE',
    doc: 'How many rows of the manifest are shown at a time.',
  },
  'as many as fit on a screen; 5 where they are printed',
);

export const staleHeartbeatMs: Flag<number> = flag(
  durationMs({ min: 1, max: 86_400_000 }),
  {
    name: 'stale-heartbeat-ms',
    variable: 'MX8_TUI_STALE_HEARTBEAT_MS',
    doc: 'A node that has not been heard of for this long is shown as degraded.',
  },
  5000,
);

export const leaseStallMs: Flag<number> = flag(
  durationMs({ min: 1, max: 86_400_000 }),
  {
    name: 'lease-stall-ms',
    variable: 'MX8_TUI_LEASE_STALL_MS',
    doc: 'A lease whose cursor stands still for this long is shown as stalled.',
  },
  10_000,
);

/** Log level at which a bug shows its stack. */
export function showsStacks(level: LogLevel): boolean {
  return isLogged(level, 'debug');
}
