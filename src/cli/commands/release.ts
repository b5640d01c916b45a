/** `mx8 release`: take a lease, or all that a node holds, away at once. */
import { Mx8Error } from '../../core/base/errors.ts';
import { nodeId } from '../../core/base/units.ts';
import type { CommandIo } from '../command-io.ts';
import { defineCommand } from '../command.ts';
import type { Command, CommandLine } from '../command.ts';
import * as operator from '../flags/operator.ts';
import { operate, OPERATE_FLAGS } from '../operate/operate.ts';

const FLAGS = {
  ...OPERATE_FLAGS,
  nodeId: {
    ...operator.ofNode,
    doc: 'The node whose leases and rank are freed.',
    defaultText: 'none',
  },
  leaseId: operator.leaseIdFlag,
} as const;

export const command: Command = defineCommand({
  name: 'release',
  summary: 'take a lease, or all that a node holds, away at once',
  about:
    'For work that stands still and a node that is known to be dead: what is not committed goes to others without waiting for the TTL. A node that lives after all is told to stop work on it, and what it commits late is refused.',
  argument: null,
  flags: FLAGS,
  examples: [
    { command: 'mx8 release --node worker-7 --dry-run', doc: 'what would be requeued' },
    { command: 'mx8 release --lease 3.812.0', doc: 'one lease; mx8 status lists them' },
  ],
  run,
});

async function run({ options }: CommandLine<typeof FLAGS>, io: CommandIo): Promise<number> {
  const { leaseId, nodeId: node } = options;
  if ((leaseId === null) === (node === null)) {
    throw new Mx8Error('flag_invalid', 'mx8 release takes --lease or --node, one of the two', {
      flag: '--lease',
    });
  }
  if (node !== null) return operate({ type: 'release_node', nodeId: nodeId(node) }, options, io);
  return operate({ type: 'release_lease', leaseId: leaseId ?? '' }, options, io);
}
