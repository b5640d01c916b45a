/** Known bugs of what is done when a supervisor tells that a node's process ended. */
import type { Mutation } from '../../support/mutations/mutation-loader.ts';

export const DEATH_MUTATIONS: readonly Mutation[] = [
  {
    name: 'stale-report-of-a-death',
    breaks: 'a report of a death is of the process that ended, not of the next one with its id',
    edits: [
      {
        file: 'src/coordinator/role-backend.ts',
        find: '  submit(command: Command): Promise<Reply> {\n',
        replace: `  submit(command: Command): Promise<Reply> {
    if (command.type === 'node_died') {
      const again = async (): Promise<void> => {
        await this.#options.clock.sleep(600);
        await this.#options.leadership.writer?.submit(command);
      };
      again().catch(() => null);
    }
`,
      },
    ],
  },
  {
    name: 'a-death-ends-all-leases',
    breaks: 'what is taken from a node that died is what it held',
    edits: [
      {
        file: 'src/core/job/decide-membership.ts',
        find: "  if (node === undefined) return { type: 'ok' };\n  const held = [...node.leases];",
        replace:
          "  if (node === undefined) return { type: 'ok' };\n  const held = [...job.leases.keys()];",
      },
    ],
  },
];
