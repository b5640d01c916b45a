/** `mx8 resume`: let a paused, drained or failed job go on. */
import type { CommandIo } from '../command-io.ts';
import { defineCommand } from '../command.ts';
import type { Command, CommandLine } from '../command.ts';

import { operate, OPERATE_FLAGS } from '../operate/operate.ts';

const FLAGS = {
  ...OPERATE_FLAGS,
} as const;

export const command: Command = defineCommand({
  name: 'resume',
  summary: 'let a paused, drained or failed job go on',
  about:
    'Ends a pause or a drain; a failed job is tried again from what was committed. Agents that have left need to be started again.',
  argument: null,
  flags: FLAGS,
  examples: [{ command: 'mx8 resume --job-id nightly', doc: 'after mx8 pause' }],
  run,
});

async function run({ options }: CommandLine<typeof FLAGS>, io: CommandIo): Promise<number> {
  return operate({ type: 'resume' }, options, io);
}
