/** From argv and environment to typed options, or a sentence that says what does not fit. */
import { Mx8Error } from '../core/base/errors.ts';
import { must } from '../core/base/assert.ts';
import type { Argument, CommandLine } from './command.ts';
import { longName } from './flag.ts';
import type { AnyFlag, FlagSet, Kind } from './flag.ts';
import { nearest } from '../core/base/nearest.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The part of a command that the parser looks at. */
export interface Takes {
  readonly name: string;
  readonly argument: Argument | null;
  readonly flags: FlagSet;
}

/**
 * Reads what follows the command's name. A flag wins over its variable; the last of a repeated flag
 * counts; an empty variable counts as unset.
 */
export function parseCommandLine(
  command: Takes,
  argv: readonly string[],
  environment: Environment,
): CommandLine<FlagSet> {
  const typed = readWords(command, argv);
  const options: Record<string, unknown> = {};
  const given = new Set<string>();
  for (const [key, flag] of Object.entries(command.flags)) {
    const said = typed.values.has(key) ? typed.values.get(key) : readVariable(flag, environment);
    if (said === undefined && flag.isRequired) throw missingFlag(command, flag);
    if (said !== undefined) given.add(key);
    options[key] = said === undefined ? flag.defaultValue : said;
  }
  return { options, given, argument: readArgument(command, typed.rest) };
}

/** The flags by every name they answer to: their own, their variable's, and `no-` for switches. */
interface Named {
  readonly key: string;
  readonly flag: AnyFlag;
  readonly isNegated: boolean;
}

function namesOf(flags: FlagSet): Map<string, Named> {
  const names = new Map<string, Named>();
  for (const [key, flag] of Object.entries(flags)) {
    for (const name of [flag.name, longName(flag)]) {
      names.set(name, { key, flag, isNegated: false });
      if (isSwitch(flag)) names.set(`no-${name}`, { key, flag, isNegated: true });
    }
  }
  return names;
}

function readWords(
  command: Takes,
  argv: readonly string[],
): { values: Map<string, unknown>; rest: string[] } {
  const names = namesOf(command.flags);
  const values = new Map<string, unknown>();
  const rest: string[] = [];
  const words = [...argv];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '--') {
      rest.push(...words.splice(0));
    } else if (word === '-' || !word.startsWith('-')) {
      rest.push(word);
    } else {
      const equals = word.indexOf('=');
      const name = word.slice(0, equals === -1 ? undefined : equals);
      const named = names.get(name.replace(/^--/, ''));
      if (named === undefined) throw unknownFlag(command, name, [...names.keys()]);
      const inline = equals === -1 ? null : word.slice(equals + 1);
      values.set(named.key, readFlag(name, named, inline, words));
    }
  }
  return { values, rest };
}

function readFlag(name: string, named: Named, inline: string | null, words: string[]): unknown {
  const { flag, isNegated } = named;
  if (isSwitch(flag)) {
    if (inline === null) return !isNegated;
    const value = readValue(name, inline, flag.kind);
    return isNegated ? value !== true : value;
  }
  if (inline !== null) return readValue(name, inline, flag.kind);
  const next = words[0];
  if (next === undefined || /^--./.test(next)) {
    throw new Mx8Error(
      'flag_invalid',
      `${name} takes ${flag.kind.takes}, but ${next === undefined ? 'nothing' : next} follows it`,
      { flag: name },
    );
  }
  words.shift();
  return readValue(name, next, flag.kind);
}

function readVariable(flag: AnyFlag, environment: Environment): unknown {
  const own = environment[flag.variable];
  if (own !== undefined && own !== '') return readValue(flag.variable, own, flag.kind);
  if (flag.fallback === null) return undefined;
  const other = environment[flag.fallback.variable];
  if (other === undefined || other === '') return undefined;
  return readValue(flag.fallback.variable, other, flag.fallback.kind);
}

function readValue(source: string, said: string, kind: Kind<unknown>): unknown {
  const value = kind.parse(said);
  if (value !== undefined) return value;
  throw new Mx8Error('flag_invalid', `${source} says "${said}", but takes ${kind.takes}`, {
    flag: source,
    value: said,
  });
}

function readArgument(command: Takes, rest: readonly string[]): string {
  const { argument } = command;
  const [first, second] = rest;
  const unexpected = argument === null ? first : second;
  if (unexpected !== undefined) {
    const takes = argument === null ? 'no argument' : `one argument, ${argument.name}`;
    throw new Mx8Error(
      'flag_invalid',
      `mx8 ${command.name} takes ${takes}, but got "${unexpected}" as well`,
      { argument: unexpected },
    );
  }
  if (first === undefined && argument?.isRequired === true) {
    const { name, doc } = must(argument, 'a missing argument is one that the command takes');
    throw new Mx8Error(
      'flag_invalid',
      `mx8 ${command.name} needs ${name}: ${lowerFirst(doc)} See mx8 ${command.name} --help.`,
      { argument: name },
    );
  }
  return first ?? '';
}

function missingFlag(command: Takes, flag: AnyFlag): Mx8Error {
  return new Mx8Error(
    'flag_invalid',
    `mx8 ${command.name} needs --${flag.name} (or ${flag.variable}), which takes ${flag.kind.takes}`,
    { flag: `--${flag.name}` },
  );
}

function unknownFlag(command: Takes, name: string, known: readonly string[]): Mx8Error {
  const guess = nearest(name.replace(/^-+/, ''), known);
  const hint = guess === null ? `see mx8 ${command.name} --help` : `did you mean --${guess}?`;
  return new Mx8Error('flag_unknown', `mx8 ${command.name} has no flag ${name}; ${hint}`, {
    flag: name,
  });
}

export function isSwitch(flag: AnyFlag): boolean {
  return flag.kind.placeholder === '';
}

/** For the middle of another sentence; a word in capitals, such as BASE, stays as it is. */
function lowerFirst(sentence: string): string {
  if (/^[A-Z]{2}/.test(sentence)) return sentence;
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
