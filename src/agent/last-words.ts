/**
 * What a worker says when user code lets an error go that nobody catches. Node would print the error
 * with its whole stack, of which the agent would keep some lines. So the message and its place are said
 * again, last and on one line, with a mark by which the agent knows that this is all there is to say.
 */
import { writeSync } from 'node:fs';
import { errorText } from '../job/error-text.ts';
import { LAST_WORDS_CHARS_MAX } from './limits.ts';

/** Before the sentence; control characters, as user code prints to the same pipes. */
export const LAST_WORDS_MARK = '\u0002last words\u0003';

/** Room for what stands before the words, and of their end for where it happened. */
const WHAT_CHARS = 60;
const END_CHARS = 200;

/** `modulePath` is that of the user's module, once it is known. */
export function sayLastWords(modulePath: () => string | null): void {
  const end = (what: string, error: unknown): void => {
    const stack = error instanceof Error ? `${error.stack ?? error.message}\n` : '';
    say(`${stack}${LAST_WORDS_MARK}${what}: ${shortened(errorText(error, modulePath()))}\n`);
    process.exit(1);
  };
  // A module that has handlers of its own decides for itself.
  process.on('unhandledRejection', (reason) => {
    if (process.listenerCount('unhandledRejection') === 1) {
      end('a promise that nobody awaits was rejected', reason);
    }
  });
  process.on('uncaughtException', (error) => {
    if (process.listenerCount('uncaughtException') === 1) end('nobody caught', error);
  });
}

/** So short that the agent keeps all of it: the beginning says what, the end says where. */
export function shortened(words: string): string {
  const most = LAST_WORDS_CHARS_MAX - WHAT_CHARS;
  if (words.length <= most) return words;
  return `${words.slice(0, most - END_CHARS)} … ${words.slice(-END_CHARS)}`;
}

function say(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // Nobody reads any more: the agent is gone, and this process goes as well.
  }
}
