/**
 * The composition root's frame: finds the command, reads its options, makes what it needs of the
 * outside world, and turns how it ended into an exit code.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { asSystemRefusal } from '../core/base/system-error.ts';
import { nodeClock } from '../platform/clock.ts';
import { createLog } from '../platform/log.ts';
import type { LogLevel } from '../platform/log-level.ts';
import { nodeRandom } from '../platform/random.ts';
import { listenForStop, stopWithParent } from '../platform/signals.ts';
import type { CommandIo } from './command-io.ts';
import type { Command, CommandLine } from './command.ts';
import { errorJson, errorText } from './error-report.ts';
import { EXIT_BUG, EXIT_DONE, exitCodeOf } from './exit-codes.ts';
import type { FlagSet, OptionsOf } from './flag.ts';
import { colour, json, log, logFormat, showsStacks } from './flags/screen.ts';
import { commandHelp, overviewText } from './help.ts';
import { nearest } from '../core/base/nearest.ts';
import { parseCommandLine } from './parse-command-line.ts';
import type { Environment } from './parse-command-line.ts';
import { COMMANDS } from './registry.ts';
import { packageVersion } from './version.ts';

const HELP_WORDS: ReadonlySet<string> = new Set(['--help', '-h', 'help']);
const VERSION_WORDS: ReadonlySet<string> = new Set(['--version', '-V', 'version']);
const COLUMNS_DEFAULT = 80;
const COLUMNS_MAX = 100;

const COMMON = { log, logFormat, colour };

await main(process.argv.slice(2), process.env);

async function main(argv: readonly string[], environment: Environment): Promise<void> {
  // Whoever read our output went away (`mx8 … | head`): stop as if asked to.
  process.stdout.on('error', () => process.kill(process.pid, 'SIGTERM'));
  // What we say to a person who is gone is lost, and the work goes on.
  process.stderr.on('error', () => undefined);
  stopWithParent();
  let isDebug = false;
  const report = (thrown: unknown): number => {
    const error = asSystemRefusal(thrown);
    if (wantsJson(argv, environment)) process.stdout.write(errorJson(error));
    else process.stderr.write(errorText(error, isDebug));
    return exitCodeOf(error);
  };
  // A rejection that nobody handled is a bug like any other: said in a sentence, and the end.
  process.on('uncaughtException', (error) => process.exit(report(error)));
  try {
    process.exitCode = await dispatch(argv, environment, (level) => {
      isDebug = showsStacks(level);
    });
  } catch (error) {
    process.exitCode = report(error);
  }
  // Whoever reads slowly gets all of it: what is still on its way into a pipe would be lost.
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  // Nothing of a finished command may keep the process: its own clean-up is part of the command.
  process.exit(process.exitCode ?? EXIT_BUG);
}

async function dispatch(
  argv: readonly string[],
  environment: Environment,
  onLevel: (level: LogLevel) => void,
): Promise<number> {
  const [word = '--help', ...rest] = argv;
  if (VERSION_WORDS.has(word)) {
    process.stdout.write(`mx8 ${packageVersion()}\n`);
    return EXIT_DONE;
  }
  const subject = HELP_WORDS.has(word) ? rest[0] : word;
  if (subject === undefined || HELP_WORDS.has(subject)) {
    process.stdout.write(overviewText(COMMANDS, helpColumns()));
    return EXIT_DONE;
  }
  const command = await loadCommand(subject);
  if (HELP_WORDS.has(word) || asksForHelp(rest)) {
    process.stdout.write(commandHelp(command, helpColumns()));
    return EXIT_DONE;
  }
  const line = parseCommandLine(
    { ...command, flags: { ...COMMON, ...command.flags } },
    rest,
    environment,
  );
  const common = line.options as OptionsOf<typeof COMMON>;
  onLevel(common.log);
  return runCommand(command, line, common, environment);
}

async function runCommand(
  command: Command,
  line: CommandLine<FlagSet>,
  common: OptionsOf<typeof COMMON>,
  environment: Environment,
): Promise<number> {
  using stop = listenForStop();
  const isTerminal = Boolean(process.stderr.isTTY);
  const clock = nodeClock();
  const hasColour =
    common.colour === 'always' ||
    (common.colour === 'auto' && isTerminal && (environment['NO_COLOR'] ?? '') === '');
  const io: CommandIo = {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    isTerminal,
    // A terminal that does not know its width says 0.
    columns: (isTerminal ? process.stderr.columns : 0) || COLUMNS_DEFAULT,
    colour: hasColour,
    clock,
    random: nodeRandom(),
    events: createLog({
      clock,
      level: common.log,
      format: formatOf(common.logFormat, isTerminal),
      colour: hasColour,
    }),
    signal: stop.signal,
    environment,
  };
  // Awaited here, so that the signals are listened to until the command is done.
  return await command.run(line, io);
}

function formatOf(said: 'auto' | 'human' | 'json', isTerminal: boolean): 'human' | 'json' {
  if (said !== 'auto') return said;
  return isTerminal ? 'human' : 'json';
}

async function loadCommand(name: string): Promise<Command> {
  const entry = COMMANDS.find((candidate) => candidate.name === name);
  if (entry !== undefined) return entry.load();
  const names = COMMANDS.map((candidate) => candidate.name);
  const guess = nearest(name, names);
  const hint = guess === null ? 'see mx8 --help' : `did you mean mx8 ${guess}?`;
  throw new Mx8Error('command_unknown', `mx8 has no command "${name}"; ${hint}`, {
    command: name,
  });
}

/** Asked of the words themselves: an error may be that they cannot be read. */
function wantsJson(argv: readonly string[], environment: Environment): boolean {
  return argv.includes('--json') || json.kind.parse(environment[json.variable] ?? 'off') === true;
}

function asksForHelp(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  const own = end === -1 ? words : words.slice(0, end);
  return own.includes('--help') || own.includes('-h');
}

function helpColumns(): number {
  const columns = process.stdout.isTTY ? process.stdout.columns : 0;
  return Math.min(columns || COLUMNS_DEFAULT, COLUMNS_MAX);
}
