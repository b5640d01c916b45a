/** Help texts, made from the same tables that the parser reads. */
import type { Command } from './command.ts';
import { COMMON_FLAGS } from './options.ts';
import type { AnyFlag } from './flag.ts';
import { isSwitch } from './parse-command-line.ts';
import { wrapText } from './wrap-text.ts';

interface Listed {
  readonly name: string;
  readonly summary: string;
}

export function overviewText(commands: readonly Listed[], columns: number): string {
  const width = Math.max(...commands.map((command) => command.name.length));
  return [
    'mx8 — feeds machine-learning jobs from your data, inside a memory limit, exactly once.',
    '',
    'Usage: mx8 COMMAND [FLAGS]',
    '',
    'Commands:',
    ...commands.flatMap(({ name, summary }) =>
      wrapText(`${name.padEnd(width)}  ${summary}`, columns, 2, width + 4),
    ),
    '',
    'mx8 COMMAND --help says what a command takes. mx8 --version prints the version.',
    '',
  ].join('\n');
}

export function commandHelp(command: Command, columns: number): string {
  const { argument } = command;
  const usage = argument === null ? '' : argument.isRequired ? argument.name : `[${argument.name}]`;
  const lines = [`Usage: mx8 ${[command.name, usage, '[FLAGS]'].filter(Boolean).join(' ')}`, ''];
  lines.push(...wrapText(command.about, columns, 0, 0), '');
  if (argument !== null) lines.push(...entry(argument.name, argument.doc, columns), '');
  const flags = Object.values(command.flags);
  if (flags.length > 0) {
    lines.push('Flags:', ...flags.flatMap((flag) => flagEntry(flag, columns)), '');
  }
  lines.push('Every command:', ...COMMON_FLAGS.flatMap((flag) => flagEntry(flag, columns)), '');
  lines.push('Examples:');
  for (const example of command.examples) {
    if (example.doc !== '') lines.push(...wrapText(`# ${example.doc}`, columns, 2, 4));
    lines.push(`  ${example.command}`, '');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function flagEntry(flag: AnyFlag, columns: number): string[] {
  const value = isSwitch(flag) ? '' : ` ${flag.kind.placeholder}`;
  const standing = flag.isRequired ? 'Required' : `Default: ${flag.defaultText}`;
  return entry(`--${flag.name}${value}`, `${flag.doc} ${standing} (${flag.variable}).`, columns);
}

/** A name in the left column, a sentence in the right; the sentence starts lower when it must. */
function entry(name: string, doc: string, columns: number): string[] {
  const indent = 30;
  const label = `  ${name}`;
  const text = wrapText(doc, columns, indent, indent);
  if (label.length > indent - 2) return [label, ...text];
  return [label.padEnd(indent) + (text[0] ?? '').trimStart(), ...text.slice(1)];
}
