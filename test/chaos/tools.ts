/** Which of the tools that some faults need this machine has, and why not where it has not. */
import { spawnSync } from 'node:child_process';

export interface Tools {
  /** Network namespaces with a packet filter inside. */
  readonly hasNetwork: boolean;
  readonly hasEtcd: boolean;
  /** What is missing and what is not covered because of it. */
  readonly missing: readonly string[];
}

export function findTools(): Tools {
  const missing: string[] = [];
  const network = networkProblem();
  if (network !== null) missing.push(`no partitions: ${network}`);
  const hasEtcd = works('etcd', ['--version']);
  if (!hasEtcd) missing.push('no etcd: it is not installed (Debian: etcd-server)');
  return { hasNetwork: network === null, hasEtcd, missing };
}

function networkProblem(): string | null {
  if (process.getuid?.() !== 0) return 'only root may make network namespaces';
  if (!works('ip', ['-V'])) return 'the command ip is missing (Debian: iproute2)';
  if (!works('nft', ['--version'])) return 'the command nft is missing (Debian: nftables)';
  const name = `mx8try-${process.pid}`;
  const made = works('ip', ['netns', 'add', name]);
  const filters =
    made && works('ip', ['netns', 'exec', name, 'nft', 'add', 'table', 'inet', 'mx8chaos']);
  if (made) works('ip', ['netns', 'delete', name]);
  return filters ? null : 'the kernel does not let this process make a namespace with a filter';
}

function works(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
