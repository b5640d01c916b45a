/**
 * A command as data: its name, what it takes, examples, and what it does. One file per command below
 * `commands/`; `registry.ts` lists them.
 */
import type { CommandIo } from './command-io.ts';
import type { FlagSet, OptionsOf } from './flag.ts';

/** The one thing a command may take without dashes. */
export interface Argument {
  /** As in the usage line, such as JOB.ts or LINK. */
  readonly name: string;
  readonly doc: string;
  readonly isRequired: boolean;
}

export interface Example {
  readonly command: string;
  readonly doc: string;
}

/** What was typed, read and checked. */
export interface CommandLine<F extends FlagSet> {
  readonly options: OptionsOf<F>;
  /** The argument; '' where an optional one was left out. */
  readonly argument: string;
  /** Which options were said by flag or variable, as opposed to defaulted. */
  readonly given: ReadonlySet<keyof F & string>;
}

interface CommandSpec<F extends FlagSet> {
  readonly name: string;
  /** Half a line, for the list of commands. */
  readonly summary: string;
  /** A paragraph: what it does, what it prints, how it ends. */
  readonly about: string;
  readonly argument: Argument | null;
  readonly flags: F;
  readonly examples: readonly Example[];
  /** The exit code; 0 where all is done. Failures are thrown as `Mx8Error`. */
  run(line: CommandLine<F>, io: CommandIo): Promise<number>;
}

/** A command whose types of options are its own affair. */
export interface Command extends Omit<CommandSpec<FlagSet>, 'run'> {
  run(line: CommandLine<FlagSet>, io: CommandIo): Promise<number>;
}

/**
 * Ties the types of `flags` to what `run` is given. The parser fills `options` from the same `flags`,
 * so the one cast here holds by construction.
 */
export function defineCommand<F extends FlagSet>(spec: CommandSpec<F>): Command {
  return {
    ...spec,
    run: (line, io) => spec.run(line as unknown as CommandLine<F>, io),
  };
}
