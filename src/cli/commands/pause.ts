/** `mx8 pause`: grant no further lease of a job until it is resumed. */
import type { CommandIo } from '../command-io.ts';
import { defineCommand } from '../command.ts';
import type { Command, CommandLine } from '../command.ts';

import { operate, OPERATE_FLAGS } from '../operate/operate.ts';

const FLAGS = {
  ...OPERATE_FLAGS,
} as const;

export const command: Command = defineCommand({
  name: 'pause',
  summary: 'grant no further lease of a job until it is resumed',
  about:
    'What is held is finished and committed; agents stay and wait. The job goes on with mx8 resume, also after a restart or a fail-over of the coordinator.',
  argument: null,
  flags: FLAGS,
  examples: [
    { command: 'mx8 pause --job-id nightly', doc: 'hold a job while something more urgent runs' },
  ],
  run,
});

async function run({ options }: CommandLine<typeof FLAGS>, io: CommandIo): Promise<number> {
  return operate({ type: 'pause' }, options, io);
}
