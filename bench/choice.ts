/** What was typed after `npm run bench --`, as what is to be done. Pure. */
import { parseArgs } from 'node:util';

import { wrapText } from '../src/cli/wrap-text.ts';
import { nearest } from '../src/core/base/nearest.ts';

const HELP_COLUMNS = 96;

export type BenchChoice =
  | { readonly type: 'help' }
  | { readonly type: 'refused'; readonly message: string }
  | {
      readonly type: 'run';
      readonly names: readonly string[];
      readonly json: boolean;
      readonly check: boolean;
      readonly objects: number | null;
    };

const OPTIONS = {
  json: { type: 'boolean', default: false },
  check: { type: 'boolean', default: false },
  objects: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** `all`: the names of what there is to run. A word picks each name that it is a part of. */
export function benchChoice(argv: readonly string[], all: readonly string[]): BenchChoice {
  const parsed = parsedLine(argv);
  if (typeof parsed === 'string') return refused(parsed);
  const { values, positionals } = parsed;
  if (values.help || positionals.includes('help')) return { type: 'help' };
  for (const word of positionals) {
    if (all.some((name) => name.includes(word))) continue;
    const guess = nearest(word, all);
    const hint = guess === null ? '' : ` (did you mean ${guess}?)`;
    return refused(`no benchmark has "${word}" in its name: there are ${all.join(', ')}${hint}`);
  }
  const objects = values.objects === undefined ? null : Number(values.objects);
  if (objects !== null && !(Number.isSafeInteger(objects) && objects > 0)) {
    return refused(`--objects takes a whole number of objects, not "${values.objects}"`);
  }
  const names = all.filter(
    (name) => positionals.length === 0 || positionals.some((word) => name.includes(word)),
  );
  return { type: 'run', names, json: values.json, check: values.check, objects };
}

/** The words read, or why they cannot be. */
function parsedLine(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], allowPositionals: true, options: OPTIONS });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return error.message;
  }
}

function refused(why: string): BenchChoice {
  return {
    type: 'refused',
    message: `bench: ${why}. npm run bench -- --help lists what there is.`,
  };
}

/** `about`: what each measures, by its name. */
export function benchHelp(about: ReadonlyMap<string, string>): string {
  const width = Math.max(...[...about.keys()].map((name) => name.length));
  const lines = [...about].flatMap(([name, what]) =>
    wrapText(what, HELP_COLUMNS - width, 0, 0).map(
      (line, index) => `  ${(index === 0 ? name : '').padEnd(width)}  ${line}`,
    ),
  );
  return `Usage: npm run bench [-- NAME... [options]]

Measures MX8 on this machine, each figure beside the limit that a bare loop reaches in the same run.
NAME picks the benchmarks whose name it is a part of; without one all run, for many minutes.

Benchmarks:
${lines.join('\n')}

Options:
  --json       print rows as lines of JSON
  --check      end with 1 when a target is missed
  --objects N  how many objects "listing" lists
  --help       print this
`;
}

/** The first sentence of the comment that a file begins with. */
export function firstSentence(source: string): string {
  const [, comment = ''] = /^\/\*\*(.*?)\*\//s.exec(source) ?? [];
  const text = comment.replaceAll(/\s*\n \* ?/g, ' ').trim();
  return /^.*?[.;](?=\s|$)/.exec(text)?.[0].slice(0, -1) ?? text;
}
