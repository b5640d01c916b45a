/** `docs/cli.md`: the commands as they describe themselves, and the exit codes. */
import type { Command } from '../../src/cli/command.ts';
import { EXIT_CODES } from '../../src/cli/exit-codes.ts';
import { commandHelp } from '../../src/cli/help.ts';

const HEAD = `# The command line

\`mx8 COMMAND --help\` prints what is below. Results go to stdout, everything said meanwhile to stderr.
With \`--json\` stdout carries JSON, one object a line, and a failure ends it with an object whose \`event\`
is \`error\`. Flags and variables are explained in [env_reference.md](env_reference.md), error codes in
[errors.md](errors.md).

This file is made by \`npm run docs\`.

## Exit codes

`;

const DOCUMENT_COLUMNS = 96;

export function cliDocs(commands: readonly Command[]): string {
  const codes = EXIT_CODES.map(({ code, meaning }) => `- \`${code}\`: ${meaning}`).join('\n');
  const sections = commands.map(
    (command) =>
      `## mx8 ${command.name}\n\n\`\`\`text\n${commandHelp(command, DOCUMENT_COLUMNS)}\`\`\`\n`,
  );
  return `${HEAD}${codes}\n\n${sections.join('\n')}`;
}
