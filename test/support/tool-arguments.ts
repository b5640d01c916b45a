/** What somebody types after `npm run sim --` and the like: help, and a sentence for what is not known. */
import { parseArgs } from 'node:util';
import type { ParseArgsOptionsConfig } from 'node:util';

type Values<T extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ options: T }>
>['values'];

/** Ends the process with status 2 after a sentence and `usage` where there is another flag, with 0 after `--help`. */
export function toolArguments<const T extends ParseArgsOptionsConfig>(
  usage: string,
  options: T,
): Values<T> {
  const words = process.argv.slice(2);
  if (words.includes('--help') || words.includes('-h')) {
    process.stdout.write(`${usage}\n`);
    process.exit(0);
  }
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return refuse(usage, error instanceof Error ? error.message : String(error));
  }
}

/** A whole number from `least` on, or the same end. */
export function wholeNumber(usage: string, flag: string, text: string, least: number = 1): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(number) && number >= least) return number;
  return refuse(
    usage,
    `--${flag} takes a whole number from ${least} on, not ${JSON.stringify(text)}.`,
  );
}

/** Ends the process with status 2 after the sentence. */
export function refuse(usage: string, sentence: string): never {
  process.stderr.write(`${sentence}\n\n${usage}\n`);
  process.exit(2);
}
