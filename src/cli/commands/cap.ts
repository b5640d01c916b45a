/** `mx8 cap`: raise or lower caps of the nodes of a live job, a step at a time. */
import { Mx8Error } from '../../core/base/errors.ts';
import { nodeId } from '../../core/base/units.ts';
import type { CommandIo } from '../command-io.ts';
import { defineCommand } from '../command.ts';
import type { Command, CommandLine } from '../command.ts';
import * as operator from '../flags/operator.ts';
import { operate, OPERATE_FLAGS } from '../operate/operate.ts';

const FLAGS = {
  ...OPERATE_FLAGS,
  nodeId: operator.ofNode,
  want: operator.newWant,
  maxInflightBytes: operator.newInflightBytes,
  prefetchBatches: operator.newPrefetchBatches,
  maxQueueBatches: operator.newQueueBatches,
} as const;

export const command: Command = defineCommand({
  name: 'cap',
  summary: 'raise or lower caps of the nodes of a live job, a step at a time',
  about:
    'Moves how many leases a node holds, how many bytes it has in flight and how far it reads ahead, while it works; what is read from then on keeps to it. A cap is raised to at most twice what it is at a time, and never above the RAM cap that the node was started with: look at the memory with mx8 status before the next step. It holds through restarts and fail-overs of the coordinator, for agents that come later too.',
  argument: null,
  flags: FLAGS,
  examples: [
    { command: 'mx8 cap --want 1 --prefetch 1', doc: 'less memory on every node' },
    {
      command: 'mx8 cap --node worker-7 --inflight-bytes 128MiB --dry-run',
      doc: 'what that would change',
    },
  ],
  run,
});

async function run({ options }: CommandLine<typeof FLAGS>, io: CommandIo): Promise<number> {
  const { want, maxInflightBytes, prefetchBatches, maxQueueBatches } = options;
  const tuning = { want, maxInflightBytes, prefetchBatches, maxQueueBatches };
  if (Object.values(tuning).every((cap) => cap === null)) {
    throw new Mx8Error(
      'flag_invalid',
      'mx8 cap takes at least one of --want, --inflight-bytes, --prefetch, --queue',
      { flag: '--want' },
    );
  }
  const node = options.nodeId === null ? null : nodeId(options.nodeId);
  return operate({ type: 'tune', nodeId: node, tuning }, options, io);
}
