/** `mx8 drain`: let a node, or all of a job, finish what it holds and leave. */
import { nodeId } from '../../core/base/units.ts';
import type { CommandIo } from '../command-io.ts';
import { defineCommand } from '../command.ts';
import type { Command, CommandLine } from '../command.ts';
import * as operator from '../flags/operator.ts';
import { operate, OPERATE_FLAGS } from '../operate/operate.ts';

const FLAGS = {
  ...OPERATE_FLAGS,
  nodeId: operator.ofNode,
} as const;

export const command: Command = defineCommand({
  name: 'drain',
  summary: 'let a node, or all of a job, finish what it holds and leave',
  about:
    'The node gets no further lease, finishes the batches in hand, commits them, gives the rest back and ends; its rank is free for another. Without --node the whole job is drained: it goes on with mx8 resume and new agents. Nothing that was committed is lost.',
  argument: null,
  flags: FLAGS,
  examples: [
    { command: 'mx8 drain --node worker-7', doc: 'before that machine is taken down' },
    { command: 'mx8 drain --dry-run', doc: 'what draining the whole job would touch' },
  ],
  run,
});

async function run({ options }: CommandLine<typeof FLAGS>, io: CommandIo): Promise<number> {
  const node = options.nodeId === null ? null : nodeId(options.nodeId);
  return operate({ type: 'drain', nodeId: node }, options, io);
}
