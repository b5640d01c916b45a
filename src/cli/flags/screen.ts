/** What is shown: logs, colours, machine-readable output, and when a screen calls work stalled. */
import { isLogged, parseLogLevel, parseRustLog } from '../../platform/log-level.ts';
import type { LogLevel } from '../../platform/log-level.ts';
import { flag, optionalFlag } from '../flag.ts';
import type { Flag, Kind } from '../flag.ts';
import { choice, count, durationMs, onOff, path } from '../kinds.ts';

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
    name: 'polls',
    variable: 'MX8_TUI_HEADLESS_POLLS',
    doc: 'Ask this many times, print each answer as a line and end; 0 goes on until stopped.',
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
