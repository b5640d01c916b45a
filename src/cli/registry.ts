/**
 * The commands, in the order that `mx8 --help` lists them. Each is loaded only when it is asked for, so
 * that `mx8 --version` does not wait for the gRPC library.
 */
import type { Command } from './command.ts';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'run',
    summary: 'run a job on this machine, with as many agents as asked for',
    load: async () => (await import('./commands/run.ts')).command,
  },
  {
    name: 'coordinator',
    summary: 'hand out the work of a job to agents and keep what was answered',
    load: async () => (await import('./commands/coordinator.ts')).command,
  },
  {
    name: 'agent',
    summary: 'work on a job as one of its nodes',
    load: async () => (await import('./commands/agent.ts')).command,
  },
  {
    name: 'submit',
    summary: 'give a running coordinator another job',
    load: async () => (await import('./commands/submit.ts')).command,
  },
  {
    name: 'status',
    summary: 'print how a job stands: progress, nodes, leases, health',
    load: async () => (await import('./commands/status.ts')).command,
  },
  {
    name: 'tui',
    summary: 'watch a job on a screen: progress, nodes, leases, manifest, events',
    load: async () => (await import('./commands/tui.ts')).command,
  },
  {
    name: 'doctor',
    summary: 'run the runbook: say what is wrong, what to type and what should then be seen',
    load: async () => (await import('./commands/doctor.ts')).command,
  },
  {
    name: 'pause',
    summary: 'grant no further lease of a job until it is resumed',
    load: async () => (await import('./commands/pause.ts')).command,
  },
  {
    name: 'resume',
    summary: 'let a paused, drained or failed job go on',
    load: async () => (await import('./commands/resume.ts')).command,
  },
  {
    name: 'drain',
    summary: 'let a node, or all of a job, finish what it holds and leave',
    load: async () => (await import('./commands/drain.ts')).command,
  },
  {
    name: 'release',
    summary: 'take a lease, or all that a node holds, away at once',
    load: async () => (await import('./commands/release.ts')).command,
  },
  {
    name: 'cap',
    summary: 'raise or lower caps of the nodes of a live job, a step at a time',
    load: async () => (await import('./commands/cap.ts')).command,
  },
  {
    name: 'forget',
    summary: 'have the coordinator forget a job that is over, or was given up',
    load: async () => (await import('./commands/forget.ts')).command,
  },
  {
    name: 'resolve',
    summary: 'pin a data set and print the hash of its manifest',
    load: async () => (await import('./commands/resolve.ts')).command,
  },
  {
    name: 'pack',
    summary: 'pack files, or samples of a format, into tar shards with a manifest',
    load: async () => (await import('./commands/pack.ts')).command,
  },
  {
    name: 'verify',
    summary: 'read a pinned data set again and say what differs',
    load: async () => (await import('./commands/verify.ts')).command,
  },
  {
    name: 'clean',
    summary: 'remove copies of manifests and states of finished runs that nobody uses any more',
    load: async () => (await import('./commands/clean.ts')).command,
  },
  {
    name: 'demo2',
    summary: 'kill a node in mid-job and watch its work being done by the others',
    load: async () => (await import('./commands/demo2.ts')).command,
  },
];
