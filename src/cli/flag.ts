/**
 * A flag as data: its name, its variable, the kind of value it takes, its default and one sentence.
 * Help texts, `docs/env_reference.md` and the parser all read the same objects.
 */

/** A kind of value: how it is written and read. */
export interface Kind<T> {
  /** What it takes, as the end of the sentence "it takes …". */
  readonly takes: string;
  /** The word in the help text, such as BYTES; '' for a switch, which takes no value. */
  readonly placeholder: string;
  /** The value, or undefined when the text is not one. */
  parse(text: string): T | undefined;
}

export interface Flag<T> {
  /** Without the dashes. */
  readonly name: string;
  /** The environment variable that is read where the flag is not given. */
  readonly variable: string;
  /** A variable read where `variable` is unset, for the names of other programs. */
  readonly fallback: { readonly variable: string; readonly kind: Kind<T> } | null;
  readonly kind: Kind<T>;
  readonly defaultValue: T;
  /** The default in words. */
  readonly defaultText: string;
  /** One full sentence. */
  readonly doc: string;
  /** True when there is no default: leaving it out is an error. */
  readonly isRequired: boolean;
}

export type AnyFlag = Flag<unknown>;
export type FlagSet = Readonly<Record<string, AnyFlag>>;

/** The typed values of a set of flags. */
export type OptionsOf<F extends FlagSet> = {
  readonly [Name in keyof F]: F[Name] extends Flag<infer T> ? T : never;
};

interface FlagText {
  readonly name: string;
  readonly variable: string;
  readonly doc: string;
}

/** A flag with a default value. */
export function flag<T>(
  kind: Kind<T>,
  text: FlagText,
  defaultValue: T,
  defaultText: string = String(defaultValue),
): Flag<T> {
  return { ...text, kind, fallback: null, defaultValue, defaultText, isRequired: false };
}

/** A flag that is null where it is not given; `defaultText` says what happens then. */
export function optionalFlag<T>(
  kind: Kind<T>,
  text: FlagText,
  defaultText: string,
): Flag<T | null> {
  return flag<T | null>(kind, text, null, defaultText);
}

/** The same flag for a command that cannot do without it. */
export function required<T>(optional: Flag<T | null>): Flag<T> {
  // The default is never read: `parseCommandLine` refuses the command line first.
  return { ...optional, isRequired: true, defaultText: 'required' } as Flag<T>;
}

/** The same flag with another default, for one command. */
export function withDefault<T>(
  of: Flag<T>,
  defaultValue: T,
  defaultText: string = String(defaultValue),
): Flag<T> {
  return { ...of, defaultValue, defaultText };
}

/** A flag also answers to the name of its variable: MX8_COORD_URL is --coord-url. */
export function longName(of: AnyFlag): string {
  return of.variable.replace(/^MX8_/, '').toLowerCase().replaceAll('_', '-');
}
