/** `docs/env_reference.md`: every flag and variable, from the table that the parser reads. */
import type { Command } from '../../src/cli/command.ts';
import type { AnyFlag } from '../../src/cli/flag.ts';
import { COMMON_FLAGS, FLAG_GROUPS } from '../../src/cli/options.ts';

const HEAD = `# Flags and variables

Every flag has a variable. The flag wins; an empty variable counts as unset; a value that does not
parse is an error that names the flag or variable, what it said and what it takes. A flag also answers
to the name of its variable: \`--coord-bind-addr\` is \`--bind\`. Sizes take units (\`64MiB\`, \`1.5G\`,
\`200MB\`; K, M, G are powers of 1024), and so do times (\`500ms\`, \`10s\`, \`2m\`; a bare number is
milliseconds).

This file is made by \`npm run docs\`.
`;

export function envReference(commands: readonly Command[]): string {
  const groups = FLAG_GROUPS.map(
    (group) =>
      `## ${group.title}\n\n${group.flags.map((flag) => flagSection(flag, commands)).join('\n')}`,
  );
  return `${HEAD}\n${groups.join('\n')}`;
}

function flagSection(flag: AnyFlag, commands: readonly Command[]): string {
  const value = flag.kind.placeholder === '' ? '' : ` ${flag.kind.placeholder}`;
  const lines = [
    `### \`--${flag.name}${value}\` · \`${flag.variable}\``,
    '',
    flag.doc,
    '',
    `- Takes: ${flag.kind.takes}`,
    `- Default: ${flag.defaultText}`,
    `- Commands: ${commandsOf(flag, commands)}`,
  ];
  return `${lines.join('\n')}\n`;
}

function commandsOf(flag: AnyFlag, commands: readonly Command[]): string {
  if (COMMON_FLAGS.includes(flag)) return 'all';
  const uses = commands.flatMap((command) =>
    Object.values(command.flags)
      .filter((candidate) => candidate.variable === flag.variable)
      .map((candidate) => useText(command.name, candidate, flag)),
  );
  return uses.length === 0 ? 'none yet; the name is reserved' : uses.join(', ');
}

function useText(command: string, used: AnyFlag, flag: AnyFlag): string {
  if (used.isRequired) return `${command} (required)`;
  const differs = used.defaultText !== flag.defaultText;
  return differs ? `${command} (default: ${used.defaultText})` : command;
}
